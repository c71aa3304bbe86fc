"""Tables that cannot be adopted: each is told in plain words with its place, and nothing is changed."""

from __future__ import annotations

import pytest

from harness.adopting.adopt import WantedTables
from harness.commands.adopt import adopt_page
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from tests.unit.adopting.conftest import Take, files_of

GOOD = "| Method | PPL |\n|---|---|\n| FP16 | 5.47 |\n| INT4 | 5.60 |\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("| Method | PPL | PPL |\n|---|---|---|\n| FP16 | 5.4 | 5.5 |\n", "columns 2 and 3 are both called 'PPL'; rename one"),
        ("| Method | PPL |\n|---|---|\n| FP16 | 5.4 | 5.5 |\n", "row 1 has 3 cells and the heading 2; give it as many"),
        ("| Method | PPL |\n|---|---|\n| FP16 | 5.4 |\n| INT4 |\n", "row 2 has 1 cells and the heading 2; give it as many"),
        ("| Method | PPL |\n|---|---|\n", "it has no rows"),
        (
            "|  | FP8 |  | INT4 AWQ |\n|---|---|---|---|\n| Model | TTFT (ms) |  | TTFT (s) |\n| a | 12.5 |  | 0.01 |\n| b | 13.5 |  | 0.02 |\n",
            "columns 'FP8 / TTFT (ms)' and 'INT4 AWQ / TTFT (s)' are both ttft, in 'ms' and in 's'; write them in one unit",
        ),
        (
            "| Method | PPL |\n|---|---|\n| FP16 | 5.4 |\n| FP16 | 5.5 |\n",
            "rows 1 and 2 are both 'FP16', and no other column tells them apart; name one otherwise",
        ),
        (
            "| Method | PPL |\n|---|---|\n| FP16 <!-- old --> | 5.4 |\n",
            "row 1, column 1 holds the HTML '<!--', which a cell cannot carry; write it in Markdown",
        ),
        (
            '| Method | PPL |\n|---|---|\n| FP16 | <td colspan="2">5.4</td> |\n',
            "row 1, column 2 holds the HTML '<td', which a cell cannot carry; write it in Markdown",
        ),
        ("| Argument | Meaning |\n|---|---|\n| --fast | be fast |\n", "it has no column of numbers; --table 1 takes its words"),
        (f"- item\n\n{GOOD.replace('| ', '  | ').replace('|-', '  |-')}", "it stands in a list or a quotation"),
        ("> " + GOOD.replace("\n|", "\n> |"), "it stands in a list or a quotation"),
        (f"<!-- table: x -->\n\n{GOOD}\n<!-- end: x -->\n", "it stands between the markers of table 'x' already"),
        (
            "| Model | Batch | PPL |\n|---|---|---|\n| m | 1 | 5.4 |\n|  | 2 | 5.5 |\n| m | 3 | 5.6 |\n",
            "row 3, column 1: the page says 'm', and '' would be written",
        ),
    ],
)  # fmt: skip
def test_it_is_said_where_and_why(take: Take, table: str, said: str) -> None:
    done = take(table)
    assert done.made is None
    (refused,) = done.refused
    assert said in refused.why


def test_nothing_is_changed_where_no_table_can_be_adopted(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    page.write_text("| Method | PPL |\n|---|---|\n| FP16 | 5.4 | 5.5 |\n", "utf-8")
    before = files_of(theirs.root)
    with pytest.raises(HarnessError, match=r"table 1 cannot be adopted: row 1 has 3 cells .* nothing was changed"):
        list(adopt_page(page, theirs, WantedTables()))
    assert files_of(theirs.root) == before


def test_of_several_tables_those_that_can_be_are_adopted_and_the_others_named(take: Take) -> None:
    done = take(f"{GOOD}\n## Bad\n\n| Method | PPL |\n|---|---|\n\n<table><tr><td rowspan=2>x</td></tr></table>\n")
    assert [one.name for one in done.tables] == ["page-1"]
    assert [(one.table.number, one.why) for one in done.refused] == [(2, "it has no rows")]
    assert done.page.html == ((11, True),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No table here.\n", "page.md has no Markdown table"),
        ("<table><tr><td colspan=2>5</td></tr></table>\n", "has no Markdown table; its HTML tables stay as they are"),
        (f"```\n{GOOD}```\n", "page.md has no Markdown table"),
        (f"    {GOOD}".replace("\n|", "\n    |"), "page.md has no Markdown table"),
        (GOOD.replace("\n", "\r", 1), "line ends that are neither"),
        (f"<!-- table: x -->\n{GOOD}", "table 'x' has no end"),
    ],
)
def test_a_page_without_a_table_or_with_broken_markers_is_refused(take: Take, text: str, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        take(text)


def test_a_table_that_is_not_there_is_refused(take: Take) -> None:
    with pytest.raises(HarnessError, match=r"page\.md has no table 3; it has 1"):
        take(GOOD, table=3)


def test_two_hundred_columns_are_carried_and_more_than_anybody_reads_are_refused(take: Take) -> None:
    def wide(columns: int) -> str:
        names = [f"M{at}" for at in range(columns)]
        return "\n".join(
            [
                f"| Method | {' | '.join(names)} |",
                "|---" * (columns + 1) + "|",
                f"| FP16 | {' | '.join('1.5' for _ in names)} |",
                "",
            ]
        )

    assert take(wide(200)).made is not None
    (refused,) = take(wide(500)).refused
    assert "it has 501 columns and 1 rows; 400 and 2000 are the most" in refused.why
