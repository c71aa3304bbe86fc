"""A cell of a table as a question and as an answer: the rows that it is about, and what is written with where it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from harness.core.metric import Direction
from harness.core.outcome import Outcome
from harness.core.spec import Note
from harness.numbers.pairing import Items
from harness.tables.compare import COMPARISONS, Comparison
from harness.tables.result import CellTrace
from harness.tables.rows import TableRow
from harness.tables.sitting import Measure
from harness.tables.spec import CellSpec, TableSpec


@dataclass(frozen=True)
class CellReader:
    """How the samples behind a measurement are read: by its id; None where they are not at hand."""

    samples: Callable[[str], Any] = lambda measurement: None
    """Array of any shape."""
    items: Callable[[str], Items] = lambda measurement: Items()
    """What pairs with another measurement of the same items."""
    statistics: Callable[[str], Mapping[str, float]] = lambda measurement: {}
    """Statistics by name, where the samples themselves are not kept."""
    outcome: Callable[[str], Outcome | None] = lambda run: None
    """A reported run's outcome, with what was printed."""

    def all_items(self, measurement: str) -> Items:
        """Return what pairs, with the samples that are at hand in any case."""
        found = self.items(measurement)
        return found if found.samples is not None else replace(found, samples=self.samples(measurement))


@dataclass(frozen=True)
class Filled:
    """A cell's text with its number, which sorts rows and finds the best, and where it came from."""

    text: str
    number: Decimal | None = None
    absent: bool = False
    failed: bool = False
    """What became of a run stands here instead of its number."""
    note: str = ""
    """Text of the footnote; the table numbers it."""
    marks: tuple[Note, ...] = ()
    runs: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    trace: CellTrace | None = None
    better: Direction = "none"
    """Which way the metric of a number is better."""


@dataclass(frozen=True)
class CellQuestion:
    """A cell of a table with the row that fills it and, for comparisons, the row it is compared with."""

    spec: TableSpec
    cell: CellSpec
    row: TableRow
    baseline: TableRow | None
    beside: tuple[TableRow, ...] = ()
    """Rounds of the row's sitting, where a statistic of their samples is asked for."""
    elsewhere: str = ""
    """Where there is a baseline, if there is none at the row's place."""
    at_pace: frozenset[Measure] = frozenset()
    """What the table compares at one pace of the machine."""

    @property
    def comparison(self) -> Comparison:
        return COMPARISONS[self.cell.comparison]
