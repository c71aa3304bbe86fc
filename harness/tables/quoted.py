"""What others printed, in the words and the order in which they printed it; and where a row of ours stands among theirs. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.outcome import Outcome
from harness.tables.metric_variant import printed_key
from harness.tables.row_index import CellConditions, meets
from harness.tables.rows import TableRow
from harness.tables.spec import CellSpec

_Read = Callable[[str], Outcome | None]
"""A reported run's outcome."""
_Address = Mapping[str, str]
QuotedPlace = tuple[str | None, ...]


@dataclass(frozen=True)
class Quoted:
    """The rows that others reported, by what tells the rows of a table apart."""

    dimensions: tuple[str, ...]
    rows: Sequence[TableRow]
    read: _Read
    _by_place: dict[QuotedPlace, dict[str, TableRow]] = field(default_factory=dict)

    def at(self, place: QuotedPlace) -> Mapping[str, TableRow]:
        """Return the reported runs of a table's row, by name, in the order of their file."""
        if not self._by_place:
            ours = [row for row in self.rows if row.text("origin") == "reported" and not row.is_build]
            for row in sorted(ours, key=lambda one: one.get("order") or 0):
                key = tuple(row.text(name) for name in self.dimensions)
                self._by_place.setdefault(key, {}).setdefault(row.run, row)
        return self._by_place.get(place, {})

    def text(self, cell: CellSpec, place: QuotedPlace, conditions: CellConditions) -> str | None:
        """Return what was printed in a cell, number or word; None where nothing was.

        conditions: what a row must say beside its place.
        """
        key = cell.text or printed_key(
            cell.metric or "", "" if cell.comparison == "value" else cell.comparison, cell.slice
        )
        asked = {name: values for name, values in conditions.items() if name != "slice"}
        for run, row in self.at(place).items():
            outcome = self.read(run) if meets(row, asked) else None
            if outcome is not None and key in outcome.printed:
                return outcome.printed[key]
        return None

    def ordinal(self, place: QuotedPlace, conditions: CellConditions) -> int | None:
        """Return where a row stands in its file; None for a row that nobody reported."""
        found = [row for row in self.at(place).values() if meets(row, conditions)]
        return min((int(row.get("order") or 0) for row in found), default=None)


def in_place(places: Sequence[QuotedPlace], ordinals: Sequence[int | None]) -> list[int]:
    """Say in which order rows stand: published ones as in their file, each other one behind those that it belongs to.

    places: of each row what a reader sees of it. A row belongs to those that are called the same, else to the block of rows that
    share with it what such blocks have in common (a batch size, a model); a row without such a block stands last.
    """
    known = [at for at, ordinal in enumerate(ordinals) if ordinal is not None]
    done = sorted(known, key=lambda at: ordinals[at] or 0)
    blocks = _blocks([places[at] for at in done])
    for at in (at for at, ordinal in enumerate(ordinals) if ordinal is None):
        shares = [_share(places[at], places[other], blocks) for other in done]
        most = max(shares, default=0)
        done.insert(max(index for index, share in enumerate(shares) if share == most) + 1 if most else len(done), at)
    return done


def _blocks(places: Sequence[QuotedPlace]) -> list[int]:
    """List the parts of a place that make blocks: whose equal values stand together, and stand more than once."""
    found = []
    for part in range(len(places[0]) if places else 0):
        values = [place[part] for place in places]
        together = 1 + sum(one != other for one, other in itertools.pairwise(values)) == len(set(values))
        if together and len(set(values)) < len(values):
            found.append(part)
    return found


def _share(one: QuotedPlace, other: QuotedPlace, blocks: Sequence[int]) -> int:
    if one == other:
        return len(one) + 1
    return sum(one[part] is not None and one[part] == other[part] for part in blocks)
