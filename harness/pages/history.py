"""What earlier sessions say of a cell: its number in each of them, from all results that are at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.published.sources import NumberSource
from harness.tables.compare import COMPARISONS, Operand
from harness.tables.formats import decimal
from harness.tables.result import Cell
from harness.tables.rows import TableRow, rows_of

SERIES = ("job_key", "gpu", "machine", "environment", "metric", "slice", "source")
"""What a number keeps from night to night: job and machine. Versions and commits may change along it."""
_ON_LOGS = frozenset({"value", "baseline", "ratio", "inverse_ratio", "ratio_per_gpu"})

_Key = tuple[object, ...]


@dataclass(frozen=True)
class Sessions:
    """A cell's numbers by session."""

    known: tuple[tuple[float, ...], ...]
    """Of all sessions but the new one, in groups: the series of the old number, and that of the new where it is another."""
    log: bool


@dataclass(frozen=True)
class Histories:
    """Sources of sessions, asked once for each series."""

    sources: Sequence[NumberSource]
    _values: dict[_Key, dict[str, float]] = field(default_factory=dict)

    def of(self, old: Cell, old_source: NumberSource, new: Cell, new_source: NumberSource) -> Sessions | None:
        """Gather the sessions of a cell; None where it shows no mean over rounds."""
        sides = [_sides(cell, source) for cell, source in ((old, old_source), (new, new_source))]
        if new.trace is None or any(side is None for side in sides):
            return None
        series = dict.fromkeys(tuple(key for key, _ in side or ()) for side in sides)
        judged = {session for _, session in sides[1] or ()}
        comparison = new.trace.comparison
        groups = [
            [value for session, value in self._results(keys, comparison).items() if session not in judged]
            for keys in series
        ]
        log = comparison in _ON_LOGS and all(value > 0 for group in groups for value in group)
        return Sessions(tuple(tuple(group) for group in groups), log)

    def beside(self, cell: Cell, source: NumberSource) -> Sessions | None:
        """Gather the sessions of a cell that is held against somebody else's number; None where it shows no mean over rounds."""
        sides = _sides(cell, source)
        if cell.trace is None or sides is None:
            return None
        values = tuple(self._results([key for key, _ in sides], cell.trace.comparison).values())
        return Sessions((values,), cell.trace.comparison in _ON_LOGS and all(value > 0 for value in values))

    def _results(self, keys: Sequence[_Key], comparison: str) -> dict[str, float]:
        """Compute the cell's comparison in each session that has all of its sides."""
        sides = [self.of_series(key) for key in keys]
        shared = [session for session in sides[0] if all(session in side for side in sides)]
        of = COMPARISONS[comparison].of
        found = {}
        for session in shared:
            operands = [Operand(decimal(side[session])) for side in sides]
            if all(not operand.value.is_zero() for operand in operands):
                found[session] = float(of(operands[0], operands[-1]))
        return found

    def of_series(self, key: tuple[object, ...]) -> dict[str, float]:
        """Return the means of a series, named by the values of `SERIES`, session by session."""
        if key not in self._values:
            where = dict(zip(SERIES, key, strict=True))
            rows = [row for source in self.sources for row in _rows(source, where)]
            self._values[key] = {row.text("session") or row.run: float(row.get("summary_value")) for row in rows}
        return self._values[key]


def _rows(source: NumberSource, where: Mapping[str, Any]) -> Iterable[TableRow]:
    found = rows_of(source.select(where, ["run", "session", "counts_from", "rounds", "summary_value"]))
    return sorted((row for row in found if row.get("rounds") is not None), key=lambda row: row.age)


def _sides(cell: Cell, source: NumberSource) -> list[tuple[_Key, str]] | None:
    """Return series and session of each measurement behind a cell; None where one is no mean over rounds."""
    if cell.trace is None or any(side.stored is None for side in cell.trace.sides):
        return None
    found = []
    for side in cell.trace.sides:
        record = next(iter(source.select({"measurement_id": side.measurement}, [*SERIES, "session", "run"])), None)
        if record is None:
            return None
        key = tuple(("" if name == "slice" and record[name] is None else record[name]) for name in SERIES)
        found.append((key, record["session"] or record["run"]))
    return found
