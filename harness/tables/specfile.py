"""Reading table specs from YAML: names are checked against what there is, and every mistake has its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError, HarnessError, unknown
from harness.core.metric import OWN, metric
from harness.core.spec import Status
from harness.plan.yamlfile import Mistakes, Node, collecting, kind, mapping, read, word
from harness.tables.columns import ATTRIBUTED, DIMENSIONS, MIXABLE
from harness.tables.compare import COMPARISONS
from harness.tables.formats import PLAIN, Format, factor, parse_format
from harness.tables.spec import CellSpec, Key, MetricRow, Pivot, Style, TableSpec, Uncertainty, Values

TABLE_KEYS = ("where", "each", "rows", "order", "show", "pivot", "cells", "baseline", "missing", "may_mix",
              "drop_empty", "pick", "template", "title", "caption", "uncertainty", "titles", "style")  # fmt: skip
CELL_KEYS = ("metric", "as", "inputs", "format", "unit", "stat", "part", "uncertainty", "paired", "bold", "where",
             "baseline", "words", "grey", "text", "behind")  # fmt: skip
UNCERTAINTIES = ("none", "pm", "interval", "footnote")
STATS = ("mean", "p50", "p90", "p95", "p99", "min", "max", "stdev")
ABSENT = "absent"
ANY = "any"
AS_PUBLISHED = "published"
"""In `order`: rows of published files in the order of the file."""
MEASURED = "measured"
"""As `caption`: footnotes of measured rows alone."""
ALIGNS = ("left", "right", "center", "none")
SUFFIX = ".tables.yaml"


Names = Mapping[str, Collection[str]]
"""Dimension -> names that exist, and `dimension.` -> attributes that they have; what is not here is not checked."""


def read_specs(path: Path, names: Names | None = None) -> list[TableSpec]:
    """Read one file of tables.

    A table without `where: {sweep: ...}` shows the sweep that the file is named for; `sweep: any` shows all.
    Raises: ConfigError with every mistake of the file, each with its line and the nearest right name.
    """
    sweep = path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else ""
    with collecting() as mistakes:
        return [
            _table(name, node, sweep, names or {}, mistakes)
            for name, node in mapping(read(path, mistakes), "a file of tables", mistakes).items()
        ]


def names_in(path: Path) -> frozenset[str]:
    """Name the tables of a file; none of one that is no YAML, which is told where its tables are read."""
    try:
        return frozenset(read(path, Mistakes()).fields)
    except ConfigError:
        return frozenset()


def _table(name: str, node: Node, sweep: str, names: Names, mistakes: Mistakes) -> TableSpec:
    fields = mapping(node, f"table '{name}'", mistakes, TABLE_KEYS)
    for needed in ("rows", "cells"):
        if needed not in fields and isinstance(node.value, dict):
            mistakes.add(f"table '{name}' needs '{needed}'", node)
    where = _where(fields.get("where"), mistakes)
    if sweep and "sweep" not in where:
        where = {"sweep": (sweep,), **where}
    if where.get("sweep") == (ANY,):
        del where["sweep"]
    rows = _keys(fields.get("rows"), "rows", mistakes)
    metrics = _metric_rows(fields.get("cells"), mistakes)
    baseline = _baseline(fields.get("baseline"), mistakes)
    uncertainty: Any = _choice(fields.get("uncertainty"), "uncertainty", UNCERTAINTIES, mistakes) or "none"
    beside = "caption" in fields and fields["caption"].value == MEASURED
    spec = TableSpec(
        name=name,
        rows=rows,
        cells=tuple(_cells(fields.get("cells"), baseline, uncertainty, bool(metrics), mistakes)),
        where=where,
        each=tuple(_dimensions(fields.get("each"), "each", mistakes)),
        order=tuple(_order(fields.get("order"), mistakes)),
        show=_keys(fields.get("show"), "show", mistakes) or rows,
        pivot=_pivot(fields.get("pivot"), mistakes),
        metrics=metrics,
        missing=_missing(fields.get("missing"), mistakes),
        may_mix=frozenset(_may_mix(fields.get("may_mix"), mistakes)),
        drop_empty=_choice(fields.get("drop_empty"), "drop_empty", ("columns", "rows", "both"), mistakes) or "",
        pick=_choice(fields.get("pick"), "pick", ("latest", "median_of_runs"), mistakes) or "latest",
        template=_text(fields.get("template"), "template", mistakes) or "table",
        title=_text(fields.get("title"), "title", mistakes),
        caption=not beside and _truth(fields.get("caption"), "caption", mistakes, default=True),
        beside=beside,
        titles=_titles(fields.get("titles"), mistakes),
        style=_style(fields.get("style"), (*rows, *_keys(fields.get("show"), "show", Mistakes())), mistakes),
        path=node.path,
        line=node.line,
    )
    _check(spec, node, fields, mistakes)
    _check_attributes(spec, names, fields, mistakes)
    for part in (node, *node.fields.get("cells", node).fields.values()):
        _check_names(part, names, mistakes)
    return spec


def _check_names(node: Node, names: Names, mistakes: Mistakes) -> None:
    """Hold the names in `where`, `baseline` and `pivot` against the catalogue: a slip would leave a table empty."""
    for key in ("where", "baseline", "pivot"):
        for dimension, values in node.fields.get(key, Node(None, node.path, node.line)).fields.items():
            named = list(values.fields.items()) or [(str(item.value), item) for item in values.items]
            for name, place in named:
                if names.get(dimension) and name not in names[dimension] and not _others(dimension, name, names):
                    mistakes.add(unknown(dimension, name, names[dimension]), place)


def _others(dimension: str, name: str, names: Names) -> bool:
    """Say whether a name can be somebody else's engine: reported and imported numbers come from any, ours from a few."""
    return dimension == "engine" and not get_close_matches(name, names[dimension], n=1)


def _check_attributes(spec: TableSpec, names: Names, fields: Mapping[str, Node], mistakes: Mistakes) -> None:
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


def _check(spec: TableSpec, node: Node, fields: Mapping[str, Node], mistakes: Mistakes) -> None:
    """Find what is wrong between the parts of a table."""
    metric_row = "metric" in spec.row_dimensions
    if metric_row != bool(spec.metrics):
        mistakes.add(
            "'metric' in rows and 'cells: {metric: {NAME: FORMAT}}' belong together", fields.get("cells", node)
        )
    known = {key.name for key in spec.rows} | {"value", AS_PUBLISHED, *spec.each}
    for name in spec.order:
        if name not in known:
            mistakes.add(unknown("column in order", name, known), fields["order"])
    for key in spec.show:
        if key.name not in known and not (key.attribute and key.dimension in spec.row_dimensions):
            mistakes.add(unknown("column in show", key.name, {row.name for row in spec.rows}), fields["show"])
    for key in (*spec.rows, *spec.show):
        if key.attribute and key.dimension not in {*spec.each, *spec.row_dimensions}:
            mistakes.add(
                f"'{key.name}' needs '{key.dimension}' among the rows; add it",
                fields["rows"],
            )
    if spec.pivot and spec.pivot.dimension in {*spec.each, *spec.row_dimensions}:
        mistakes.add(f"'{spec.pivot.dimension}' cannot be both a row and the pivot", fields["pivot"])


# ---------------------------------------------------------------- parts of a table


def _where(node: Node | None, mistakes: Mistakes) -> dict[str, Values]:
    if node is None:
        return {}
    found: dict[str, Values] = {}
    for name, part in mapping(node, "where", mistakes, DIMENSIONS).items():
        found[name] = tuple(value for item in part.items if (value := _value(item, name, mistakes)) is not None)
    return found


def _value(node: Node, what: str, mistakes: Mistakes) -> str | None:
    if isinstance(node.value, dict | list) or node.value is None:
        mistakes.add(f"a value of '{what}' must be a name or a number; it is {kind(node)}", node)
        return None
    return str(node.value)


def _baseline(node: Node | None, mistakes: Mistakes) -> dict[str, str]:
    if node is None:
        return {}
    fields = mapping(node, "baseline", mistakes, DIMENSIONS)
    return {name: value for name, part in fields.items() if (value := _value(part, name, mistakes)) is not None}


def _dimensions(node: Node | None, what: str, mistakes: Mistakes) -> list[str]:
    names = [] if node is None else [(word(item, f"a dimension in {what}", mistakes), item) for item in node.items]
    for name, item in names:
        if name is not None and name not in DIMENSIONS:
            mistakes.add(unknown(f"column in {what}", name, DIMENSIONS), item)
    return [name for name, _ in names if name in DIMENSIONS]


def _keys(node: Node | None, what: str, mistakes: Mistakes) -> tuple[Key, ...]:
    """Read row keys: a list of names, or a mapping from names to headings."""
    if node is None:
        return ()
    if node.fields:
        given: list[tuple[str, str | None, Node]] = [
            (name, _text(part, f"heading of {name}", mistakes), part) for name, part in node.fields.items()
        ]
    else:
        given = [(word(item, f"a column in {what}", mistakes) or "", None, item) for item in node.items]
    return tuple(key for name, header, item in given if (key := _key(name, header, what, item, mistakes)) is not None)


def _key(name: str, header: str | None, what: str, node: Node, mistakes: Mistakes) -> Key | None:
    dimension, _, attribute = name.partition(".")
    known = ATTRIBUTED if attribute else tuple(DIMENSIONS)
    if dimension not in known:
        if name:
            mistakes.add(unknown(f"column in {what}", dimension, known), node)
        return None
    heading = attribute.replace("_", " ").capitalize() if attribute else DIMENSIONS[dimension]
    if attribute == "title":
        heading = DIMENSIONS[dimension]
    return Key(name, heading if header is None else header)


def _order(node: Node | None, mistakes: Mistakes) -> list[str]:
    return [] if node is None else [name for item in node.items if (name := word(item, "order", mistakes)) is not None]


def _pivot(node: Node | None, mistakes: Mistakes) -> Pivot | None:
    if node is None:
        return None
    if not node.fields:
        names = _dimensions(node, "pivot", mistakes)
        if len(names) > 1:
            mistakes.add("a pivot names one dimension; put the others in rows or each", node)
        return Pivot(names[0]) if names else None
    if len(node.fields) != 1:
        mistakes.add("a pivot names one dimension; put the others in rows or each", node)
    name, values = next(iter(mapping(node, "pivot", mistakes, DIMENSIONS).items()), ("", node))
    if not name:
        return None
    if values.fields:
        return Pivot(name, tuple((value, _text(part, "label", mistakes)) for value, part in values.fields.items()))
    found = [value for item in values.items if (value := _value(item, name, mistakes)) is not None]
    return Pivot(name, tuple((value, "") for value in found))


def _titles(node: Node | None, mistakes: Mistakes) -> dict[str, dict[str, str]]:
    fields = mapping(node, "titles", mistakes) if node is not None else {}
    for name, part in fields.items():
        for dimension in name.split("+"):
            if dimension not in DIMENSIONS and dimension.partition(".")[0] not in ATTRIBUTED:
                mistakes.add(unknown("dimension in titles", dimension, DIMENSIONS), part)
    return {name: _words(part, f"titles of {name}", mistakes) for name, part in fields.items()}


def _words(node: Node | None, what: str, mistakes: Mistakes) -> dict[str, str]:
    fields = mapping(node, what, mistakes) if node is not None else {}
    return {name: _text(part, what, mistakes) for name, part in fields.items()}


def _style(node: Node | None, rows: Sequence[Key], mistakes: Mistakes) -> Style:
    if node is None:
        return Style()
    known_keys = ("header", "align", "groups", "blank", "links", "head", "titles")
    fields = mapping(node, "style", mistakes, known_keys)
    align = fields.get("align")
    each = align is not None and isinstance(align.value, list)
    blank = [(word(item, "blank", mistakes), item) for item in fields["blank"].items] if "blank" in fields else []
    known = [key.name for key in rows]
    for name, item in blank:
        if name is not None and name not in known:
            mistakes.add(unknown("row key in blank", name, known), item)
    return Style(
        header=_choice(fields.get("header"), "header", ("plain", "bold", "body"), mistakes) or "plain",
        align="" if each else _choice(align, "align", ALIGNS, mistakes),
        aligns=tuple(_choice(item, "align", ALIGNS, mistakes) or "none" for item in align.items)
        if align and each
        else (),
        head=tuple(tuple(cell.raw for cell in row.items) for row in fields["head"].items) if "head" in fields else (),
        markup=_choice(fields.get("titles"), "titles", ("plain", "markdown"), mistakes) == "markdown",
        groups=_truth(fields.get("groups"), "groups", mistakes),
        blank=tuple(name for name, _ in blank if name in known) if "blank" in fields else None,
        links=_truth(fields.get("links"), "links", mistakes, default=True),
    )


def _missing(node: Node | None, mistakes: Mistakes) -> dict[str, str]:
    """Read what stands for absent values: one token for what was never measured, or a token for each status."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        return {ABSENT: _text(node, "missing", mistakes)}
    known = [ABSENT, *(status.value for status in Status if status is not Status.OK)]
    fields = mapping(node, "missing", mistakes, known)
    return {name: _text(part, name, mistakes) for name, part in fields.items()}


def _may_mix(node: Node | None, mistakes: Mistakes) -> list[str]:
    names = [] if node is None else [(word(item, "may_mix", mistakes), item) for item in node.items]
    for name, item in names:
        head, _, package = (name or "").partition(".")
        if name and not (head == "environment" and package) and name not in MIXABLE:
            mistakes.add(f"{unknown('field in may_mix', name, MIXABLE)}; a package is written environment.NAME", item)
    return [name for name, _ in names if name]


# ---------------------------------------------------------------- cells


def _metric_rows(node: Node | None, mistakes: Mistakes) -> dict[str, MetricRow]:
    """Read `cells: {metric: {mmlu_acc: 2%, ttft: {format: 1, unit: ms}}}`, where the metric is a row."""
    named = node.fields.get("metric") if node is not None else None
    if named is None or not named.fields:
        return {}
    return {name: _metric_row(name, part, mistakes) for name, part in named.fields.items()}


def _metric_row(name: str, node: Node, mistakes: Mistakes) -> MetricRow:
    fields = mapping(node, f"metric '{name}'", mistakes, ("format", "unit")) if node.fields else {"format": node}
    unit = _text(fields.get("unit"), "unit", mistakes) or None
    _check_metric(name, fields.get("unit", node), unit, mistakes)
    return MetricRow(_format(fields.get("format"), mistakes), unit)


def _cells(
    node: Node | None, baseline: Mapping[str, str], uncertainty: Uncertainty, metric_rows: bool, mistakes: Mistakes
) -> list[CellSpec]:
    if node is None:
        return []
    fields = mapping(node, "cells", mistakes)
    if "metric" in fields and not fields["metric"].fields:
        return [_cell("", node, mistakes, baseline=baseline, uncertainty=uncertainty, metric_rows=False)]
    found = [CellSpec("", uncertainty=uncertainty, line=node.line)] if metric_rows else []
    for header, part in fields.items():
        if header == "metric" and metric_rows:
            continue
        if part.fields:
            cell = _cell(header, part, mistakes, baseline=baseline, uncertainty=uncertainty, metric_rows=metric_rows)
            found.append(cell)
        else:
            key = _key(word(part, f"cell '{header}'", mistakes) or "", header, "cells", part, mistakes)
            found.append(CellSpec(header, attribute=key, line=part.line))
    return found


def _cell(
    header: str,
    node: Node,
    mistakes: Mistakes,
    *,
    baseline: Mapping[str, str],
    uncertainty: Uncertainty,
    metric_rows: bool,
) -> CellSpec:
    fields = mapping(node, f"cell '{header}'" if header else "cells", mistakes, CELL_KEYS)
    name = word(fields["metric"], "metric", mistakes) if "metric" in fields else None
    unit = _text(fields.get("unit"), "unit", mistakes) or None
    if name is not None:
        _check_metric(name, fields.get("unit", fields["metric"]), unit, mistakes)
    elif not metric_rows and "metric" not in fields and "text" not in fields:
        mistakes.add(f"cell '{header}' needs 'metric'", node)
    own_baseline = _baseline(fields.get("baseline"), mistakes)
    bold_where = _where(fields["bold"], mistakes) if "bold" in fields and fields["bold"].fields else {}
    cell = CellSpec(
        header=header,
        metric=name,
        comparison=_choice(fields.get("as"), "comparison", COMPARISONS, mistakes) or "value",
        inputs=_choice(fields.get("inputs"), "inputs", ("raw", "displayed"), mistakes) or None,
        format=_format(fields.get("format"), mistakes),
        unit=unit,
        stat=_choice(fields.get("stat"), "stat", STATS, mistakes) or None,
        part=_text(fields.get("part"), "part", mistakes),
        uncertainty=_choice(fields.get("uncertainty"), "uncertainty", UNCERTAINTIES, mistakes) or uncertainty,
        paired=_truth(fields.get("paired"), "paired", mistakes),
        bold="" if bold_where else _choice(fields.get("bold"), "bold", ("best", "all"), mistakes) or "",
        bold_where=bold_where,
        grey=_truth(fields.get("grey"), "grey", mistakes),
        words=_words(fields.get("words"), "words", mistakes),
        where=_where(fields.get("where"), mistakes),
        baseline=own_baseline or baseline,
        text=_text(fields["text"], "text", mistakes) if "text" in fields else None,
        behind=_text(fields.get("behind"), "behind", mistakes),
        line=node.line,
    )
    _check_cell(cell, node, mistakes)
    return cell


def _check_cell(cell: CellSpec, node: Node, mistakes: Mistakes) -> None:
    comparison = COMPARISONS.get(cell.comparison)
    if comparison is not None and comparison.needs_baseline and not cell.baseline:
        mistakes.add(f"'{cell.comparison}' needs a baseline, as 'baseline: {{method: fp32}}' of the table", node)
    if cell.grey and (comparison is None or comparison.neutral is None):
        mistakes.add("'grey' is for comparisons; remove it from a plain value", node)
    if cell.paired and cell.comparison != "difference":
        mistakes.add("'paired' needs 'as: difference'", node)
    if cell.paired and cell.stat:
        mistakes.add(
            f"'paired' compares values, and '{cell.stat}' is a statistic of their samples; leave one of them out", node
        )
    if cell.stat and cell.uncertainty != "none" and "uncertainty" in node.fields:
        mistakes.add(f"'{cell.stat}' of samples has no interval; leave out 'uncertainty'", node)


def _check_metric(name: str, node: Node, unit: str | None, mistakes: Mistakes) -> None:
    """Hold a metric's name against those that are known, and a unit against the one that it is stored in."""
    try:
        if not name.startswith(OWN):  # those have the unit that their file declares
            factor(metric(name).unit, unit)
    except HarnessError as error:
        mistakes.add(str(error), node)


def _format(node: Node | None, mistakes: Mistakes) -> Format:
    if node is None:
        return PLAIN
    if isinstance(node.value, dict | list):
        mistakes.add(f"a format must be a word, e.g. 2x; it is {kind(node)}", node)
        return PLAIN
    try:
        return parse_format(node.value)
    except HarnessError as error:
        mistakes.add(str(error), node)
        return PLAIN


def _text(node: Node | None, what: str, mistakes: Mistakes) -> str:
    if node is None or node.value == "":
        return ""
    if isinstance(node.value, dict | list) or node.value is None:
        mistakes.add(f"{what} must be a text; it is {kind(node)}", node)
        return ""
    return str(node.value)


def _truth(node: Node | None, what: str, mistakes: Mistakes, *, default: bool = False) -> bool:
    if node is None:
        return default
    if not isinstance(node.value, bool):
        other = f" or '{MEASURED}'" if what == "caption" else ""
        mistakes.add(f"{what} must be true or false{other}; it is {kind(node)}", node)
        return default
    return node.value


def _choice(node: Node | None, what: str, known: Sequence[str] | Mapping[str, Any], mistakes: Mistakes) -> Any:
    """Return one word of a closed list, or "" where it is not given or not known."""
    name = "" if node is None else word(node, what, mistakes) or ""
    if node is not None and name and name not in known:
        mistakes.add(unknown(what, name, known), node)
        return ""
    return name
