"""What the functions that make a table share: its rows, names and callbacks, and what its cells took and noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.core.marks import MARKS, merged
from harness.core.spec import Note
from harness.tables.catalogue import TableCatalogue
from harness.tables.formats import without_paths
from harness.tables.mixing import Packages
from harness.tables.question import CellReader
from harness.tables.quoted import Quoted
from harness.tables.row_index import RowIndex
from harness.tables.row_order import Order
from harness.tables.rows import TableRow
from harness.tables.sitting import Measure
from harness.tables.spec import TableSpec

_TOLD = 3
"""Texts of one mark that are told below a table; `harness explain` tells those of a cell."""


@dataclass
class TakenRows:
    """What the cells of a table took from the frame, and its footnotes."""

    notes: list[str] = field(default_factory=list)
    marks: dict[str, list[str]] = field(default_factory=dict)
    """Code of a mark to what it says, each text once; in the list of notes it stands by its code."""
    by_column: dict[str, list[TableRow]] = field(default_factory=dict)
    """Of the section that is being filled."""

    def note(self, text: str) -> int | None:
        """Number a footnote; equal ones share a number."""
        if not text:
            return None
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def numbered(self, note: str, marks: Iterable[Note]) -> tuple[int, ...]:
        """Number a cell's footnote and its marks; all cells with one mark share a number."""
        found = [self.note(note)]
        for mark in marks:
            texts = self.marks.setdefault(mark.code, [])
            if mark.text not in texts:
                texts.append(mark.text)
            found.append(self.note(_slot(mark.code)))
        return tuple(sorted({number for number in found if number is not None}))

    def written(self) -> tuple[str, ...]:
        """Write the footnotes; of a mark that many runs carry in many words, the first few."""
        marks = {_slot(code): _mark_text(code, texts) for code, texts in self.marks.items()}
        return tuple(marks.get(note, note) for note in self.notes)

    def took(self, column: str, *rows: TableRow | None) -> None:
        self.by_column.setdefault(column, []).extend(row for row in rows if row is not None and row.ok)


def _slot(code: str) -> str:
    return f"mark {code}"


def _mark_text(code: str, texts: Sequence[str]) -> str:
    told = merged(texts)
    more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"{MARKS[code]}: {'; '.join(without_paths(text) for text in told[:_TOLD])}{more}"


@dataclass(frozen=True)
class TableInputs:
    """What the functions below share: the spec, the rows that it concerns, names and callbacks."""

    spec: TableSpec
    pool: RowIndex
    catalogue: TableCatalogue
    reader: CellReader
    picked: TakenRows
    at_pace: frozenset[Measure]
    quoted: Quoted
    packages: Packages

    @property
    def order(self) -> Order:
        return Order(self.spec, self.catalogue)
