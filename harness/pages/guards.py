"""What `harness report --write` refuses: rows that would vanish, and numbers that moved further than was allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from harness.core.errors import HarnessError, Problem
from harness.core.spelling import unknown
from harness.markdown.marked import bodies, marked_places
from harness.pages.changes import Change, Gone, compare_tables
from harness.pages.noise import CellNames, cells_of, way
from harness.pages.readback import shown
from harness.tables.markdown import Rendered
from harness.tables.result import Cell


@dataclass(frozen=True)
class Guard:
    """What a person allows."""

    missing: frozenset[str] = frozenset()
    """Tables, `TABLE:ROW` and `TABLE:COLUMN` that may vanish."""
    most: Decimal | None = None
    """Share by which a number may change; None for any."""
    accept: bool = False
    """Whether changes beyond it are meant."""


def refused(pages: Mapping[Path, str], rendered: Iterable[Rendered], guard: Guard) -> list[Problem]:
    """List what a guard does not allow in the pages (path to committed text).

    Raises: HarnessError where it allows something about a table that is not there.
    """
    tables = {item.name: item for item in rendered}
    for name in sorted(guard.missing):
        if name.partition(":")[0] not in tables:
            raise HarnessError(f"--allow-missing {name}: {unknown('table', name.partition(':')[0], tables)}")
    problems: list[Problem] = []
    for path, text in pages.items():
        lines = {block.name: block.begin + 1 for block in marked_places(text, path)}
        for name, body in bodies(text, path).items():
            compared = compare_tables(body, tables[name])
            vanished = [gone for gone in compared.gone if not gone.names & guard.missing]
            messages = [_vanishes(gone, compared.renamed) for gone in vanished]
            cells = cells_of(tables[name], tables[name].keys)
            lost = [change for change in compared.changes if _is_absent(change, cells)]
            messages += [_lost(name, change) for change in lost if not _names(name, change) & guard.missing]
            if guard.most is not None and not guard.accept:
                most = guard.most
                moved = [change for change in compared.changes if change.beyond(most) and change not in lost]
                messages += [
                    _moves(name, change, most, way(change, cells.get((change.row, change.column)))) for change in moved
                ]
            problems += [Problem(message, path, lines[name]) for message in messages]
    return problems


def _vanishes(gone: Gone, renamed: Mapping[str, str]) -> str:
    if gone.what == "row" and gone.label in renamed:
        return (
            f"table '{gone.table}': row '{gone.label}' became '{renamed[gone.label]}' (same cells); "
            f"add --allow-missing '{gone.table}:{gone.label}' if that is meant"
        )
    if gone.what == "table":
        return (
            f"table '{gone.table}' would lose all its rows, since there are no results for it now; "
            f"restore them, or allow it with --allow-missing '{gone.table}'"
        )
    return (
        f"table '{gone.table}' would lose its {gone.what} '{gone.label}'; restore its results, "
        f"or allow it with --allow-missing '{gone.table}:{gone.label}'"
    )


def _is_absent(change: Change, cells: Mapping[CellNames, Cell]) -> bool:
    """Say whether a number became a mark of absence, whatever letters that has; a failure is a result and says so."""
    cell = cells.get((change.row, change.column))
    return change.is_lost and not (any(map(str.isalpha, shown(change.new))) if cell is None else cell.failed)


def _names(table: str, change: Change) -> set[str]:
    """All that would allow a number to vanish."""
    rows = {change.row.label, change.row.short}
    return {table, f"{table}:{change.heading}", *(f"{table}:{row}" for row in rows),
            *(f"{table}:{row}:{change.heading}" for row in rows)}  # fmt: skip


def _lost(table: str, change: Change) -> str:
    return (
        f"table '{table}', row '{change.row.label}', column '{change.heading}': {shown(change.old)} would become "
        f"{shown(change.new) or 'empty'}; restore its results, or allow it with --allow-missing '{table}:{change.row.label}:{change.heading}'"
    )


def _moves(table: str, change: Change, most: Decimal, way: str) -> str:
    by = "no number any more" if change.by is None else percent(change.share) + (f", {way}" if way else "")
    return (
        f"table '{table}', row '{change.row.label}', column '{change.heading}': {shown(change.old)} became "
        f"{shown(change.new)} ({by}), beyond {(most * 100).normalize():f}%; look at it, then write with --accept"
    )


def percent(share: Decimal | None) -> str:
    """Write a share with its sign; a change from zero has none."""
    return "from zero" if share is None else f"{share * 100:+.1f}%"
