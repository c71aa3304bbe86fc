"""What is refused before pages are written: rows, tables and numbers that would go."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.pages.changes import share_of
from harness.pages.guards import Guard, refused
from harness.tables.markdown import EMPTY
from tests.unit.pages.old_page import OLD, rendered


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
