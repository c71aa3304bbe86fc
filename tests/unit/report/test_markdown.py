from __future__ import annotations

import locale
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.report.catalogue import Catalogue
from harness.report.markdown import Rendered, check_tables, literal, to_markdown, write_tables
from harness.report.result import Table
from harness.report.specfile import read_specs
from harness.report.table import build
from tests.unit.report.frames import CATALOGUE, failed, frame, row

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "reports" / "templates"
SPEC = "speed:\n  rows: [method]\n  cells: {Decode: {metric: decode_tps, format: 1}}\n"


def rendered(folder: Path, text: str, *rows: dict[str, Any], catalogue: Catalogue = CATALOGUE) -> Rendered:
    path = folder / "demo.tables.yaml"
    path.write_text(text, encoding="utf-8")
    return to_markdown(build(read_specs(path)[0], frame(*rows), catalogue), TEMPLATES)


def fixed(name: str, markdown: str) -> Rendered:
    return Rendered(name, markdown, Table(name, "", "table", (), (), ()))


def test_a_table_is_written_with_alignment_footnotes_and_caption(tmp_path: Path) -> None:
    found = rendered(tmp_path, SPEC, row("decode_tps", 10.0), failed("oom", "killed for memory", method="int4"))
    assert found.markdown.splitlines() == [
        "| Method | Decode |",
        "| :--- | ---: |",
        "| FP32 | 10.0 |",
        "| [INT4 RTN](https://example.org/int4) | oom <sup>1</sup> |",
        "",
        "- <sup>1</sup> generation: oom: killed for memory",
        "- Configuration: Example CPU (2 cores), Linux, Python 3.11.9.",
        "- Measured 2026-01-31 (UTC). Each cell shows its latest run.",
        "- Decode: protocol e2e v1, batch 1, 128 prompt tokens, 64 output tokens, 1 warm-up, 5 repetitions.",
    ]


def test_a_table_without_rows_says_so_and_how_to_fill_it(tmp_path: Path) -> None:
    text = rendered(tmp_path, SPEC).markdown
    assert text.startswith("No results for this table yet")
    assert "harness run" in text
    assert "harness promote" in text


def test_values_of_each_become_headings_or_details(tmp_path: Path) -> None:
    spec = SPEC.replace("rows:", "each: [gpu, model]\n  rows:")
    rows = [row("decode_tps", 10.0, gpu="T4", model=model) for model in ("a", "b<c")]
    assert [line for line in rendered(tmp_path, spec, *rows).markdown.splitlines() if line.startswith("#")] == [
        "#### T4", "##### a", "##### b&lt;c",
    ]  # fmt: skip
    found = rendered(tmp_path, spec.replace("rows:", "template: details\n  rows:"), *rows).markdown
    assert "#### T4\n\n<details><summary>a</summary>\n\n| Method" in found
    assert "</details>\n\n<details><summary>b&lt;c</summary>" in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a|b", r"a\|b"), ("`a`", r"\`a\`"), ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"), ("*a*", r"\*a\*"), ("_a_", r"\_a\_"),
        ("int4_rtn", "int4_rtn"), ("[a](http://b)", r"\[a\](http://b)"), ("a\nb", "a b"), ("a & b", "a &amp; b"), ("$x$", r"\$x\$"),
    ],
)  # fmt: skip
def test_names_are_shown_literally(name: str, text: str) -> None:
    assert literal(name) == text


def test_a_name_injects_nothing_into_a_table(tmp_path: Path) -> None:
    hostile = "x | y\n| `z` <script>"
    entry = {"title": hostile, "link": "https://example.org/a) | <b>"}
    found = rendered(tmp_path, SPEC, row("decode_tps", 1.0, method="h"), catalogue=Catalogue({"method": {"h": entry}}))
    line = found.markdown.splitlines()[2]
    assert line.replace(r"\|", "").count("|") == 3
    assert "<" not in line
    assert "(https://example.org/a%29%20%7C%20%3Cb%3E)" in line


def test_a_link_that_is_no_web_address_is_not_made(tmp_path: Path) -> None:
    entry = {"title": "x", "link": "javascript:alert(1)"}
    found = rendered(tmp_path, SPEC, row("decode_tps", 1.0, method="h"), catalogue=Catalogue({"method": {"h": entry}}))
    assert "| x | 1.0 |" in found.markdown


def test_an_unknown_template_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="unknown template 'detail'; did you mean 'details'"):
        rendered(tmp_path, SPEC.replace("rows:", "template: detail\n  rows:"), row("decode_tps", 1.0))


PAGE = "# Page\n\n<!-- table: a -->\nold\n<!-- end: a -->\n\ntext | with pipes\n<!-- table: b -->\n<!-- end: b -->\n"


def test_text_between_markers_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    tables = [fixed("a", "| A |"), fixed("b", "| B |")]
    assert check_tables(page, tables) == ["a", "b"]
    assert write_tables(page, tables) == ["a", "b"]
    assert page.read_text(encoding="utf-8") == (
        "# Page\n\n<!-- table: a -->\n\n| A |\n\n<!-- end: a -->\n\ntext | with pipes\n<!-- table: b -->\n\n| B |\n\n<!-- end: b -->\n"
    )
    assert check_tables(page, tables) == []
    assert write_tables(page, tables) == []


def test_windows_line_ends_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(PAGE.replace("\n", "\r\n").encode())
    tables = [fixed("a", "| A |\n| 1 |"), fixed("b", "| B |")]
    write_tables(page, tables)
    content = page.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert check_tables(page, tables) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: a -->\n", r"page.md:1: table 'a' has no end"),
        ("x\n<!-- end: a -->\n", r"page.md:2: the end of 'a' has no beginning"),
        ("<!-- table: a -->\n<!-- table: b -->\n<!-- end: b -->\n", r"page.md:2: table 'b' begins inside table 'a'"),
        ("<!-- table: a -->\n<!-- end: b -->\n", r"page.md:2: the end of 'b' .* table 'a' of line 1 is still open"),
        ("<!-- table: a -->\n<!-- end: a -->\n" * 2, r"page.md:3: table 'a' stands here a second time"),
        ("<!-- table: aa -->\n<!-- end: aa -->\n", r"page.md:1: unknown table 'aa'"),
    ],
)
def test_markers_that_do_not_fit_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        write_tables(page, [fixed("a", "A"), fixed("b", "B")])
    assert page.read_text(encoding="utf-8") == text


def test_markers_in_fenced_code_are_examples(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```markdown\n<!-- table: a -->\n```\n", encoding="utf-8")
    assert write_tables(page, [fixed("a", "A")]) == []


def test_rendering_gives_the_same_bytes_on_any_locale_and_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        row("decode_tps", 12345.6, low=12300.0, high=12400.0),
        row("decode_tps", 5.0, method="int4", started="2026-02-01T23:30:00-05:00"),
    ]
    spec = SPEC.replace("format: 1", "format: '1,', uncertainty: pm")
    first = rendered(tmp_path, spec, *rows).markdown
    before = locale.setlocale(locale.LC_ALL)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        for name in ("de_DE.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            assert rendered(tmp_path, spec, *rows).markdown == first
    finally:
        locale.setlocale(locale.LC_ALL, before)
        monkeypatch.undo()
        time.tzset()
    assert "12,345.6 ± 54.4" in first
    assert os.environ.get("TZ") != "Asia/Kolkata"
