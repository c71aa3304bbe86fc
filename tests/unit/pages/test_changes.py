"""An old page against a new rendering: rows by name, numbers by column, what is refused and what is noise."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.metric import Direction
from harness.pages.changes import compare_tables, share_of
from harness.pages.difference import moved
from harness.pages.guards import Guard, refused
from harness.pages.history import Sessions
from harness.pages.noise import (
    SAME,
    CellInterval,
    ChangeVerdict,
    Evidence,
    between_sessions,
    causes,
    interval,
    noise,
    way,
)
from harness.pages.readback import grids, lines_of, number, number_text, plain, shown
from harness.tables.compare import COMPARISONS, better_way
from harness.tables.markdown import EMPTY, Rendered
from harness.tables.result import Cell, CellTrace, Section, Table, TableColumn
from harness.tables.rows import TableRow

OLD = """\
| Model | Method | Decode | Speed-up |
| :--- | :--- | ---: | ---: |
| [Llama](https://example.org) | FP16 | 1,000 ± 3 | 1.00x |
|  | INT4 | **2,000** | 2.00x |
| Phi | FP16 | oom <sup>1</sup> | - |
|  | INT4 | 90 | 0.0% |

- <sup>1</sup> killed
"""


def rendered(markdown: str, keys: int = 2, name: str = "t") -> Rendered:
    return Rendered(name, markdown, Table(name, "", "table", (), (), ()), keys=keys)


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


# ---------------------------------------------------------------- guards


def refusals(new: str, guard: Guard, folder: Path) -> list[str]:
    page = f"# Page\n<!-- table: t -->\n{OLD}<!-- end: t -->\n"
    return [str(problem) for problem in refused({folder / "README.md": page}, [rendered(new)], guard)]


def test_a_vanishing_row_is_refused_until_it_is_named(tmp_path: Path) -> None:
    new = OLD.replace("|  | INT4 | 90 | 0.0% |\n", "")
    (message,) = refusals(new, Guard(), tmp_path)
    assert message.endswith(
        "README.md:2: table 't' would lose its row 'Phi / INT4'; restore its results, or allow it with --allow-missing 't:Phi / INT4'"
    )
    assert refusals(new, Guard(frozenset({"t:Phi / INT4"})), tmp_path) == []
    assert refusals(new, Guard(frozenset({"t"})), tmp_path) == []
    assert refusals(new, Guard(frozenset({"t:Phi / INT8"})), tmp_path) == [message]


def test_a_vanishing_table_is_refused_once(tmp_path: Path) -> None:
    (message,) = refusals(EMPTY, Guard(), tmp_path)
    assert "table 't' would lose all its rows" in message
    assert refusals(EMPTY, Guard(frozenset({"t"})), tmp_path) == []


def test_a_permission_for_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="--allow-missing tt:x: unknown table 'tt'; did you mean 't'"):
        refusals(OLD, Guard(frozenset({"tt:x"})), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        ("**2,000**", "2,101", "+5.0%"),
        ("**2,000**", "1,899", "-5.0%"),
        ("| 90 |", "| oom |", "no number any more"),
        ("0.0%", "0.1%", "from zero"),
    ],
)
def test_a_number_that_moves_too_far_is_refused_until_it_is_accepted(
    tmp_path: Path, old: str, new: str, by: str
) -> None:
    text, most = OLD.replace(old, new), share_of("5%")
    (message,) = refusals(text, Guard(most=most), tmp_path)
    assert by in message
    assert "beyond 5%; look at it, then write with --accept" in message
    assert refusals(text, Guard(most=most, accept=True), tmp_path) == []
    assert refusals(text, Guard(), tmp_path) == []


@pytest.mark.parametrize(("old", "new"), [("**2,000**", "2,100"), ("**2,000**", "1,900"), ("oom <sup>1</sup>", "85")])
def test_a_number_within_the_limit_and_a_new_one_pass(tmp_path: Path, old: str, new: str) -> None:
    assert refusals(OLD.replace(old, new), Guard(most=share_of("5%")), tmp_path) == []


@pytest.mark.parametrize("text", ["5", "0.05", "five", "-5%", ""])
def test_a_limit_is_a_share_in_percent(text: str) -> None:
    with pytest.raises(HarnessError, match=r"not a percentage; write e\.g\. 5%"):
        share_of(text)


# ---------------------------------------------------------------- noise


@pytest.mark.parametrize(
    ("new", "verdict"), [((103, 100, 106), "inside"), ((105, 102, 108), "inside"), ((106, 103, 109), "outside")]
)
def test_noise_is_the_root_of_the_sum_of_squares_of_the_half_widths(new: tuple[int, ...], verdict: str) -> None:
    old = CellInterval(Decimal(100), Decimal(96), Decimal(104))
    assert noise(old, CellInterval(*(Decimal(value) for value in new))) == verdict
    assert noise(old, None) == noise(None, old) == "unknown"


@pytest.mark.parametrize(("new", "verdict"), [(104, "inside"), (120, "outside"), (83, "outside")])
def test_a_mean_over_rounds_is_judged_by_the_spread_between_sessions(new: int, verdict: str) -> None:
    old, now = (Cell("x", trace=CellTrace("decode_tps", "value", "", "raw", (), Decimal(one))) for one in (100, new))
    known = (100.0, 103.0, 98.0, 101.0)
    assert between_sessions(old, now, Sessions((known,), log=True)) == (verdict, "")
    assert between_sessions(old, now, Sessions((known[:2],), log=True)) == ("unknown", "3 of 5 sessions")


def test_an_interval_is_that_of_the_arithmetic_behind_a_cell() -> None:
    low, value, high = Decimal("1.5"), Decimal("1.6"), Decimal("1.8")
    trace = CellTrace("decode_tps", "value", "", "raw", (), value, low=low, high=high)
    assert interval(Cell("1.6x", trace=trace)) == CellInterval(value, low, high)
    assert interval(Cell("1.6x", trace=replace(trace, low=None))) is None
    assert interval(Cell("oom")) is None


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("2,000", "2,100.5", "+100.5 (+5.0%)"), ("2.00x", "1.90x", "-0.10 (-5.0%)"), ("50.0%", "51.0%", "+1.0 points (+2.0%)"),
        ("0", "3", "+3 (from zero)"), ("oom", "3", "-"), ("1.0 ± 0.1", "1.0 ± 0.2", "0 (+0.0%)"),
    ],
)  # fmt: skip
def test_a_change_is_told_absolutely_and_as_a_share(old: str, new: str, text: str) -> None:
    one = "| A | B |\n|---|---|\n| x | {} |\n"
    (change,) = compare_tables(one.format(old), rendered(one.format(new), 1)).changes
    assert moved(change) == text


def test_another_job_is_not_the_same_measured_again() -> None:
    old, new = (
        Evidence(runs={run: TableRow({"run": run, "origin": "measured", "gpu": "X", "job_key": key})})
        for run, key in (("old", "a"), ("new", "b"))
    )
    assert causes(old, new, ["old"], ["new"]) == ["what was asked (settings, program, text or model)"]


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("measured", "measured again in the same environment"),
        ("reported", "the published number was edited"),
        ("imported", "the imported file changed"),
    ],
)
def test_a_number_whose_surroundings_stay_says_by_its_origin_how_it_changed(origin: str, said: str) -> None:
    old, new = (Evidence(runs={run: TableRow({"run": run, "origin": origin, "gpu": "X"})}) for run in ("old", "new"))
    assert causes(old, new, ["old"], ["new"]) == [said]
    assert causes(old, old, ["old"], ["old"]) == [SAME]


def test_only_runs_that_are_others_now_are_told_of() -> None:
    shared = TableRow({"run": "same", "origin": "measured"})
    old = Evidence(runs={"same": shared, "old": TableRow({"run": "old", "origin": "reported"})})
    new = Evidence(runs={"same": shared, "new": TableRow({"run": "new", "origin": "reported"})})
    assert causes(old, new, ["old", "same"], ["new", "same"]) == ["the published number was edited"]


@pytest.mark.parametrize(
    ("better", "new", "said"),
    [("higher", "2,100", "better"), ("higher", "1,900", "worse"), ("lower", "2,100", "worse"), ("none", "1", "")],
)
def test_the_direction_of_a_metric_says_what_is_worse(better: Direction, new: str, said: str) -> None:
    (change,) = compare_tables(OLD, rendered(OLD.replace("**2,000**", new))).changes
    assert way(change, Cell("x", better=better)) == said
    assert str(ChangeVerdict("outside", way(change, Cell("x", better=better)))) == "beyond noise" + (
        said and f", {said}"
    )


def test_comparisons_that_grow_where_the_metric_shrinks_turn_its_direction() -> None:
    assert [better_way(name, "lower") for name in COMPARISONS] == [
        "lower", "lower", "lower", "higher", "lower", "higher", "lower", "lower", "lower", "higher",
    ]  # fmt: skip
    assert list(COMPARISONS)[3] == "inverse_ratio"
