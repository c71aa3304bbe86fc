"""A person's map of Markdown tables, `--map FILE`: which table, what each column is, and what holds for the whole.

source: {title: Speed of things, url: https://example.org, version: 2026-01-31, configuration: one GPU}
protocol: genai-e2e
missing: ["-", ""]           # cells that say nothing
unsupported: [N/A]            # cells that say that there is no number, which is an answer; [] where N/A says nothing
tables:
  - table: Results            # the heading above it, or its number in the file, from 1
    header: 1                 # body row that holds the column names, where the header itself does not
    constants: {engine: ort-genai, gpu: NVIDIA H200}
    columns:
      Model: {is: model, blank: repeat}
      Batch Size: batch
      Tokens/sec: {metric: decode_tps, unit: tok/s}
      Speedup: {metric: decode_tps, as: ratio, to: {method: fp16}, where: {method: int4}}
      4: {metric: ttft, unit: ms}   # a column by its number, from 1
      Remarks: skip
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.metric import OWN, Direction, OwnMetric, metric
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS
from harness.core.spelling import unknown
from harness.formats.units import scale as factor_of
from harness.formats.units import why_not
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, plain, read, word

LABELS = ("model", "method", "recipe", "reference", "block")
PLACE = ("gpu", "gpu_count", "driver", "cuda", "cpu", "system", "python", "environment")
RUN = ("engine", "provider", "dtype", "date")
DIMENSIONS = (*LABELS, *WORKLOAD_NUMBERS, *WORKLOAD_TEXTS, *PLACE, *RUN)
SKIP, REPEAT = "skip", "repeat"
COMPARISONS = (
    "ratio",
    "inverse_ratio",
    "ratio_per_gpu",
    "loss_percent",
    "change_percent",
    "difference",
    "one_plus_reduction",
)
"""Published comparisons without their inputs, as tables name them; they have no unit and are kept as printed."""
_BETTER: dict[str, Direction] = {"higher": "higher", "lower": "lower", "none": "none"}
_MISSING = ("-", "")
_UNSUPPORTED = ("N/A",)
_TOP = ("source", "protocol", "probe", "missing", "unsupported", "tables")
_SOURCE = ("title", "url", "version", "configuration")
_TABLE = ("table", "header", "constants", "columns")
_VALUE = ("metric", "unit", "better", "as", "to", "where", "slice")


@dataclass(frozen=True)
class MappedColumn:
    """What one column is: a dimension, or values of a metric."""

    place: Node
    """Its name, or its number from 1."""
    dimension: str | None = None
    repeat: bool = False
    """Blank cells mean the value above."""
    metric: str | None = None
    unit: str = ""
    comparison: str | None = None
    to: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    """Dimensions that hold for this column alone."""
    slice: str = ""
    own: OwnMetric | None = None
    """Of a metric of somebody's own."""


@dataclass(frozen=True)
class TableMap:
    """Which table, and what its columns are."""

    table: Node
    header: int
    """Body row of the column names, from 1; 0 is the table's own header."""
    constants: Mapping[str, Any]
    columns: tuple[MappedColumn, ...]


@dataclass(frozen=True)
class Map:
    """A whole map."""

    path: Path
    source: Mapping[str, str]
    protocol: str
    probe: str
    missing: frozenset[str]
    unsupported: frozenset[str]
    """Marks for a number that there cannot be; none of them is in `missing`."""
    tables: tuple[TableMap, ...]


def read_map(path: Path, declared: Mapping[str, OwnMetric] | None = None) -> Map:
    """Read a map. Raises: ConfigError with every mistake and its line.

    declared: metrics of somebody's own that published files declare; those of the map alone have the unit that it says.
    """
    known = dict(declared or {})
    with collecting() as mistakes:
        top = mapping(read(path, mistakes), "a map", mistakes, _TOP)
        source = mapping(top["source"], "'source'", mistakes, _SOURCE) if "source" in top else {}
        if "tables" not in top:
            mistakes.add("a map needs 'tables'", Node(None, str(path), 1))
        tables = top["tables"].items if "tables" in top else []
        missing, unsupported = _marks(top, "missing", _MISSING), _marks(top, "unsupported", _UNSUPPORTED)
        if "unsupported" in top and missing & unsupported:
            both = ", ".join(f"'{mark}'" for mark in sorted(missing & unsupported))
            mistakes.add(
                f"{both} is in both 'missing' and 'unsupported'; keep it in one",
                top["unsupported"],
            )
        return Map(
            path=path,
            source={name: node.raw for name, node in source.items()},
            protocol=_word(top, "protocol", mistakes) or "markdown-table",
            probe=_word(top, "probe", mistakes) or "table",
            missing=missing - unsupported,
            unsupported=unsupported,
            tables=tuple(_table(node, known, mistakes) for node in tables),
        )


def _marks(top: Mapping[str, Node], name: str, otherwise: tuple[str, ...]) -> frozenset[str]:
    return frozenset(node.raw for node in top[name].items) if name in top else frozenset(otherwise)


def _word(fields: Mapping[str, Node], name: str, mistakes: Mistakes) -> str | None:
    return word(fields[name], f"'{name}'", mistakes) if name in fields else None


def _table(node: Node, known: dict[str, OwnMetric], mistakes: Mistakes) -> TableMap:
    fields = mapping(node, "a table", mistakes, _TABLE)
    for name in ("table", "columns"):
        if name not in fields:
            mistakes.add(f"a table needs '{name}'", node)
    header = plain(fields["header"]) if "header" in fields else 0
    if not isinstance(header, int) or header < 0:
        mistakes.add("'header' must be the number of a body row, from 1", fields["header"])
    columns = mapping(fields["columns"], "'columns'", mistakes) if "columns" in fields else {}
    return TableMap(
        table=fields.get("table", node),
        header=header,
        constants=_dimensions(fields.get("constants"), "'constants'", mistakes),
        columns=tuple(_column(name, part, known, mistakes) for name, part in columns.items()),
    )


def _dimensions(node: Node | None, what: str, mistakes: Mistakes) -> dict[str, Any]:
    """Read dimensions and their values: counts as numbers, names with all their digits."""
    fields = {} if node is None else mapping(node, what, mistakes, DIMENSIONS)
    return {name: _dimension(name, part, mistakes) for name, part in fields.items()}


def _dimension(name: str, node: Node, mistakes: Mistakes) -> Any:
    if name not in (*WORKLOAD_NUMBERS, "gpu_count"):
        return node.raw or word(node, f"'{name}'", mistakes)
    if not isinstance(node.value, int | float) or isinstance(node.value, bool):
        mistakes.add(f"'{name}' must be a number", node)
    return node.value


def _column(name: str, node: Node, known: dict[str, OwnMetric], mistakes: Mistakes) -> MappedColumn:
    place = Node(name, node.path, node.line)
    if isinstance(node.value, dict) and "metric" in node.fields:
        return _values(place, node, known, mistakes)
    fields = (
        mapping(node, f"column '{name}'", mistakes, ("is", "blank")) if isinstance(node.value, dict) else {"is": node}
    )
    dimension = _word(fields, "is", mistakes)
    if dimension not in (*DIMENSIONS, SKIP):
        mistakes.add(
            f"{unknown('dimension', dimension, DIMENSIONS)}; or a mapping with 'metric'", fields.get("is", node)
        )
    blank = _word(fields, "blank", mistakes)
    if blank not in (None, REPEAT):
        mistakes.add(f"'blank' can be '{REPEAT}' alone", fields["blank"])
    return MappedColumn(place, dimension=dimension, repeat=blank == REPEAT)


def _values(place: Node, node: Node, known: dict[str, OwnMetric], mistakes: Mistakes) -> MappedColumn:
    fields = mapping(node, f"column '{place.value}'", mistakes, _VALUE)
    name = _word(fields, "metric", mistakes) or ""
    comparison, unit = _word(fields, "as", mistakes), _word(fields, "unit", mistakes)
    try:
        own = _own(name, fields, node, known, mistakes) if name.startswith(OWN) and comparison is None else None
        target = "" if comparison else own.unit if own else metric(name).unit
    except HarnessError as error:
        mistakes.add(str(error), fields["metric"])
        own, target = None, ""
    if comparison is not None and comparison not in COMPARISONS:
        mistakes.add(unknown("comparison", comparison, COMPARISONS), fields["as"])
    if ("to" in fields) != (comparison is not None):
        mistakes.add(
            "a comparison needs both 'as' and 'to', as {metric: decode_tps, as: ratio, to: {method: fp16}}", node
        )
    if unit is not None and why_not(unit, target):
        mistakes.add(f"'{unit}' cannot be converted to '{target}', the unit of {comparison or name}", fields["unit"])
    to = _dimensions(fields.get("to"), "'to'", mistakes)
    return MappedColumn(
        place,
        metric=name,
        unit=target if unit is None else unit,
        comparison=comparison,
        to={key: str(value) for key, value in to.items()},
        where=_dimensions(fields.get("where"), "'where'", mistakes),
        slice=_word(fields, "slice", mistakes) or "",
        own=own,
    )


def _own(
    name: str, fields: Mapping[str, Node], node: Node, known: dict[str, OwnMetric], mistakes: Mistakes
) -> OwnMetric:
    """Give a metric of somebody's own the unit and direction of whoever declares it first: a published file, else the map."""
    metric(name)
    said = _word(fields, "better", mistakes) or "none"
    if said not in _BETTER:
        mistakes.add(unknown("direction", said, _BETTER), fields["better"])
    here = OwnMetric(
        unit=_word(fields, "unit", mistakes) or "", better=_BETTER.get(said, "none"), place=f"{node.path}:{node.line}"
    )
    there = known.setdefault(name, here)
    if wrong := here.against(there):
        mistakes.add(f"{name}: {wrong}", node)
    return replace(there, better=here.better if there.better == "none" else there.better)


def target_unit(column: MappedColumn) -> str:
    """Give the unit in which a column's values are kept."""
    return "" if column.comparison else column.own.unit if column.own else metric(column.metric or "").unit


def scale(column: MappedColumn) -> float:
    """Give what a printed number is times to be in the unit in which it is kept."""
    return factor_of(column.unit, target_unit(column))
