"""Table specs as a person writes them: a record for a table, a cell, a metric in a row and a style. The schema is made of these."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from harness.core.options import Options
from harness.tables.compare import COMPARISONS
from harness.tables.formats import PLAIN
from harness.tables.specfields import (
    ELSEWHERE,
    SCALAR,
    Baseline,
    Caption,
    Dimensions,
    FormatField,
    FromYaml,
    MayMix,
    MetricName,
    Missing,
    OneOrList,
    OrderField,
    PivotField,
    RowKeys,
    ShownKeys,
    TextField,
    Titles,
    TruthField,
    WhereField,
    Words,
    one_of,
    one_or_list,
    text,
    word,
)

UNCERTAINTIES = ("none", "pm", "interval", "footnote")
STATS = ("mean", "p50", "p90", "p95", "p99", "min", "max", "stdev")
ALIGNS = ("left", "right", "center", "none")
_ALIGN = one_of("align", ALIGNS)


Bold = Annotated[
    Annotated[str, one_of("bold", ("best", "all")), Tag("word")] | Annotated[WhereField, Tag("rows")],
    Discriminator(lambda value: "rows" if isinstance(value, dict) else "word"),
]


class SpecEntry(Options):
    """A part of a spec; its names are keys."""

    noun: ClassVar[str] = "key"
    model_config = ConfigDict(arbitrary_types_allowed=True)


def _aligned(value: Any) -> str | tuple[str, ...]:
    return tuple(map(_ALIGN.read, value)) if isinstance(value, list) else str(_ALIGN.read(value))


def _head(rows: Any) -> tuple[tuple[str, ...], ...]:
    listed = rows if isinstance(rows, list) else [rows]
    return tuple(tuple(map(text, row if isinstance(row, list) else [row])) for row in listed)


class StyleEntry(SpecEntry):
    """How a table is laid out."""

    header: Annotated[str, one_of("header", ("plain", "bold", "body"))] = "plain"
    """`body`: an empty heading, and the names in bold as the first row."""
    align: Annotated[str | tuple[str, ...], FromYaml(_aligned, one_or_list({"enum": list(ALIGNS)}))] = ""
    """Of all columns, or of each."""
    groups: TruthField = False
    """The pivot's labels stand in a row of their own over their columns."""
    blank: Annotated[tuple[Annotated[str, FromYaml(word, {"type": "string"})], ...], OneOrList()] | None = None
    """Row keys that are written only where they differ from the row above."""
    links: TruthField = True
    head: Annotated[tuple[tuple[str, ...], ...], FromYaml(_head, one_or_list(one_or_list(SCALAR)))] = ()
    """Rows of the heading as they are written."""
    titles: Annotated[str, one_of("titles", ("plain", "markdown"))] = "plain"
    """Whether the spec's own titles are Markdown."""


class MetricEntry(SpecEntry):
    """How a metric that stands in rows is written."""

    format: FormatField = PLAIN
    unit: TextField = ""


class CellEntry(SpecEntry):
    """A column of cells, or the one cell below a pivot."""

    metric: MetricName | None = None
    comparison: Annotated[str, one_of("comparison", COMPARISONS)] = Field("value", alias="as")
    """What is shown of the value and its baseline."""
    inputs: Annotated[str, one_of("inputs", ("raw", "displayed"))] | None = None
    """Whether a comparison takes the values, or the digits that the table shows."""
    format: FormatField = PLAIN
    """Decimals, and around them +, a comma, x, % or e; as `2x` or `+1%`."""
    unit: TextField = ""
    stat: Annotated[str, one_of("stat", STATS)] | None = None
    """Of the samples behind a value."""
    slice: TextField = ""
    uncertainty: Annotated[str, one_of("uncertainty", UNCERTAINTIES)] | None = None
    paired: TruthField = False
    """Compare item by item."""
    bold: Bold = ""
    """`best`, `all`, or the rows in which the cell is bold."""
    where: WhereField = Field(default_factory=dict)
    baseline: Baseline = Field(default_factory=dict)
    words: Words = Field(default_factory=dict)
    """What is written in place of a number, by the number as it would be written."""
    inconclusive: TruthField = False
    """Mark comparisons that the data cannot tell from no difference."""
    text: TextField | None = None
    """A column of words, as a published file calls it."""
    behind: TextField = ""
    """What is written behind a number, as its unit ` ms`."""
    before: TextField = ""
    """What is written before a number, as `$`."""


class TableEntry(SpecEntry):
    """One table. What does not follow from its name stands in `reports/README.md`."""

    rows: RowKeys
    """Columns that tell rows apart: names, or names with headings."""
    cells: Annotated[Any, WithJsonSchema({ELSEWHERE: "cells"})]
    """Heading to cell, or one cell below a pivot."""
    where: WhereField = Field(default_factory=dict)
    """Which results; without `sweep`, those of the sweep that the file is named for."""
    each: Dimensions = ()
    """A table for each value of these."""
    order: OrderField = ()
    show: ShownKeys = ()
    """Columns that are written; `rows` where not said."""
    pivot: PivotField | None = None
    """A dimension whose values become columns."""
    baseline: Baseline = Field(default_factory=dict)
    missing: Missing = Field(default_factory=dict)
    may_mix: MayMix = ()
    drop_empty: Annotated[str, one_of("drop_empty", ("columns", "rows", "both"))] = ""
    pick: Annotated[str, one_of("pick", ("latest", "median_of_runs"))] = "latest"
    template: TextField = "table"
    title: TextField = ""
    caption: Caption = True
    uncertainty: Annotated[str, one_of("uncertainty", UNCERTAINTIES)] = "none"
    titles: Titles = Field(default_factory=dict)
    """What this table calls values, by dimension."""
    style: StyleEntry = StyleEntry()
