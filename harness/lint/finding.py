"""What a rule is and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.lint.tables import LintColumn, LintRow, LintTable


@dataclass(frozen=True)
class Check:
    """One thing that a rule could decide: a cell, a row, a column. `message` is None where it holds."""

    line: int
    row: int | None = None
    column: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Rule:
    """A named rule, its documentation (`example` is Markdown that it has something to say about) and its function."""

    name: str
    about: str
    example: str
    check: Callable[[LintTable], Iterator[Check]]


@dataclass(frozen=True)
class LintFinding:
    """A check that does not hold, with its place."""

    path: str
    line: int
    row: int | None
    column: str | None
    rule: str
    message: str

    def __str__(self) -> str:
        places = [f"row {self.row}"] if self.row is not None else []
        places += [f"column '{self.column}'"] if self.column is not None else []
        where = f" {', '.join(places)}:" if places else ""
        return f"{self.path}:{self.line}:{where} {self.rule}: {self.message}"


def of_cell(row: LintRow, column: LintColumn, message: str | None) -> Check:
    """Make a check of one cell."""
    return Check(row.line, row.number, column.title, message)


def of_column(table: LintTable, column: LintColumn, message: str | None) -> Check:
    """Make a check of a whole column."""
    return Check(table.line, None, column.title, message)
