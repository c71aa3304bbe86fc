"""A table as Markdown: names shown literally, the same bytes anywhere."""

from __future__ import annotations

import locale
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.markdown.rows import literal
from harness.tables.catalogue import TableCatalogue
from harness.tables.markdown import Rendered, to_markdown
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, failed, frame, row

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "reports" / "templates"
SPEC = "speed:\n  rows: [method]\n  cells: {Decode: {metric: decode_tps, format: 1}}\n"


def rendered(folder: Path, text: str, *rows: dict[str, Any], catalogue: TableCatalogue = CATALOGUE) -> Rendered:
    path = folder / "demo.tables.yaml"
    path.write_text(text, encoding="utf-8")
    return to_markdown(build(read_specs(path)[0], frame(*rows), catalogue), TEMPLATES)


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
        "- Measured 2026-01-31 (UTC).",
        "- Speed and memory: each number is that of 1 process of its latest session; no interval below 3 processes.",
        "- Decode: protocol e2e v1, batch 1, 128 prompt tokens, 64 output tokens, 1 warm-up, 5 repetitions.",
    ]


def test_a_table_without_rows_says_so_and_how_to_fill_it(tmp_path: Path) -> None:
    text = rendered(tmp_path, SPEC).markdown
    assert text.startswith("No results for this table yet")
    assert "harness run" in text
    assert "harness publish" in text


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
    found = rendered(
        tmp_path, SPEC, row("decode_tps", 1.0, method="h"), catalogue=TableCatalogue({"method": {"h": entry}})
    )
    line = found.markdown.splitlines()[2]
    assert line.replace(r"\|", "").count("|") == 3
    assert "<" not in line
    assert "(https://example.org/a%29%20%7C%20%3Cb%3E)" in line


def test_a_link_that_is_no_web_address_is_not_made(tmp_path: Path) -> None:
    entry = {"title": "x", "link": "javascript:alert(1)"}
    found = rendered(
        tmp_path, SPEC, row("decode_tps", 1.0, method="h"), catalogue=TableCatalogue({"method": {"h": entry}})
    )
    assert "| x | 1.0 |" in found.markdown


def test_an_unknown_template_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="unknown template 'detail'; did you mean 'details'"):
        rendered(tmp_path, SPEC.replace("rows:", "template: detail\n  rows:"), row("decode_tps", 1.0))


HOSTILE = "a|b `c` <script>x</script> *d* [e](http://f) \n\n# g\n</summary></details>\n| h | <!-- end: t -->"


@pytest.mark.parametrize("template", ["table", "details"])
def test_a_hostile_name_breaks_out_of_no_place_where_names_stand(tmp_path: Path, template: str) -> None:
    entry = {"title": HOSTILE, "link": "https://example.org/a) | <b>\n\n# x"}
    known = TableCatalogue({name: {"h": entry} for name in ("model", "method", "engine")})
    spec = (
        f"t:\n  template: {template}\n  each: [gpu, model]\n  rows: [method, engine]\n"
        "  cells: {Decode: {metric: decode_tps, format: 1}}\n"
    )
    facts = {"gpu": HOSTILE, "model": "h", "cpu": HOSTILE}
    rows = [
        row("decode_tps", 1.0, method="h", engine="h", protocol=HOSTILE, **facts),
        failed("failed", HOSTILE, method="x", engine="h", **facts),
    ]
    lines = rendered(tmp_path, spec, *rows, catalogue=known).markdown.splitlines()
    text = "\n".join(lines)
    assert not any(word in text for word in ("<script", "<b>", "<!--", "</summary></details>"))
    assert sum(line.startswith("#") for line in lines) == (2 if template == "table" else 1)
    assert text.count("<details>") == text.count("</details>") == text.count("</summary>") == (template == "details")
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {4}
    assert all(line.startswith(("#", "|", "- ", "<details>", "</details>")) for line in lines if line)


BYTES = """
import sys, locale, time
from pathlib import Path
locale.setlocale(locale.LC_ALL, "")
from tests.unit.tables.frames import CATALOGUE, failed, frame, row
from harness.tables.markdown import to_markdown
from harness.tables.specfile import read_specs
from harness.tables.table import build
rows = [
    row("decode_tps", 12345.6, low=12300.0, high=12400.0, model="IİıI"),
    row("decode_tps", 5.0, method="int4", model="Zürich", started="2026-02-01T23:30:00-05:00"),
    failed("oom", "killed in ISTANBUL", method="int8", model="ağaç"),
]
table = build(read_specs(Path(sys.argv[1]))[0], frame(*rows), CATALOGUE)
sys.stdout.buffer.write(to_markdown(table).markdown.encode())
"""


@pytest.mark.parametrize(
    ("name", "zone", "seed"),
    [("de_DE.UTF-8", "Pacific/Kiritimati", "1"), ("tr_TR.UTF-8", "America/St_Johns", "2"), ("C", "Asia/Kolkata", "3")],
)
def test_another_process_gives_the_same_bytes_on_any_locale_and_time_zone(
    tmp_path: Path, name: str, zone: str, seed: str
) -> None:
    spec = tmp_path / "demo.tables.yaml"
    text = SPEC.replace("rows: [method]", "rows: [model, method]").replace("format: 1", "format: '1,', uncertainty: pm")
    spec.write_text(text, encoding="utf-8")

    def bytes_in(**surroundings: str) -> bytes:
        code = (
            BYTES if _has_locale(surroundings["LC_ALL"]) else BYTES.replace('locale.setlocale(locale.LC_ALL, "")', "")
        )
        words = [sys.executable, "-c", code, str(spec)]
        return subprocess.run(
            words, cwd=ROOT, env={**os.environ, **surroundings}, capture_output=True, check=True
        ).stdout

    plain = bytes_in(LC_ALL="C.UTF-8", TZ="UTC", PYTHONHASHSEED="0")
    assert "12,345.6 ± 54.4".encode() in plain
    assert bytes_in(LC_ALL=name, TZ=zone, PYTHONHASHSEED=seed) == plain


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_ALL, before)
    return True


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


@pytest.mark.parametrize("style", ["", "  style: {groups: true}\n", "  style: {header: body}\n"])
def test_a_hostile_name_breaks_out_of_no_heading_of_a_column(tmp_path: Path, style: str) -> None:
    known = TableCatalogue({"method": {"h": {"title": "a|b `c` <script>x</script> *d*"}, "g": {"title": "G"}}})
    spec = f"t:\n  rows: [model]\n  pivot: method\n{style}  cells: {{Decode: {{metric: decode_tps, format: 1}}}}\n"
    rows = [row("decode_tps", 1.0, method="h"), row("decode_tps", 2.0, method="g")]
    text = rendered(tmp_path, spec, *rows, catalogue=known).markdown
    assert r"a\|b \`c\` &lt;script&gt;x&lt;/script&gt; \*d\*" in text
    assert "<script" not in text
