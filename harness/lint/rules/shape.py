"""Rules for the table itself: malformed rows, duplicated rows."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.finding import Check, Rule
from harness.lint.tables import LintRow, LintTable


def _malformed(table: LintTable) -> Iterator[Check]:
    want = len(table.columns)
    if not table.rows:
        yield Check(table.line, message="the table has a header and no rows")
    for row in table.rows:
        yield Check(row.line, row.number, None, None if row.written == want else _ragged(row.written, want))


def _ragged(have: int, want: int) -> str:
    if have == 1:
        return (
            f"1 cell where the header has {want}; text right after a table becomes a row, an empty line ends the table"
        )
    happens = "what is too much is not shown" if have > want else "the rest is shown blank"
    return f"{have} cells where the header has {want}; {happens}"


def _duplicates(table: LintTable) -> Iterator[Check]:
    seen: dict[tuple[str, ...], LintRow] = {}
    for row in table.rows:
        if any(row.values):
            message = None
            if first := seen.get(_place(table, row)):
                message = _repeated(table, first, row)
            seen.setdefault(_place(table, row), row)
            yield Check(row.line, row.number, None, message)


def _place(table: LintTable, row: LintRow) -> tuple[str, ...]:
    """Say what a row is about: every cell but those of columns known to hold results."""
    results = {"derived", "latency", "throughput", "memory", "energy", "loss", "perplexity", "kl", "accuracy"}
    return tuple(
        row.keys[one.index] or row.cells[one.index].text for one in table.columns if one.meaning.kind not in results
    )


def _repeated(table: LintTable, first: LintRow, row: LintRow) -> str:
    where = ", ".join(part for part in _place(table, row) if part) or "no key"
    off = [one for one in table.columns if first.cells[one.index].text != row.cells[one.index].text]
    values = [one for one in off if row.values[one.index] or first.values[one.index]]
    if not values:
        return f"the same as row {first.number} in every cell ({where})"
    pairs = ", ".join(f"{first.cells[c.index].text} and {row.cells[c.index].text} in '{c.title}'" for c in values[:3])
    return f"row {first.number} is about the same ({where}) and has other numbers: {pairs}"


MALFORMED_TABLE = Rule(
    "malformed-table",
    "A table that Markdown does not show as it was meant: a row with more or fewer cells than the header, an alignment row that is missing "
    "or has another number of cells, a table inside an HTML block (an empty line must stand between `<summary>` and the table), a "
    "table without rows. Tables in code are no tables and are not read.",
    "| Model | Tokens/s |\n| --- | --- |\n| A | 10.0 | 20.0 |\n| B |",
    _malformed,
)
DUPLICATE_ROW = Rule(
    "duplicate-row",
    "Two rows are about the same thing: all cells that say what was measured agree (a blank one repeats the row above), whether the results "
    "agree or not. Columns whose meaning is not known count as saying what was measured.",
    "| Method | Batch Size | Tokens/s |\n| --- | --- | --- |\n| A | 1 | 10.0 |\n| B | 1 | 20.0 |\n| A | 1 | 10.0 |",
    _duplicates,
)
