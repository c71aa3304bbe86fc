"""The rule for bold cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.lint.columns import Better
from harness.lint.finding import Check, Rule, of_cell
from harness.lint.inputs import BASELINE
from harness.lint.numbers import PrintedNumber
from harness.lint.tables import LintColumn, LintRow, LintTable

_Place = tuple[LintRow, LintColumn, PrintedNumber]


def _bold(table: LintTable) -> Iterator[Check]:
    columns = [column for column in table.columns if column.meaning.better]
    for column in columns:
        numeric = [row for row in table.rows if row.values[column.index]]
        bold = [row for row in numeric if row.cells[column.index].bold]
        if len(bold) < len(numeric):
            yield from (_check(table, row, column) for row in bold if not _whole(table, row))


def _whole(table: LintTable, row: LintRow) -> bool:
    """Tell whether a whole row is bold, which marks the row and not its values."""
    bold = [row.cells[one.index].bold for one in table.columns if row.values[one.index]]
    return len(bold) > 1 and all(bold)


def _check(table: LintTable, row: LintRow, column: LintColumn) -> Check:
    better = column.meaning.better or "lower"
    scopes = [scope for scope in _scopes(table, row, column) if len(scope) > 1]
    bests = [_best(scope, better) for scope in scopes]
    mine = row.values[column.index]
    if mine is None or not scopes or any(best[2].value == mine.value for best in bests):
        return of_cell(row, column, None)
    other, where, value = bests[0]
    place = f"row {other.number}" if other is not row else f"'{where.title}'"
    return of_cell(row, column, f"{mine.text} is bold, {value.text} ({place}) is better: {better} is better here")


def _best(scope: Sequence[_Place], better: Better) -> _Place:
    return (min if better == "lower" else max)(scope, key=lambda place: place[2].value)


def _scopes(table: LintTable, row: LintRow, column: LintColumn) -> Iterator[list[_Place]]:
    """Give what a bold value may be the best of: its column, the rows that share a setting, its row. Baselines compete only as bold ones."""
    yield _places(table.rows, [column], row)
    for key in table.settings:
        yield _places([one for one in table.rows if one.keys[key.index] == row.keys[key.index]], [column], row)
    alike = [one for one in table.columns if one.meaning.kind == column.meaning.kind]
    yield _places([row], [one for one in alike if one is column or not BASELINE.search(one.title)], row)


def _places(rows: Sequence[LintRow], columns: Sequence[LintColumn], bold: LintRow) -> list[_Place]:
    return [
        (row, column, value)
        for row in rows
        if row is bold or not any(BASELINE.search(key) for key in row.keys)
        for column in columns
        if (value := row.values[column.index])
    ]


BOLD_NOT_BEST = Rule(
    "bold-not-best",
    "A bold value is not the best of anything: not of its column, not of the rows that share a model, batch size or other setting with it, "
    "not of its row. What is better must follow from the header (`lower is better`, latency, loss, perplexity, throughput, speed-up). "
    "Baselines do not compete, equal values are both best, and a column or row that is bold throughout is a style.",
    "| Method | Perplexity |\n| --- | --- |\n| A | 6.50 |\n| B | **6.60** |\n| C | 6.90 |",
    _bold,
)
