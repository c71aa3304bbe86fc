from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.markdown.blocks import MarkdownTable, read_blocks
from harness.markdown.rows import is_rule, literal, markup, raw_cells, row_cells, table_lines, unaddressed


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("| a | b |", ("a", "b")), ("a|b", ("a", "b")), ("||", ("",)), ("| a\\|b |", ("a\\|b",)), ("| a \\\\| b |", ("a \\\\| b",)),
        ("|  a   b | |", ("a b", "")), ("|", ()), ("", ()),
    ],
)  # fmt: skip
def test_a_row_is_split_at_its_pipes(line: str, cells: tuple[str, ...]) -> None:
    assert row_cells(line) == cells


def test_spaces_around_a_cell_are_kept_where_widths_are_asked_for() -> None:
    assert raw_cells("|  a | b  |") == ["  a ", " b  "]


@pytest.mark.parametrize(("line", "said"), [("|:--|-:|", True), ("| a |", False), ("", False), ("| --- | |", False)])
def test_an_alignment_row_is_told_by_its_cells(line: str, said: bool) -> None:
    assert is_rule(row_cells(line)) is said


def test_a_table_is_written_in_one_way() -> None:
    assert table_lines(["A", "B", "C", "D"], ["left", "right", "center", "none"], [["1", "2", "3", "4"]]) == [
        "| A | B | C | D |", "| :--- | ---: | :---: | --- |", "| 1 | 2 | 3 | 4 |",
    ]  # fmt: skip


@given(
    st.lists(
        st.text(st.sampled_from("a |\\`*_[]~$#<>&\n\"'!"), min_size=1, max_size=12).filter(lambda text: text.strip()),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_names_a_table_is_written_of_are_read_back(names: list[str]) -> None:
    text = "\n".join(table_lines(["x"] * len(names), ["none"] * len(names), [[literal(name) for name in names]]))
    (table,) = read_blocks(text)
    assert isinstance(table, MarkdownTable)
    assert [cell.text for cell in table.rows[1].cells] == [" ".join(name.split()) for name in names]


def test_markup_escapes_the_pipes_that_are_not_yet() -> None:
    assert markup("a|b \\| <b>c</b>\nd") == "a\\|b \\| <b>c</b> d"


@pytest.mark.parametrize(("text", "said"), [
    ("@ada and @org/team", "@&#8203;ada and @&#8203;org/team"), ("#12 of a/b#3", "#&#8203;12 of a/b#&#8203;3"), ("gh-4", "gh-&#8203;4"),
    ("# Head", "# Head"), ("## 2 heads @ 5", "## 2 heads @ 5"), ("&#8203;", "&#8203;"), ("gh-pages", "gh-pages"), ("0.18.0@1a2b, a@b.org", "0.18.0@1a2b, a@b.org"),
])  # fmt: skip
def test_nobody_is_called_and_no_issue_linked(text: str, said: str) -> None:
    assert unaddressed(text) == said
    assert unaddressed(said) == said, "once is enough"
