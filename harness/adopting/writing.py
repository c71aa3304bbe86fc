"""An understood table as text: a block of a published file, and a table spec. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from harness.adopting.column import Column, Understood
from harness.adopting.names import NAMED, More, Names, seen, slug
from harness.core.metric import METRICS, OWN
from harness.core.spec import WORKLOAD_NUMBERS
from harness.tables import printed
from harness.tables.formats import NumberFormat

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+/-]*|\d{1,15}(\.\d{1,15})?")
_YAML_WORDS = frozenset({"null", "true", "false"})
_NOTHING_SAID = frozenset({"", "-", "--", "\u2013", "\u2014", "n/a", "na"})
_NOTHING = '""'
"""An empty text in YAML."""


def scalar(text: str) -> str:
    """Write a text as YAML, in quotes unless it is a plain word or number."""
    return (
        text if _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS else json.dumps(text, ensure_ascii=False)
    )


def flow(parts: Mapping[str, str]) -> str:
    """Write a mapping of texts that are YAML already on one line."""
    return "{" + ", ".join(f"{scalar(name)}: {text}" for name, text in parts.items()) + "}"


def listed(texts: Iterable[str]) -> str:
    """Write a list of texts on one line."""
    return "[" + ", ".join(map(scalar, texts)) + "]"


@dataclass(frozen=True)
class Adopted:
    """A table with the name under which it is data."""

    name: str
    understood: Understood
    names: Names
    several: bool = False
    """It shares its files with other tables of the page, from which its block tells it apart."""


# ---------------------------------------------------------------- published file


def published(tables: Sequence[Adopted], title: str, sweep: str, day: date) -> str:
    """Write the numbers of tables as a published file, each as it was printed."""
    head = [
        f"# What stood in {title} when `harness adopt` took it over; numbers and words are quoted as they were printed.",
        f"reported: {flow({'title': scalar(title), 'date': day.isoformat(), 'sweep': scalar(sweep)})}",
    ]
    return (
        "\n".join([*head, *_declared(tables), "blocks:", *(line for table in tables for line in _block(table))]) + "\n"
    )


def _declared(tables: Sequence[Adopted]) -> list[str]:
    own: dict[str, str] = {}
    for table in tables:
        for column in table.understood.columns:
            if column.metric.startswith(OWN) and not column.comparison:
                facts = {"title": scalar(_spoken(column, table)), "unit": scalar(column.unit), "better": column.better}
                kept = {name: text for name, text in facts.items() if text not in {_NOTHING, "none"}}
                own.setdefault(column.metric, flow(kept))
    lines = ["metrics:", *(f"  {name}: {text}" for name, text in own.items())] if own else []
    new = tables[0].names.new if tables else {}
    for kind in NAMED:
        if new.get(kind):
            lines += [f"{kind}s:", *(f"  {scalar(name)}: {_facts(texts)}" for name, texts in new[kind].items())]
    return lines


def _spoken(column: Column, table: Adopted) -> str:
    if table.understood.turned:
        return seen(column.title)
    if column.under:
        return column.metric.removeprefix(OWN).replace("_", " ")
    return seen(table.understood.table.heads[-1][column.place]) or column.title


def _facts(texts: Mapping[str, str]) -> str:
    return flow({name: scalar(text) for name, text in texts.items() if text})


def _block(table: Adopted) -> list[str]:
    understood, names = table.understood, table.names
    numbers = [column for column in understood.columns if column.role == "number"]
    texts = [column for column in understood.columns if column.role == "text"]
    metrics = list(dict.fromkeys(map(quantity_name, numbers)))
    told = {quantity_name(column): _told(column, table) for column in numbers}
    told = {name: facts for name, facts in told.items() if facts}
    above = list(dict.fromkeys(dimension for column in numbers for dimension, _ in column.under))
    keys = understood.dimensions
    columns = [*keys, *above, *metrics, *map(text_name, texts)]
    words = list(dict.fromkeys(word for column in numbers for word in column.words))
    lines = [f"  - block: {scalar(table.name)}"]
    lines += [f"    metrics: {flow({name: flow(facts) for name, facts in told.items()})}"] if told else []
    lines += [f"    texts: {listed(map(text_name, texts))}"] if texts else []
    lines += [f"    words: {listed(words)}"] if words else []
    lines += [f"    columns: {listed(columns)}", "    rows:"]
    for number, values in enumerate(understood.values):
        said = list(map(scalar, _named(table, values).values()))
        rest = [scalar(column.cells[number]) for column in texts]
        for place, under in enumerate(dict.fromkeys(column.under for column in numbers) or [()]):
            here = {quantity_name(column): column.cells[number] for column in numbers if column.under == under}
            here = {name: cell for name, cell in here.items() if cell or not understood.turned}
            given = [scalar(here[name]) if name in here else "null" for name in metrics]
            told_here = dict(under)
            shown = [*said, *(scalar(names.name(one, told_here[one])) if one in told_here else "null" for one in above)]
            lines.append(f"      - [{', '.join([*shown, *given, *(rest if not place else ['null'] * len(rest))])}]")
    return lines


def quantity_name(column: Column) -> str:
    """Name a column of numbers in the published file: for its metric, and as itself where it compares."""
    return f"{text_name(column)}" if column.comparison else column.metric


def _told(column: Column, table: Adopted) -> dict[str, str]:
    """Say of a column of numbers what its name does not: the unit in which they are printed, or what they compare."""
    if column.comparison:
        return {
            "metric": column.metric,
            "as": column.comparison,
            "baseline": flow({"method": _base(column, table)}),
        }
    return {"unit": scalar(column.unit)} if column.metric in METRICS and _said_unit(column) else {}


def _base(column: Column, table: Adopted) -> str:
    """Name the method that a column compares with: one of the table, else one of the catalogue."""
    understood, names = table.understood, table.names
    methods = {value for one in understood.columns for dimension, value in one.under if dimension == "method"}
    named = {names.name("method", raw): raw for raw in sorted(methods)}
    at = next((place for place, key in enumerate(understood.keys) if key.dimension == "method"), None)
    for values in understood.values if at is not None else ():
        named.setdefault(_named(table, values)["method"], values[at or 0])
    found = next((name for name, raw in named.items() if column.baseline in {name, seen(raw)}), None)
    return scalar(found or names.name("method", column.baseline))


def _said_unit(column: Column) -> bool:
    """Say whether a known metric is printed in another unit than it is kept in."""
    return bool(column.unit) and column.unit != METRICS[column.metric].unit


def text_name(column: Column) -> str:
    """Name a column of words in the published file."""
    return f"{slug(column.title, 'words').replace('.', '_')}_{column.place + 1}"


def _named(table: Adopted, values: Sequence[str]) -> dict[str, str]:
    """Give the names and counts that a row stands for, by dimension; what attributes say goes into the names."""
    more: dict[str, list[tuple[str, str]]] = {}
    cells = dict.fromkeys(table.understood.dimensions, "")
    for key, raw in zip(table.understood.keys, values, strict=True):
        dimension, _, attribute = key.dimension.partition(".")
        if attribute:
            more.setdefault(dimension, []).append((attribute, raw))
        else:
            cells[dimension] = raw
    return {name: value_of(table.names, name, raw, tuple(more.get(name, ()))) for name, raw in cells.items()}


def value_of(names: Names, dimension: str, raw: str, more: More = ()) -> str:
    """Give the value that stands for a key's cell: a count, or a name."""
    if dimension in WORKLOAD_NUMBERS:
        number = printed.read(raw)
        if number is not None and not number.unit:
            return f"{number.value.normalize():f}"
    return names.name(dimension, raw, more)


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


def written(form: NumberFormat) -> str:
    """Write a format as specs do."""
    return f"{'+' if form.sign else ''}{form.decimals}{',' if form.comma else ''}{form.suffix}"
