"""What a table is and what its headers mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from harness.lint.linter import lint_pages
from harness.lint.rules.registry import RULES
from harness.lint.tables import LintTable, page_of
from tests.unit.lint.linting import found, table

GROUPED = """\
| | | BF16 (8B:TP1) | | FP8 | |
|:-:|:-:|:-:|:-:|:-:|:-:|
| Model | Batch Size | Tokens/sec | | Tokens/sec | Speedup |
| A-8B | 1 | 10.00 | | 15.00 | 1.50x |
| | 8 | 80.00 | | 100.00 | 1.25x |
"""


def only(text: str) -> LintTable:
    (one,) = page_of(text).tables
    return one


def titles(one: LintTable) -> list[str]:
    return [column.title for column in one.columns]


def test_group_headers_spread_over_their_columns_up_to_a_spacer() -> None:
    one = only(GROUPED)
    expected = ["Model", "Batch Size", "BF16 (8B:TP1) Tokens/sec", "column 4", "FP8 Tokens/sec", "FP8 Speedup"]
    assert titles(one) == expected
    assert [column.spacer for column in one.columns] == [False, False, False, True, False, False]
    assert [(row.number, row.line) for row in one.rows] == [(1, 4), (2, 5)]


def test_group_headers_without_spacers_spread_to_the_right() -> None:
    head = "| Model | New | | Old | |\n|---|---|---|---|---|\n| Name | Tokens/s | Loss | Tokens/s | Loss |\n"
    one = only(head + "| A | 1 | 2 | 3 | 4 |\n| B | 1 | 2 | 3 | 4 |\n")
    assert titles(one) == ["Name", "New Tokens/s", "New Loss", "Old Tokens/s", "Old Loss"]


def test_a_blank_key_repeats_the_one_above() -> None:
    assert [row.keys[0] for row in only(GROUPED).rows] == ["A-8B", "A-8B"]


def test_bold_headers_below_an_empty_header_row_are_the_headers() -> None:
    one = only("| | |\n|:--|:--|\n| **Model** | **Speedup** |\n|[A](https://a.b) | 2.44x |\n| B | 1.5x |\n")
    assert titles(one) == ["Model", "Speedup"]
    assert [row.keys[0] for row in one.rows] == ["A", "B"]
    assert one.columns[1].meaning.kind == "derived"


def test_a_first_row_of_words_below_full_headers_is_a_row() -> None:
    assert len(only(table("A/B", "x/y", "1/2")).rows) == 2


def test_version_labels_are_read_from_sub() -> None:
    one = only("| | Throughput <sub>v0.45.0</sub> |\n|---|---|\n| A | 1.0 |\n")
    assert one.columns[1].labels == ("v0.45.0",)
    assert titles(one) == ["column 1", "Throughput v0.45.0"]


def test_tables_in_details_are_read_with_their_summary_and_headings() -> None:
    text = "# GPU\n\nSaid before.\n<details>\n<summary>Model A</summary>\n\n| M | Loss |\n|---|---|\n| A | 1.0 |\n</details>\n"
    one = only(text)
    assert one.headings == ("GPU",)
    assert "Model A" in one.prose
    assert "Said before." in one.prose
    assert len(one.rows) == 1


def test_tables_in_code_are_no_tables() -> None:
    text = "```\n| A | B |\n|---|---|\n| 1 | 2 | 3 |\n```\n\n    | A | B |\n    |---|---|\n    | 1 |\n"
    assert page_of(text).tables == ()
    assert found(text) == []


def test_escaped_pipes_stay_in_their_cell() -> None:
    one = only("| A | B |\n|---|---|\n| x \\| y | 1 |\n")
    assert one.rows[0].cells[0].text == "x | y"
    assert one.rows[0].written == 2


def test_windows_line_ends_change_nothing() -> None:
    one, other = only(GROUPED), only(GROUPED.replace("\n", "\r\n"))
    assert (one.columns, one.rows) == (other.columns, other.rows)


def test_tables_in_lists_and_quotations_are_counted_without_what_stands_before_them() -> None:
    quoted = "> | A | Loss |\n> |---|---|\n> | x | 1.0 |\n\n- | A | Loss |\n  |---|---|\n  | x | 1.0 |\n"
    assert [len(one.rows) for one in page_of(quoted).tables] == [1, 1]
    assert found(quoted) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("| A | B |\n|---|---|\n| 1 | 2 | 3 |\n", "3 cells where the header has 2"),
        ("| A | B | C |\n|---|---|---|\n| 1 | 2 |\n", "2 cells where the header has 3"),
        ("| A | B |\n|---|---|\n| 1 | 2 |\nand text\n", "1 cell where the header has 2"),
        ("| A | B |\n| 1 | 2 |\n| 3 | 4 |\n", "the alignment row (| --- | --- |) is missing"),
        ("| A | B |\n|---|---|---|\n| 1 | 2 |\n", "the header row has 2 cells, the alignment row 3"),
        ("* item\n| A | B |\n|---|---|\n| 1 | 2 |\n", "runs on from the list or quotation above"),
        ("<details>\n| A | B |\n|---|---|\n| 1 | 2 |\n</details>\n", "inside an HTML block"),
        ("| A | B |\n|---|---|\n", "a header and no rows"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_a_finding(text: str, says: str) -> None:
    (one,) = found(text)
    assert one.rule == "malformed-table"
    assert says in one.message


def test_a_comment_with_a_table_in_it_is_left_alone() -> None:
    assert found("<!--\n| A | B |\n|---|---|\n| 1 |\n-->\n") == []


CELLS = some.text("|-: \n`*_<>\\/1.5x%,()&[]#vTokens", max_size=200)


@settings(max_examples=150, deadline=None)
@given(some.lists(CELLS, max_size=4))
def test_no_text_makes_the_linter_fail(parts: list[str]) -> None:
    text = "\n".join(["| Batch Size | Tokens/s | Latency (s) | Speedup |", "|---|---|---|---|", *parts])
    lint_pages([page_of(text)], list(RULES.values()))
