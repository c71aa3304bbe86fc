from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.markdown.blocks import Heading, HtmlBlock, MarkdownTable, Paragraph, bare, read_blocks

PAGE = """# Speed of *all*

Some <b>words</b>
and more.

<details><summary>a &amp; <i>b</i></summary>

| Model | Tokens | Both | |
|:---|---:|:-:|---|
| **[Toy](https://example.org)** | 1.5 <sub>v2</sub> | <b>x</b> c | |
| short |

</details>

```
| no | table |
|---|---|
```
"""


def table(text: str) -> MarkdownTable:
    (found,) = (block for block in read_blocks(text) if isinstance(block, MarkdownTable))
    return found


def test_a_page_is_its_blocks_in_order_with_their_lines() -> None:
    kinds = [(type(block).__name__, getattr(block, "line", None)) for block in read_blocks(PAGE)]
    assert kinds == [("Heading", 1), ("Paragraph", 3), ("HtmlBlock", 6), ("MarkdownTable", None), ("HtmlBlock", 13)]
    heading, paragraph, html, _, end = read_blocks(PAGE)
    assert isinstance(heading, Heading)
    assert (heading.level, heading.source, heading.text) == (1, "Speed of *all*", "Speed of all")
    assert isinstance(paragraph, Paragraph)
    assert [(line.number, line.text) for line in paragraph.lines] == [(3, "Some words"), (4, "and more.")]
    assert paragraph.source == ("Some <b>words</b>", "and more.")
    assert isinstance(html, HtmlBlock)
    assert isinstance(end, HtmlBlock)
    assert (html.summaries, html.ends_details) == (("a & b",), False)
    assert (end.summaries, end.ends_details) == ((), True)


def test_a_cell_is_given_as_it_is_written_and_as_it_is_read() -> None:
    found = table(PAGE)
    assert found.aligns == ("left", "right", "center", "none")
    assert [row.line for row in found.rows] == [8, 10, 11]
    first, second, third, _ = found.rows[1].cells
    assert (first.source, first.text, first.bold) == ("**[Toy](https://example.org)**", "Toy", True)
    assert (second.text, second.tagged, second.labels) == ("1.5 v2", "1.5 <sub>v2</sub>", ("v2",))
    assert (third.text, third.tagged, third.bold) == ("x c", "<b>x</b> c", False)


def test_a_pipe_in_code_ends_its_cell_and_an_escaped_one_does_not() -> None:
    found = table("| A | B |\n|---|---|\n| `c|d` | e\\|f |\n")
    assert found.rows[1].written == ("`c", "d`", "e\\|f")
    assert table("| A | B |\n|---|---|\n| a\\|b | c |\n").rows[1].cells[0].text == "a|b"


def test_a_short_row_has_a_cell_for_each_column_and_says_what_was_written() -> None:
    row = table(PAGE).rows[2]
    assert [cell.text for cell in row.cells] == ["short", "", "", ""]
    assert [cell.source for cell in row.cells] == ["short", "", "", ""]
    assert row.written == ("short",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_mark_of_byte_order_change_nothing(end: str, mark: str) -> None:
    assert read_blocks(mark + PAGE.replace("\n", end)) == read_blocks(PAGE)


def test_a_table_in_a_list_or_a_quotation_is_read_without_what_stands_before_it() -> None:
    found = table("> - | A | B |\n>   |---|---|\n>   | 1 | 2 |\n")
    assert found.nested
    assert [row.written for row in found.rows] == [("A", "B"), ("1", "2")]
    assert not table("| A |\n|---|\n").nested


def test_a_link_to_an_address_elsewhere_in_the_page_is_read_as_its_text() -> None:
    assert table("| A |\n|---|\n| [toy][1] |\n\n[1]: https://example.org\n").rows[1].cells[0].text == "toy"


def test_tags_are_left_off_and_comparisons_are_not() -> None:
    assert bare("a<br>b  <i>c</i> 1 < 2 > 0") == "a b c 1 < 2 > 0"


@given(st.lists(st.sampled_from(["|", "\\", "a", "\n", "-", ":", " ", "`", "<", ">", "#", "\r", "<summary>", "</details>", "\x00", "* ", "~~~"]), max_size=60))  # fmt: skip
def test_no_text_makes_reading_fail_and_every_line_is_one_of_the_page(parts: list[str]) -> None:
    text = "".join(parts)
    count = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for block in read_blocks(text):
        lines = [row.line for row in block.rows] if isinstance(block, MarkdownTable) else [block.line]
        assert all(1 <= line <= count for line in lines)
        if isinstance(block, MarkdownTable):
            assert {len(row.cells) for row in block.rows} == {len(block.aligns)}
