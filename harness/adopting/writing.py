"""An understood table as text: a block of a published file, and a table spec. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from harness.adopting.column import Column, Understood
from harness.adopting.published_text import Adopted, _base, _named, _said_unit, text_name
from harness.adopting.yaml_text import _NOTHING, flow, listed, scalar
from harness.core.metric import METRICS
from harness.tables import printed
from harness.tables.formats import NumberFormat

_NOTHING_SAID = frozenset({"", "-", "--", "\u2013", "\u2014", "n/a", "na"})


# ---------------------------------------------------------------- published file


# ---------------------------------------------------------------- spec


def spec(table: Adopted) -> str:
    """Write a table's spec."""
    understood = table.understood
    if understood.turned:
        return _turned(table)
    leading = understood.keys[: understood.leading]
    heads = understood.table.heads
    own_head = _needs_head(understood)
    headings = ["" if own_head else raw for raw in heads[-1]]
    lines = [f"{scalar(table.name)}:"]
    lines += [f"  where: {flow({'block': scalar(table.name)})}"] if table.several else []
    shown = {key.dimension: scalar(headings[key.place]) for key in leading}
    rows = {**{name: shown.get(name, _NOTHING) for name in understood.dimensions}, "origin": _NOTHING}
    lines += [f"  rows: {flow(rows)}", f"  show: {flow(shown)}"]
    lines += ["  order: [published]", "  caption: measured", f"  missing: {scalar(_missing(understood))}"]
    titles = _titles(table)
    if titles:
        lines.append("  titles:")
        for dimension, named in titles.items():
            lines += [f"    {dimension}:", *(f"      {_key(value)}: {scalar(raw)}" for value, raw in named.items())]
    lines += _style(understood, own_head=own_head, markdown=bool(titles))
    if any(name == "gpu" for column in understood.columns for name, _ in column.under):
        lines.append("  may_mix: [gpu]")
    lines.append("  cells:")
    for column in understood.columns:
        if column not in leading:
            heading = f"{column.title} ({column.place + 1})" if own_head else headings[column.place]
            lines.append(f"    {_key(heading)}: {_cell(table, column)}")
    return "\n".join(lines) + "\n"


def _turned(table: Adopted) -> str:
    """Write the spec of a table whose rows are metrics."""
    understood, names = table.understood, table.names
    *keys, axis = understood.keys
    (head,) = understood.table.heads
    numbers = [column for column in understood.columns if column.role == "number" and not column.comparison]
    compared = next((column for column in understood.columns if column.comparison), None)
    shown = {**{key.dimension: scalar(head[key.place]) for key in keys}, "metric": scalar(head[axis.place])}
    labels = {values[-1]: names.name(axis.dimension, values[-1]) for values in understood.values}
    lines = [f"{scalar(table.name)}:"]
    lines += [f"  where: {flow({'block': scalar(table.name)})}"] if table.several else []
    lines += [f"  rows: {flow({**shown, 'origin': _NOTHING})}", f"  show: {flow(shown)}", "  order: [published]"]
    lines += ["  caption: measured", f"  missing: {scalar(_missing(understood))}", "  titles:"]
    titles = {**_titles(table), "metric": {column.metric: column.title for column in numbers}}
    titles.pop(axis.dimension, None)
    for dimension, named in titles.items():
        lines += [f"    {dimension}:", *(f"      {_key(value)}: {scalar(raw)}" for value, raw in named.items())]
    lines += ["  style:", f"    align: [{', '.join(understood.table.aligns)}]", "    titles: markdown"]
    lines += [f"    blank: {listed(key.dimension for key in keys if key.place in understood.blank)}"]
    lines += [f"  pivot: {flow({axis.dimension: flow({name: scalar(raw) for raw, name in labels.items()})})}"]
    lines += ["  cells:", "    metric:"]
    for column in numbers:
        number_form = {"format": scalar(f"{written(printed.format_of(column.numbers))} printed")}
        unit = {"unit": scalar(column.unit)} if column.metric in METRICS and _said_unit(column) else {}
        lines.append(f"      {column.metric}: {flow({**number_form, **unit})}")
    if compared is not None:
        base = flow({axis.dimension: _base(compared, table)})
        form = scalar(f"{written(printed.format_of(compared.numbers))} printed")
        lines.append(f"    {_key(head[-1])}: {flow({'as': compared.comparison, 'baseline': base, 'format': form})}")
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) else text


def _needs_head(understood: Understood) -> bool:
    """Say whether headings stand in two rows, are empty or are no keys of YAML."""
    heads = understood.table.heads
    cells = [
        heads[-1][column.place] for column in understood.columns if column not in understood.keys[: understood.leading]
    ]
    return len(heads) > 1 or len(set(cells)) < len(cells) or bool({"", "metric"} & set(cells))


def _missing(understood: Understood) -> str:
    """Take the mark that stands most often for nothing, as it will for what was not measured."""
    numbers = [column for column in understood.columns if column.role == "number"]
    marks = Counter(cell for column in numbers for cell in column.cells if cell.casefold() in _NOTHING_SAID)
    return marks.most_common(1)[0][0] if marks else "-"


def _titles(table: Adopted) -> dict[str, dict[str, str]]:
    """Say what the table calls its values, and their attributes, where they are not called so anyway."""
    understood, names = table.understood, table.names
    found: dict[str, dict[str, str]] = {}
    for values in understood.values:
        named = _named(table, values)
        for key, raw in zip(understood.keys, values, strict=True):
            dimension, _, attribute = key.dimension.partition(".")
            name = named[dimension]
            title = (
                names.title(dimension, name, raw)
                if not attribute
                else None
                if names.shows(dimension, name, attribute, raw)
                else raw
            )
            if title is not None:
                found.setdefault(key.dimension, {})[name] = title
    return {key.dimension: found[key.dimension] for key in understood.keys if key.dimension in found}


def _style(understood: Understood, *, own_head: bool, markdown: bool) -> list[str]:
    aligns = understood.table.aligns
    lines = ["  style:", f"    align: [{', '.join(aligns)}]"]
    lines += ["    titles: markdown"] if markdown else []
    blank = [key.dimension for key in understood.keys if key.place in understood.blank]
    lines += [f"    blank: {listed(blank)}"] if blank else []
    if own_head:
        lines += ["    head:", *(f"      - {_texts(row)}" for row in understood.table.heads)]
    return lines


def _texts(row: Sequence[str]) -> str:
    return "[" + ", ".join(json.dumps(text, ensure_ascii=False) for text in row) + "]"


def _cell(table: Adopted, column: Column) -> str:
    if column.role == "key":
        return column.dimension
    if column.role == "spacer":
        return flow({"text": _NOTHING})
    if column.role == "text":
        return flow({"text": scalar(text_name(column))})
    parts = {"metric": column.metric, "format": scalar(f"{written(printed.format_of(column.numbers))} printed")}
    if column.comparison:
        base = _base(column, table)
        parts |= {"as": column.comparison, "baseline": flow({"method": base})}
    elif column.metric in METRICS and _said_unit(column):
        parts["unit"] = scalar(column.unit)
    if any(one.pm for one in column.numbers):
        parts["uncertainty"] = "pm"
    if behind := _behind(column):
        parts["behind"] = scalar(behind)
    if before := _before(column):
        parts["before"] = scalar(before)
    if column.under:
        parts["where"] = flow({name: scalar(table.names.name(name, value)) for name, value in column.under})
    return flow(parts)


def _behind(column: Column) -> str:
    """Take what most numbers have behind them, where the format does not write it."""
    found = Counter(f"{one.gap}{one.word}" for one in column.numbers if one.unit)
    numbers = column.numbers
    if not found or printed.format_of(numbers).suffix in {"x", "%"} or sum(found.values()) * 2 < len(numbers):
        return ""
    return found.most_common(1)[0][0]


def _before(column: Column) -> str:
    """Take the sign of the currency that most numbers have before them."""
    found = Counter(one.before for one in column.numbers)
    return found.most_common(1)[0][0] if found else ""


def written(form: NumberFormat) -> str:
    """Write a format as specs do."""
    return f"{'+' if form.sign else ''}{form.decimals}{',' if form.comma else ''}{form.suffix}"
