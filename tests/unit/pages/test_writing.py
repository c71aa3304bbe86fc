"""Tables written between the markers of pages, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.pages.writing import check_pages, with_markers, write_pages
from harness.tables.markdown import Rendered
from harness.tables.result import Table


def fixed(name: str, markdown: str) -> Rendered:
    return Rendered(name, markdown, Table(name, "", "table", (), (), ()))


def write(page: Path, tables: list[Rendered]) -> list[str]:
    return [name for found in write_pages([page], tables) for name in found.parts]


def stale(page: Path, tables: list[Rendered]) -> list[str]:
    return [name for found in check_pages([page], tables) for name in found.parts]


PAGE = "# Page\n\n<!-- table: a -->\nold\n<!-- end: a -->\n\ntext | with pipes\n<!-- table: b -->\n<!-- end: b -->\n"


def test_text_between_markers_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    tables = [fixed("a", "| A |"), fixed("b", "| B |")]
    assert stale(page, tables) == ["a", "b"]
    assert write(page, tables) == ["a", "b"]
    assert page.read_text(encoding="utf-8") == (
        "# Page\n\n<!-- table: a -->\n\n| A |\n\n<!-- end: a -->\n\ntext | with pipes\n<!-- table: b -->\n\n| B |\n\n<!-- end: b -->\n"
    )
    assert stale(page, tables) == []
    assert write(page, tables) == []


def test_windows_line_ends_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(PAGE.replace("\n", "\r\n").encode())
    tables = [fixed("a", "| A |\n| 1 |"), fixed("b", "| B |")]
    write(page, tables)
    content = page.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert stale(page, tables) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: a -->\n", r"page.md:1: table 'a' has no end"),
        ("x\n<!-- end: a -->\n", r"page.md:2: the end of 'a' has no beginning"),
        ("<!-- table: a -->\n<!-- table: b -->\n<!-- end: b -->\n", r"page.md:2: table 'b' begins inside table 'a'"),
        ("<!-- table: a -->\n<!-- end: b -->\n", r"page.md:2: the end of 'b' .* table 'a' of line 1 is still open"),
        ("<!-- table: a -->\n<!-- end: a -->\n" * 2, r"page.md:3: table 'a' is shown twice on this page"),
        ("<!-- table: aa -->\n<!-- end: aa -->\n", r"page.md:1: unknown table 'aa'"),
    ],
)
def test_markers_that_do_not_fit_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        write(page, [fixed("a", "A"), fixed("b", "B")])
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        "```markdown\n<!-- table: a -->\n```\n",
        "~~~\n```\n<!-- table: a -->\n~~~\n",
        "````\n```\n<!-- end: a -->\n````\n",
        "```\n```python\n<!-- table: a -->\n```\n",
        "```\r\n<!-- table: a -->\r\n```\r\n",
        "\ufeff```\n<!-- table: a -->\n```\n",
        "Write `<!-- table: a -->` there.\n",
    ],
)
def test_markers_in_code_are_examples(tmp_path: Path, text: str) -> None:
    page = tmp_path / "README.md"
    page.write_bytes(text.encode())
    assert write(page, [fixed("a", "A")]) == []
    assert with_markers(sorted(tmp_path.glob("*.md"))) == []


def test_a_line_that_only_looks_like_a_fence_hides_no_marker(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```inline``` code\n<!-- table: a -->\n<!-- end: a -->\n", encoding="utf-8")
    assert write(page, [fixed("a", "A")]) == ["a"]


@pytest.mark.parametrize(
    "line",
    [
        "<!-- table: -->",
        "<!-- table: a b -->",
        "<!-- Table: a -->",
        "<!-- table: a --> more",
        "more <!-- table: a -->",
        "> <!-- end: a -->",
    ],
)
def test_what_is_almost_a_marker_is_told(tmp_path: Path, line: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"x\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"page.md:2: a table's marker stands alone on its line"):
        write(page, [fixed("a", "A")])


def test_a_mark_of_byte_order_and_a_missing_last_line_end_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes("\ufeff<!-- table: a -->\n<!-- end: a -->".encode())
    assert write(page, [fixed("a", "| A |")]) == ["a"]
    assert page.read_bytes() == "\ufeff<!-- table: a -->\n\n| A |\n\n<!-- end: a -->".encode()


def test_other_lines_keep_their_ends_where_a_page_mixes_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(b"one\ntwo\r\n<!-- table: a -->\r\n<!-- end: a -->\r\nthree\n")
    assert write(page, [fixed("a", "A")]) == ["a"]
    assert page.read_bytes() == b"one\ntwo\r\n<!-- table: a -->\r\n\r\nA\r\n\r\n<!-- end: a -->\r\nthree\n"
    assert write(page, [fixed("a", "A")]) == []


def test_all_pages_are_written_or_none(tmp_path: Path) -> None:
    pages = [tmp_path / "a.md", tmp_path / "folder" / "b.md"]
    pages[1].parent.mkdir()
    for page in pages:
        page.write_text("<!-- table: a -->\n<!-- end: a -->\n", encoding="utf-8")
    (tmp_path / "folder" / "b.md.partial").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - its words are the system's
        write_pages(pages, [fixed("a", "A")])
    assert {page.read_text(encoding="utf-8") for page in pages} == {"<!-- table: a -->\n<!-- end: a -->\n"}
    assert not (tmp_path / "a.md.partial").exists()
