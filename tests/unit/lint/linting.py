"""Lint a Markdown text and give what was found, as tests read it."""

from __future__ import annotations

from harness.lint.finding import LintFinding
from harness.lint.linter import Linted, chosen, lint_pages
from harness.lint.tables import page_of


def linted(text: str, *rules: str) -> Linted:
    return lint_pages([page_of(text)], chosen(rules))


def found(text: str, *rules: str) -> list[LintFinding]:
    return list(linted(text, *rules).findings)


def places(text: str, *rules: str) -> list[tuple[str, int | None, str | None]]:
    return [(one.rule, one.row, one.column) for one in found(text, *rules)]


def counts(text: str, rule: str) -> tuple[int, int]:
    (tally,) = linted(text, rule).tallies
    return tally.found, tally.checked


def table(*lines: str) -> str:
    """Make a table from its rows, `/` between cells; the alignment row is added below the first."""
    rows = ["| " + " | ".join(cell.strip() for cell in line.split("/")) + " |" for line in lines]
    align = "|" + "---|" * len(lines[0].split("/"))
    return "\n".join([rows[0], align, *rows[1:]]) + "\n"
