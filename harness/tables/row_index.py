"""The rows that a table is filled from, found by what they say instead of one after another. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.tables.columns import BUILD_DIMENSIONS
from harness.tables.rows import TableRow, is_size, probes_of

CellConditions = Mapping[str, Sequence[str | None]]
"""Dimension -> values that are wanted; None for rows that lack it."""
_Asked = tuple[str | None, str | None]
"""Comparison and canonical baseline of numbers that were published as comparisons; None for plain numbers."""
PLAIN: _Asked = (None, None)

_Placed = tuple[int, TableRow]
"""A row with its place in the pool."""
_Index = dict[tuple[str, ...], dict[tuple[str | None, ...], list[_Placed]]]
"""Which conditions concern a row -> what it says to them -> the rows."""


@dataclass(frozen=True)
class RowIndex:
    """All rows of a table, with an index for each set of conditions that its cells ask with."""

    rows: Sequence[TableRow]
    _sittings: dict[tuple[str | None, ...], list[TableRow]] = field(default_factory=dict)
    _indexes: dict[tuple[str, _Asked, tuple[str, ...]], _Index] = field(default_factory=dict)

    def found(self, metric: str, asked: _Asked, conditions: CellConditions) -> list[TableRow]:
        """Return the measurements of a metric, and the failed runs in their place, that meet all conditions."""
        return self._meeting(metric, asked, conditions, lambda: self._candidates(metric, asked))

    def sitting(self, row: TableRow) -> list[TableRow]:
        """Return the rows of a measurement's sitting: its own and those of the other rounds, each once."""
        if not self._sittings:
            for one in self.rows:
                self._sittings.setdefault(_of_sitting(one), []).append(one)
        found = {one.run: one for one in self._sittings.get(_of_sitting(row), ())}
        return sorted(found.values(), key=lambda one: (one.get("round") or 0, one.run))

    def builds(self, conditions: CellConditions) -> list[TableRow]:
        """Return the builds that meet all conditions that a build can meet."""
        return self._meeting("", PLAIN, conditions, lambda: [row for row in enumerate(self.rows) if row[1].is_build])

    def _meeting(
        self, metric: str, asked: _Asked, conditions: CellConditions, candidates: Callable[[], list[_Placed]]
    ) -> list[TableRow]:
        names = tuple(conditions)
        key = (metric, asked, names)
        if key not in self._indexes:
            self._indexes[key] = _indexed(candidates(), names)
        rows: list[_Placed] = []
        for concerned, index in self._indexes[key].items():
            for said in _matching(index, [conditions[name] for name in concerned]):
                rows += index[said]
        return [row for _, row in sorted(rows, key=lambda placed: placed[0])]

    def _candidates(self, metric: str, asked: _Asked) -> list[_Placed]:
        size = is_size(metric)
        probes = set() if size else probes_of([metric], self.rows)
        return [
            (place, row)
            for place, row in enumerate(self.rows)
            if (row.metric == metric or (not row.ok and (row.is_build if size else row.text("probe") in probes)))
            and (row.text("comparison"), row.text("baseline") if asked != PLAIN else None) == asked
        ]


def _of_sitting(row: TableRow) -> tuple[str | None, ...]:
    return tuple(row.text(name) for name in ("sitting", "metric", "slice", "source"))


def concerns(row: TableRow, name: str) -> bool:
    """Say whether a condition concerns a row: what a failed run cannot know, or a build has not, excludes neither."""
    return (row.ok or row.get(name) is not None) and (not row.is_build or name in BUILD_DIMENSIONS)


def meets(row: TableRow, conditions: CellConditions) -> bool:
    """Match a row with all conditions that concern it."""
    return all(row.text(name) in values for name, values in conditions.items() if concerns(row, name))


def _indexed(rows: Sequence[_Placed], names: Sequence[str]) -> _Index:
    found: _Index = {}
    for place, row in rows:
        concerned = tuple(name for name in names if concerns(row, name))
        said = tuple(row.text(name) for name in concerned)
        found.setdefault(concerned, {}).setdefault(said, []).append((place, row))
    return found


def _matching(
    index: Mapping[tuple[str | None, ...], object], values: Sequence[Sequence[str | None]]
) -> list[tuple[str | None, ...]]:
    if math.prod(map(len, values)) > len(index):
        return [said for said in index if all(one in given for one, given in zip(said, values, strict=True))]
    return [said for said in dict.fromkeys(itertools.product(*values)) if said in index]
