"""Table specs: what a YAML file of tables says, as frozen records. Every mistake of a file is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.markdown.rows import Align
from harness.tables.formats import PLAIN, NumberFormat

Uncertainty = Literal["none", "pm", "interval", "footnote"]
Pick = Literal["latest", "median_of_runs"]
DropEmpty = Literal["", "columns", "rows", "both"]
Values = tuple[str, ...]
"""Dimension values are compared as text: 8, 8.0 and "8" are the same batch size."""


@dataclass(frozen=True)
class RowKey:
    """A column of row keys: a dimension (`batch`) or a catalogue attribute of one (`method.granularity`)."""

    name: str
    header: str

    @property
    def dimension(self) -> str:
        return self.name.partition(".")[0]

    @property
    def attribute(self) -> str:
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class MetricRow:
    """How the values of a metric that stands in rows are written."""

    format: NumberFormat = PLAIN
    unit: str | None = None


@dataclass(frozen=True)
class CellSpec:
    """A column of cells, before a pivot multiplies it."""

    header: str
    """Empty where the pivot's labels or the metric's title serve."""
    metric: str | None = None
    """None where the metric is a row, or where an attribute or a text is shown."""
    attribute: RowKey | None = None
    comparison: str = "value"
    inputs: Literal["raw", "displayed"] | None = None
    format: NumberFormat = PLAIN
    unit: str | None = None
    stat: str | None = None
    slice: str = ""
    uncertainty: Uncertainty = "none"
    paired: bool = False
    bold: Literal["", "best", "all"] = ""
    bold_where: Mapping[str, Values] = field(default_factory=dict)
    """Rows in which the cell is bold."""
    inconclusive: bool = False
    """Mark comparisons that the data cannot tell from no difference."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What is written in place of a number, by the number as it would be written."""
    text: str | None = None
    """A column of words, as a published file calls it."""
    behind: str = ""
    """What is written behind a number, as its unit ` ms`."""
    before: str = ""
    """What is written before a number, as `$`."""
    where: Mapping[str, Values] = field(default_factory=dict)
    baseline: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True)
class Pivot:
    """A dimension whose values become columns; labels by value, in this order, or all values that are found."""

    dimension: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Style:
    """How a table is laid out; what is in it does not depend on it."""

    header: Literal["plain", "bold", "body"] = "plain"
    """body: an empty heading, and the names in bold as the first row."""
    align: Align | Literal[""] = ""
    """Of all columns; empty: names to the left, numbers to the right."""
    aligns: tuple[Align, ...] = ()
    """Of each column."""
    head: tuple[tuple[str, ...], ...] = ()
    """Rows of the heading as they are written, where the headings of keys and cells do not say them."""
    markup: bool = False
    """The spec's own titles are Markdown."""
    groups: bool = False
    """The pivot's labels stand in a row of their own over their columns, with an empty column between groups."""
    blank: tuple[str, ...] | None = None
    """Row keys that are written only where they differ from the row above; None: where metrics stand in rows, all."""
    links: bool = True


@dataclass(frozen=True)
class TableSpec:
    """One table."""

    name: str
    rows: tuple[RowKey, ...]
    cells: tuple[CellSpec, ...]
    where: Mapping[str, Values] = field(default_factory=dict)
    each: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    show: tuple[RowKey, ...] = ()
    pivot: Pivot | None = None
    metrics: Mapping[str, MetricRow] = field(default_factory=dict)
    """Metrics that stand in rows."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """What is shown for a status; `absent` for what was never measured."""
    may_mix: frozenset[str] = frozenset()
    drop_empty: DropEmpty = ""
    pick: Pick = "latest"
    template: str = "table"
    title: str = ""
    caption: bool = True
    beside: bool = False
    """Instead of a caption, rows that were measured here have a footnote with what differs between them and the published rows."""
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Dimension to value to what this table calls it; the catalogues' titles serve elsewhere. `model+method` names pairs."""
    style: Style = Style()
    path: str = ""
    line: int | None = None
    replaces: str = ""
    """File of the table of this name in whose place it stands, as one of a workspace does for a shipped one."""

    @property
    def row_dimensions(self) -> tuple[str, ...]:
        """Dimensions that tell rows apart; attributes only decorate them."""
        return tuple(dict.fromkeys(key.name for key in self.rows if not key.attribute))

    @property
    def keyed(self) -> frozenset[str]:
        """Dimensions whose value can be seen at a cell."""
        pivot = {self.pivot.dimension} if self.pivot else set()
        return frozenset({*self.each, *self.row_dimensions, *pivot})
