"""An old page against a new rendering: rows by name, numbers by column."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.pages.changes import compare_tables
from harness.pages.readback import grids, lines_of, number, number_text, plain, shown
from harness.tables.markdown import EMPTY, Rendered
from harness.tables.result import Cell, Section, Table, TableColumn
from tests.unit.pages.old_page import OLD, rendered


def told(old: str, new: str, keys: int = 2) -> list[tuple[str, str, str, str]]:
    changes = compare_tables(old, rendered(new, keys)).changes
    return [(change.row.label, change.heading, change.old, change.new) for change in changes]


def gone(old: str, new: str, keys: int = 2) -> list[tuple[str, str]]:
    return [(item.what, item.label) for item in compare_tables(old, rendered(new, keys)).gone]


def test_a_table_is_the_same_as_itself_whatever_its_line_ends_padding_and_notes() -> None:
    found = compare_tables(OLD, rendered(OLD))
    assert (found.gone, found.came, found.changes, found.cells) == ((), (), (), 8)
    padded = OLD.replace("\n", "\r\n").replace("| FP16 |", "|FP16      |").replace("<sup>1</sup>", "<sup>12</sup>")
    assert told(padded.replace("**2,000**", "2,000").replace("[Llama](https://example.org)", "Llama"), OLD) == []


def test_a_changed_cell_is_named_by_its_row_and_column() -> None:
    new = OLD.replace("**2,000**", "2,100").replace("oom <sup>1</sup>", "85")
    assert told(OLD, new) == [
        ("Llama / INT4", "Decode", "2,000", "2,100"),
        ("Phi / FP16", "Decode", "oom", "85"),
    ]


def test_rows_may_move_and_columns_too() -> None:
    lines = OLD.splitlines()
    moved_rows = "\n".join([*lines[:2], "| Phi | FP16 | oom | - |", lines[5], *lines[2:4]])
    assert told(OLD, moved_rows) == []
    turned = "| Model | Method | Speed-up | Decode |\n|---|---|---|---|\n| Llama | FP16 | 1.00x | 999 |\n"
    assert told(OLD, turned) == [("Llama / FP16", "Decode", "1,000 ± 3", "999")]


def test_rows_that_vanish_are_named_with_the_keys_that_were_left_blank() -> None:
    new = "\n".join(line for line in OLD.splitlines() if "90" not in line)
    assert gone(OLD, new) == [("row", "Phi / INT4")]
    assert [name.label for name in compare_tables(new, rendered(OLD)).came] == ["Phi / INT4"]


def test_a_row_that_has_the_cells_of_one_that_is_gone_was_renamed() -> None:
    old = "| A | B |\n|---|---|\n| Average | 5 |\n| x | 6 |\n"
    new = old.replace("Average", "Mean")
    assert compare_tables(old, rendered(new, 1)).renamed == {"Average": "Mean"}
    assert compare_tables(old, rendered(new.replace("5", "7"), 1)).renamed == {}
    twice = old + "| Middle | 5 |\n"
    assert compare_tables(twice, rendered(new, 1)).renamed == {}, "two could be meant"


def test_a_number_may_be_a_key() -> None:
    old = "| Batch | Tokens |\n|---|---|\n| 1 | 5 |\n| 8 | 6 |\n"
    assert gone(old, old.replace("| 8 |", "| 16 |"), keys=1) == [("row", "8")]


def test_rows_of_one_name_are_counted() -> None:
    old = "| A | B |\n|---|---|\n| x | 1 |\n| x | 2 |\n"
    assert gone(old, "| A | B |\n|---|---|\n| x | 1 |\n", keys=1) == [("row", "x #2")]


def test_a_key_that_is_really_empty_does_not_borrow_from_the_row_above() -> None:
    old = "| A | B | C |\n|---|---|---|\n| x | per group | 1 |\n| y |  | 2 |\n"
    turned = "| A | B | C |\n|---|---|---|\n| y |  | 2 |\n| x | per group | 1 |\n"
    assert gone(old, turned) == []


def test_columns_that_vanish_are_told_and_spacers_are_not() -> None:
    old = "| A | B |  | C |\n|---|---|---|---|\n| x | 1 |  | 2 |\n"
    assert gone(old, "| A | B |\n|---|---|\n| x | 1 |\n", keys=1) == [("column", "C")]


def test_a_table_without_rows_now_has_vanished() -> None:
    assert gone(OLD, EMPTY) == [("table", "")]
    assert gone(EMPTY, OLD) == []
    assert len(compare_tables(EMPTY, rendered(OLD)).came) == 4


SECTIONS = """\
#### T4

<details><summary>a|b &amp; c</summary>

| Method | Decode |
| --- | --- |
| int4 | 1 |

</details>

<details><summary>d</summary>

| Method | Decode |
| --- | --- |
| int4 | 2 |

</details>

#### H200

<details><summary>d</summary>

| Method | Decode |
| --- | --- |
| int4 | 3 |

</details>
"""


def test_rows_of_sections_carry_their_headings() -> None:
    assert [name.label for name in lines_of(grids(SECTIONS), 1)] == [
        "T4 / a|b & c / int4", "T4 / d / int4", "H200 / d / int4",
    ]  # fmt: skip
    assert gone(SECTIONS, SECTIONS.replace("#### H200", "#### B300"), 1) == [("row", "H200 / d / int4")]
    assert told(SECTIONS, SECTIONS.replace("| 3 |", "| 4 |"), 1) == [("H200 / d / int4", "Decode", "3", "4")]


def test_headings_of_different_depth_are_kept_apart() -> None:
    one = "| A | B |\n|---|---|\n| x | 1 |\n"
    found = lines_of(grids(f"### T\n#### U\n{one}\n### V\n{one}"), 1)
    assert [name.headings for name in found] == [("T", "U"), ("V",)]


def test_a_heading_that_stands_in_the_body_names_the_columns() -> None:
    text = "|  |  |\n|---|---|\n| **Model** | **Saving** |\n| a | 2.0x |\n"
    rows = ((Cell("Model"), Cell("Saving")), (Cell("a"), Cell("2.0x")))
    table = Table("t", "", "table", (Section((), (TableColumn(""), TableColumn("")), rows, head_rows=1),), (), ())
    new = Rendered("t", text, table, keys=1)
    assert [change.heading for change in compare_tables(text.replace("2.0x", "3.0x"), new).changes] == ["Saving"]


def test_cells_are_split_at_pipes_without_a_backslash_before_them_as_markdown_does() -> None:
    (grid,) = grids("| A | B |\n|---|---|\n|a\\|b \\\\ | `c` |\n")
    assert grid.rows == ((r"a\|b \\", "`c`"),)
    assert shown(grid.rows[0][0]) == "a|b \\"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("**1.0**", "1.0"), ("[a](http://x)", "a"), ("**[a](http://x)**", "a"), ("oom <sup>1</sup>", "oom"),
        (r"[a\]b](http://x)", r"a\]b"), ("x <sub>v1</sub>", "x <sub>v1</sub>"), ("****", "****"),
    ],
)  # fmt: skip
def test_decoration_is_not_compared(cell: str, text: str) -> None:
    assert plain(cell) == text


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("1,234.50 ± 3", "1234.50", "1,234.50"), ("2.70x", "2.70", "2.70x"), ("-1.5% (lower is better)", "-1.5", "-1.5%"),
        ("+0.3 [-1, 2]", "0.3", "+0.3"), ("1.5e-07", "1.5e-07", "1.5e-07"), ("\u22121.2", "-1.2", "\u22121.2"),
        ("$0.52 ± 0.01", "0.52", "$0.52"), ("-US$1,204.50", "-1204.50", "-US$1,204.50"), ("101s", "101", "101"), ("14.5GB", "14.5", "14.5"),
        ("7B", None, ""), ("4bit", None, ""),
        ("N/A", None, ""), ("-", None, ""), ("4-bit", None, ""), ("2.1.0", None, ""), ("int4", None, ""), ("1,23", None, ""),
    ],
)  # fmt: skip
def test_numbers_are_read_as_tables_write_them(text: str, value: str | None, written: str) -> None:
    assert number(text) == (None if value is None else Decimal(value))
    assert number_text(text) == written
