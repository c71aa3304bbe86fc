"""The file of reported numbers that an adopted table becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from harness.adopting.column import Column, Understood
from harness.adopting.names import NAMED, More, Names, seen, slug
from harness.adopting.yaml_text import _NOTHING, flow, listed, scalar
from harness.core.metric import METRICS, OWN
from harness.core.spec import WORKLOAD_NUMBERS
from harness.tables import printed


@dataclass(frozen=True)
class Adopted:
    """A table with the name under which it is data."""

    name: str
    understood: Understood
    names: Names
    several: bool = False
    """It shares its files with other tables of the page, from which its block tells it apart."""


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
