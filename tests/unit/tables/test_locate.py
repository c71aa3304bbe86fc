"""From a page's line and column, or from names, to a cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.tables.locate import (
    Beside,
    Spot,
    bare,
    block_at,
    cell_lines,
    column_names,
    named,
    pointed,
    row_names,
)
from harness.tables.markdown import Rendered, to_markdown
from harness.tables.result import Cell, Section, Table, TableColumn

PAGE = Path("page.md")


def section(
    headings: tuple[str, ...], *rows: tuple[str, ...], columns: tuple[str, ...] = ("Method", "Batch", "TPS")
) -> Section:
    cells = tuple(tuple(Cell(text) for text in row) for row in rows)
    return Section(headings, tuple(TableColumn(name) for name in columns), cells)


def rendered(*sections: Section, keys: int = 2, notes: tuple[str, ...] = (), template: str = "table") -> Rendered:
    table = Table("t", "", template, sections, ("Configuration: a machine.",), notes)
    made = to_markdown(table)
    return Rendered(made.name, made.markdown, made.table, (), keys)


FLAT = rendered(section((), ("FP32", "1", "10"), ("FP32", "8", "70"), ("INT8", "1", "20")), notes=("a note",))
FOLDED = rendered(
    section(("A100", "Llama"), ("FP32", "1", "10"), ("FP32", "8", "70")),
    section(("A100", "Qwen"), ("FP32", "1", "11"), ("FP32", "8", "71")),
    section(("H100", "Llama"), ("FP32", "1", "10"), ("FP32", "8", "70")),
    template="details",
)


def page(table: Rendered, end: str = "\n") -> str:
    lines = ["# Page", "", "<!-- table: t -->", "", *table.markdown.split("\n"), "", "<!-- end: t -->", "", "prose", ""]
    return end.join(lines)


def line_of(text: str, part: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(text.split("\n"), start=1) if part in line][nth]


def at(text: str, table: Rendered, part: str, column: int = 1, nth: int = 0) -> Spot | Beside:
    return pointed(text, PAGE, line_of(text, part, nth), column, table)


# ---------------------------------------------------------------- by line


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_and_a_column_are_a_cell(end: str) -> None:
    text = page(FLAT, end)
    assert at(text, FLAT, "| INT8 |", 3) == Spot(0, 2, 2)
    assert at(text, FLAT, "| Method |", 2) == Spot(0, None, 1)


def test_equal_sections_are_told_apart_by_their_place() -> None:
    text = page(FOLDED)
    assert at(text, FOLDED, "| FP32 | 8 |", 3, nth=0) == Spot(0, 1, 2)
    assert at(text, FOLDED, "| FP32 | 8 |", 3, nth=2) == Spot(2, 1, 2)
    assert len(cell_lines(FOLDED)) == 12


@pytest.mark.parametrize(
    ("slice", "said"),
    [
        ("| ---: |", "the alignment row"),
        ("Configuration:", "a line of the caption"),
        ("<sup>1</sup>", "footnote 1"),
        ("<!-- table: t -->", "a marker of table 't'"),
    ],
)
def test_a_line_without_cells_says_what_it_is(part: str, said: str) -> None:
    found = at(page(FLAT), FLAT, part)
    assert isinstance(found, Beside)
    assert found.said.startswith(said)


def test_headings_and_folds_are_headings() -> None:
    for part in ("#### A100", "<summary>Llama", "</details>"):
        found = at(page(FOLDED), FOLDED, part)
        assert isinstance(found, Beside)
        assert found.said.startswith("a heading")


def test_a_stale_page_is_refused() -> None:
    text = page(FLAT).replace("| 20 |", "| 21 |")
    with pytest.raises(ConfigError, match=r"page.md:3: table 't' is out of date; run `harness report --write`"):
        at(text, FLAT, "| INT8 |", 3)


def test_a_line_outside_of_tables_lists_those_there_are() -> None:
    text = page(FLAT)
    with pytest.raises(HarnessError, match=r"page.md:1: this line is in no table; the page shows t in lines 3 to 14"):
        block_at(text, PAGE, 1)
    with pytest.raises(HarnessError, match="the page shows none"):
        block_at("words\n", PAGE, 1)
    with pytest.raises(HarnessError, match="the page has lines 1 to 16"):
        block_at(text, PAGE, 17)


def test_a_column_that_is_not_there_is_refused() -> None:
    for column in (0, 4):
        with pytest.raises(HarnessError, match="this row has cells 1 to 3"):
            at(page(FLAT), FLAT, "| INT8 |", column)


def test_a_name_with_a_pipe_is_one_cell() -> None:
    odd = rendered(section((), ("a|b", "1", "10")))
    assert at(page(odd), odd, "a\\|b", 3) == Spot(0, 0, 2)


# ---------------------------------------------------------------- by name


@pytest.mark.parametrize(
    ("row", "column", "spot"),
    [
        ("INT8 / 1", "TPS", Spot(0, 2, 2)),
        ("int8", "tps", Spot(0, 2, 2)),
        ("3", "3", Spot(0, 2, 2)),
        ("FP32 / 8", "TPS", Spot(0, 1, 2)),
    ],
)
def test_a_cell_is_found_by_names_or_numbers(row: str, column: str, spot: Spot) -> None:
    assert named(FLAT, row, column) == spot


def test_headings_can_be_part_of_a_row() -> None:
    assert named(FOLDED, "A100 / Qwen / FP32 / 8", "TPS") == Spot(1, 1, 2)
    assert named(FOLDED, "Qwen / 8", "TPS") == Spot(1, 1, 2)
    assert named(FOLDED, "H100 / 1", "TPS") == Spot(2, 0, 2)
    assert named(FOLDED, "6", "TPS") == Spot(2, 1, 2)


def test_a_row_that_several_meet_lists_them() -> None:
    with pytest.raises(
        HarnessError, match=re.escape("2 rows are called 'FP32': 1: FP32 / 1; 2: FP32 / 8; give the number")
    ):
        named(FLAT, "FP32", "TPS")
    with pytest.raises(HarnessError, match=r"2 rows are called 'Llama / 8': 2: A100 / Llama / FP32 / 8; 6: H100"):
        named(FOLDED, "Llama / 8", "TPS")


def test_what_is_not_there_names_the_nearest() -> None:
    with pytest.raises(HarnessError, match=r"unknown row 'int 8'; did you mean 'INT8'\?"):
        named(FLAT, "int 8", "TPS")
    with pytest.raises(HarnessError, match=r"unknown column 'TSP'; did you mean 'TPS'\?"):
        named(FLAT, "1", "TSP")
    with pytest.raises(HarnessError, match="there is no row 9; the table has rows 1 to 3"):
        named(FLAT, "9", "TPS")
    with pytest.raises(HarnessError, match="there is no column 4; the table has columns 1 to 3"):
        named(FLAT, "1", "4")
    with pytest.raises(HarnessError, match=re.escape("unknown row 'zzzzzz'; there is FP32 / 1; FP32 / 8; INT8 / 1")):
        named(FLAT, "zzzzzz", "1")


def test_a_number_is_a_name_where_one_row_has_it() -> None:
    batches = rendered(section((), ("8", "70"), ("32", "90"), ("1", "10"), columns=("Batch", "TPS")), keys=1)
    assert named(batches, "8", "TPS") == Spot(0, 0, 1)
    assert named(batches, "1", "TPS") == Spot(0, 2, 1)
    assert named(batches, "2", "TPS") == Spot(0, 1, 1)


def test_a_blank_key_repeats_the_one_above() -> None:
    blank = section((), ("FP32", "1", "10"), ("", "8", "70"), ("INT8", "8", "20"), ("", "", "21"))
    assert row_names(blank, 2) == [("FP32", "1"), ("FP32", "8"), ("INT8", "8"), ("INT8", "8")]


def test_columns_of_a_group_carry_its_name() -> None:
    grouped = Section(
        (),
        tuple(TableColumn(text) for text in ("", "", "FP8", "", "", "<sub>INT4</sub>", "")),
        (
            tuple(Cell(text) for text in ("Model", "Batch", "TPS", "Speedup", "", "TPS", "Speedup")),
            tuple(Cell(text) for text in ("m", "1", "10", "2x", "", "20", "3x")),
        ),
        head_rows=1,
    )
    names = [("Model",), ("Batch",), ("FP8", "TPS"), ("FP8", "Speedup"), (), ("INT4", "TPS"), ("INT4", "Speedup")]
    assert column_names(grouped, 2) == names
    table = rendered(grouped)
    assert named(table, "m", "INT4 / TPS") == Spot(0, 1, 5)
    with pytest.raises(HarnessError, match="2 columns are called 'TPS'"):
        named(table, "m", "TPS")


def test_a_heading_is_read_without_tags() -> None:
    assert bare("**Mean** <sub>v0.45</sub>") == "Mean v0.45"
