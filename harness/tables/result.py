"""A table of strings: what a template gets, and what stands behind each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from harness.core.metric import Direction
from harness.markdown.rows import Align
from harness.tables.spec import CellSpec


@dataclass(frozen=True)
class Side:
    """One input of a cell: a measurement in the unit that the table shows."""

    role: Literal["value", "baseline"]
    run: str
    measurement: str
    value: Decimal
    """As it entered the arithmetic: in the shown unit, rounded where displayed digits are compared."""
    gpus: int = 1
    stored: Decimal | None = None
    """Mean over the rounds of its sitting, in the stored unit; None where the measurement's own value entered."""
    rounds: int | None = None
    """Rounds of its sitting that entered; None where the one run alone did."""


@dataclass(frozen=True)
class CellTrace:
    """How a cell's number came about."""

    metric: str
    comparison: str
    formula: str
    inputs: Literal["raw", "displayed"]
    sides: tuple[Side, ...]
    result: Decimal
    """Before it was rounded to be written."""
    published: bool = False
    """The comparison itself was published, without its inputs."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Interval of the result, where there is one."""
    interval: str = ""
    """What the interval of rounds or of paired items is, or of how many processes the number is."""
    at_1ms: tuple[Decimal, Decimal] | None = None
    """Means at a pace of 1 ms of the machine, value and baseline, where rounds are compared at one pace: the inputs are then
    the means at the pace that both share, as far above the seconds that passed as below."""


@dataclass(frozen=True)
class Cell:
    """A cell's text as people read it."""

    text: str
    literal: bool = True
    """Shown as it is, as a name; else a number or a text of the spec, in which markup is meant."""
    link: str = ""
    bold: bool = False
    notes: tuple[int, ...] = ()
    """Numbers of its footnotes."""
    runs: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    """Ids of the measurements: the cell's own, then its baseline's."""
    trace: CellTrace | None = None
    """None for names, and where there is no number."""
    address: Mapping[str, str] = field(default_factory=dict)
    """Dimension to value: what the cell is about."""
    better: Direction = "none"
    """Which way its number is better, the comparison considered."""
    asked: CellSpec | None = None
    """What the spec asks of this cell; None for row keys and headings."""
    failed: bool = False
    """What became of a run stands here instead of its number."""


@dataclass(frozen=True)
class TableColumn:
    header: str
    align: Align = "right"


@dataclass(frozen=True)
class Section:
    """The rows for one value of `each`; a table without `each` is one section without headings."""

    headings: tuple[str, ...]
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    head_rows: int = 0
    """How many of the first rows are part of the heading."""


@dataclass(frozen=True)
class Table:
    """A table of strings, ready for a template."""

    name: str
    title: str
    template: str
    sections: tuple[Section, ...]
    caption: tuple[str, ...]
    notes: tuple[str, ...]
