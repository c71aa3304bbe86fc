"""Reading table specs from YAML: names are checked against what there is, and every mistake has its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError, HarnessError
from harness.core.metric import OWN, metric
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, plain, read, validate, word
from harness.tables.compare import COMPARISONS
from harness.tables.formats import factor
from harness.tables.spec import CellSpec, MetricRow, Style, TableSpec
from harness.tables.specentries import CellEntry, MetricEntry, SpecEntry, StyleEntry, TableEntry
from harness.tables.specfields import MEASURED, key_of

ANY = "any"
AS_PUBLISHED = "published"
"""In `order`: rows of published files in the order of the file."""
SUFFIX = ".tables.yaml"

KnownNames = Mapping[str, Collection[str]]
"""Dimension -> names that exist, and `dimension.` -> attributes that they have; what is not here is not checked."""


def read_specs(path: Path, names: KnownNames | None = None) -> list[TableSpec]:
    """Read one file of tables.

    A table without `where: {sweep: ...}` shows the sweep that the file is named for; `sweep: any` shows all.
    Raises: ConfigError with every mistake of the file, each with its line and the nearest right name.
    """
    sweep = path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else ""
    with collecting() as mistakes:
        nodes = mapping(read(path, mistakes), "a file of tables", mistakes)
        found = [_table(name, node, sweep, names or {}, mistakes) for name, node in nodes.items()]
    return [spec for spec in found if spec is not None]


def names_in(path: Path) -> frozenset[str]:
    """Name the tables of a file; none of one that is no YAML, which is told where its tables are read."""
    try:
        return frozenset(read(path, Mistakes()).fields)
    except ConfigError:
        return frozenset()


def _table(name: str, node: Node, sweep: str, names: KnownNames, mistakes: Mistakes) -> TableSpec | None:
    for part in (node, *node.fields.get("cells", node).fields.values()):
        _check_names(part, names, mistakes)
    entry: TableEntry | None = _entry(TableEntry, node, f"table '{name}'", mistakes)
    cells_node = node.fields.get("cells")
    metrics = {} if cells_node is None else _metric_rows(cells_node, mistakes)
    cells = () if cells_node is None else tuple(_cells(cells_node, entry, mistakes, metric_rows=bool(metrics)))
    if entry is None:
        return None
    spec = _spec(name, entry, cells, metrics, sweep, node)
    _check(spec, node, mistakes)
    _check_attributes(spec, names, node.fields, mistakes)
    return spec


def _spec(
    name: str, entry: TableEntry, cells: tuple[CellSpec, ...], metrics: dict[str, MetricRow], sweep: str, node: Node
) -> TableSpec:
    where = dict(entry.where)
    if sweep and "sweep" not in where:
        where = {"sweep": (sweep,), **where}
    if where.get("sweep") == (ANY,):
        del where["sweep"]
    said: dict[str, Any] = {
        part: getattr(entry, part)
        for part in ("rows", "each", "order", "pivot", "missing", "drop_empty", "pick", "title", "titles")
    }
    return TableSpec(
        name=name, cells=cells, where=where, show=entry.show or entry.rows, metrics=metrics, **said,
        may_mix=frozenset(entry.may_mix), template=entry.template or "table",
        caption=entry.caption is True, beside=entry.caption == MEASURED,
        style=_style(entry.style), path=node.path, line=node.line,
    )  # fmt: skip


def _style(entry: StyleEntry) -> Style:
    each = isinstance(entry.align, tuple)
    said: dict[str, Any] = {part: getattr(entry, part) for part in ("header", "head", "groups", "blank", "links")}
    said |= {"aligns" if each else "align": entry.align}
    return Style(markup=entry.titles == "markdown", **said)


def _entry(kind: type[SpecEntry], node: Node, what: str, mistakes: Mistakes) -> Any:
    """Read a record; a key without a value is a mistake."""
    given = _as_written(node)
    if isinstance(given.value, dict):
        for name, part in given.fields.items():
            if part.value is None:
                mistakes.add(f"'{name}' of {what} is empty; give it a value, or leave it out", part)
        given = Node(
            {name: part for name, part in given.fields.items() if part.value is not None}, node.path, node.line
        )
    return validate(kind, given, what, mistakes)


def _as_written(node: Node) -> Node:
    """Put scalars whose digits matter as they are written: in the rows of a heading, and in formats."""
    if not isinstance(node.value, dict):
        return node
    raw = {"format": lambda part: _raw(part, 0), "head": lambda part: _raw(part, 2), "style": _as_written}
    return Node({name: raw.get(name, _same)(part) for name, part in node.value.items()}, node.path, node.line)


def _same(node: Node) -> Node:
    return node


def _raw(node: Node, depth: int) -> Node:
    if isinstance(node.value, list) and depth:
        return Node([_raw(part, depth - 1) for part in node.value], node.path, node.line)
    return Node(node.raw, node.path, node.line, node.raw) if isinstance(node.value, int | float) else node


# ---------------------------------------------------------------- cells


def _metric_rows(node: Node, mistakes: Mistakes) -> dict[str, MetricRow]:
    """Read `cells: {metric: {mmlu_acc: 2%, ttft: {format: 1, unit: ms}}}`, where the metric is a row."""
    named = node.fields.get("metric", node).fields if "metric" in node.fields else {}
    found = {name: _metric_row(name, part, mistakes) for name, part in named.items()}
    return {name: row for name, row in found.items() if row is not None}


def _metric_row(name: str, node: Node, mistakes: Mistakes) -> MetricRow | None:
    given = node if node.fields else Node({"format": node}, node.path, node.line)
    entry: MetricEntry | None = _entry(MetricEntry, given, f"metric '{name}'", mistakes)
    _check_unit(name, node.fields.get("unit", node), entry.unit if entry else "", mistakes)
    return None if entry is None else MetricRow(entry.format, entry.unit or None)


def _cells(node: Node, table: TableEntry | None, mistakes: Mistakes, *, metric_rows: bool) -> list[CellSpec]:
    fields = mapping(node, "cells", mistakes)
    if "metric" in fields and not fields["metric"].fields:
        return _cell("", node, table, mistakes)
    found = [CellSpec("", uncertainty=_uncertainty(None, table), line=node.line)] if metric_rows else []
    for header, part in fields.items():
        if part.fields and not (header == "metric" and metric_rows):
            found += _cell(header, part, table, mistakes, metric_rows=metric_rows)
        elif not part.fields:
            found += _attribute(header, part, mistakes)
    return found


def _attribute(header: str, node: Node, mistakes: Mistakes) -> list[CellSpec]:
    """Read a cell that shows what a catalogue says of a name, as `method.granularity`."""
    name = word(node, f"cell '{header}'", mistakes)
    if name is None:
        return []
    try:
        return [CellSpec(header, attribute=key_of(name, header, "cells"), line=node.line)]
    except ValueError as error:
        mistakes.add(str(error), node)
        return []


def _uncertainty(said: str | None, table: TableEntry | None) -> Any:
    return said or (table.uncertainty if table else "none")


def _cell(
    header: str, node: Node, table: TableEntry | None, mistakes: Mistakes, *, metric_rows: bool = False
) -> list[CellSpec]:
    entry: CellEntry | None = _entry(CellEntry, node, f"cell '{header}'" if header else "cells", mistakes)
    if entry is None:
        return []
    if entry.metric is not None:
        _check_unit(entry.metric, node.fields.get("unit", node.fields["metric"]), entry.unit, mistakes)
    elif not metric_rows and "text" not in node.fields:
        mistakes.add(f"cell '{header}' needs 'metric'", node)
    same = (
        "metric",
        "comparison",
        "inputs",
        "format",
        "stat",
        "slice",
        "paired",
        "inconclusive",
        "words",
        "where",
        "text",
    )
    said: dict[str, Any] = {name: getattr(entry, name) for name in (*same, "behind", "before")}
    said |= {"bold_where" if isinstance(entry.bold, dict) else "bold": entry.bold}
    cell = CellSpec(
        header=header,
        unit=entry.unit or None,
        uncertainty=_uncertainty(entry.uncertainty, table),
        baseline=entry.baseline or (table.baseline if table else {}),
        line=node.line,
        **said,
    )
    _check_cell(cell, node, mistakes, known_table=table is not None)
    return [cell]


# ---------------------------------------------------------------- checks between parts


def _check(spec: TableSpec, node: Node, mistakes: Mistakes) -> None:
    """Find what is wrong between the parts of a table."""
    fields = node.fields
    metric_row = "metric" in spec.row_dimensions
    if metric_row != bool(spec.metrics):
        mistakes.add("'metric' in rows and 'cells: {metric: {NAME: FORMAT}}' belong together", fields["cells"])
    if spec.pivot and spec.pivot.dimension in {*spec.each, *spec.row_dimensions}:
        mistakes.add(f"'{spec.pivot.dimension}' cannot be both a row and the pivot", fields["pivot"])
    rows = [key.name for key in (*spec.rows, *spec.show)]
    for name in spec.style.blank or ():
        if name not in rows:
            mistakes.add(unknown("row key in blank", name, rows), fields["style"].fields["blank"])
    _check_keys(spec, fields, mistakes)


def _check_keys(spec: TableSpec, fields: Mapping[str, Node], mistakes: Mistakes) -> None:
    known = {key.name for key in spec.rows} | {"value", AS_PUBLISHED, *spec.each}
    for name in spec.order:
        if name not in known:
            mistakes.add(unknown("column in order", name, known), fields["order"])
    for key in spec.show:
        if key.name not in known and not (key.attribute and key.dimension in spec.row_dimensions):
            mistakes.add(unknown("column in show", key.name, {row.name for row in spec.rows}), fields["show"])
    for key in (*spec.rows, *spec.show):
        if key.attribute and key.dimension not in {*spec.each, *spec.row_dimensions}:
            mistakes.add(f"'{key.name}' needs '{key.dimension}' among the rows; add it", fields["rows"])


def _check_cell(cell: CellSpec, node: Node, mistakes: Mistakes, *, known_table: bool) -> None:
    comparison = COMPARISONS[cell.comparison]
    if known_table and comparison.needs_baseline and not cell.baseline:
        mistakes.add(f"'{cell.comparison}' needs a baseline, as 'baseline: {{method: fp32}}' of the table", node)
    if cell.inconclusive and comparison.neutral is None:
        mistakes.add("'inconclusive' is for comparisons; remove it from a plain value", node)
    if cell.paired and cell.comparison != "difference":
        mistakes.add("'paired' needs 'as: difference'", node)
    if cell.paired and cell.stat:
        mistakes.add(
            f"'paired' compares values, and '{cell.stat}' is a statistic of their samples; leave one of them out", node
        )
    if cell.stat and cell.uncertainty != "none" and "uncertainty" in node.fields:
        mistakes.add(f"'{cell.stat}' of samples has no interval; leave out 'uncertainty'", node)


def _check_unit(name: str, node: Node, unit: str, mistakes: Mistakes) -> None:
    """Hold a metric's name against those that are known, and a unit against the one that it is stored in."""
    try:
        if not name.startswith(OWN):  # those have the unit that their file declares
            factor(metric(name).unit, unit or None)
    except HarnessError as error:
        mistakes.add(str(error), node)


def _check_names(node: Node, names: KnownNames, mistakes: Mistakes) -> None:
    """Hold the names in `where`, `baseline` and `pivot` against the catalogue: a slip would leave a table empty."""
    for key in ("where", "baseline", "pivot"):
        for dimension, values in node.fields.get(key, Node(None, node.path, node.line)).fields.items():
            named = list(values.fields.items()) or [(str(plain(item)), item) for item in values.items]
            for name, place in named:
                if names.get(dimension) and name not in names[dimension] and not _others(dimension, name, names):
                    mistakes.add(unknown(dimension, name, names[dimension]), place)


def _others(dimension: str, name: str, names: KnownNames) -> bool:
    """Say whether a name can be somebody else's engine: reported and imported numbers come from any, ours from a few."""
    return dimension == "engine" and not get_close_matches(name, names[dimension], n=1)


def _check_attributes(spec: TableSpec, names: KnownNames, fields: Mapping[str, Node], mistakes: Mistakes) -> None:
    """Hold attributes against the catalogue: a slip would show a column of dashes."""
    cells = tuple(cell.attribute for cell in spec.cells if cell.attribute)
    for part, keys in (("rows", spec.rows), ("show", spec.show), ("cells", cells)):
        for key in keys:
            known = names.get(f"{key.dimension}.")
            if (
                part in fields
                and key.attribute
                and known
                and key.attribute not in known
                and key.name not in spec.titles
            ):
                mistakes.add(unknown(f"attribute of {key.dimension}", key.attribute, known), fields[part])
