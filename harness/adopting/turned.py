"""Tables whose rows are metrics and whose columns are methods, models or GPUs: read as the table with a row for each of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from harness.adopting.axes import beside
from harness.adopting.column import Column, Understood
from harness.adopting.heading_words import Said
from harness.adopting.headings import better_of, dimension_of, is_statistic, known_unit, metric_of, own_metric, unit_of
from harness.adopting.long import value_column
from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.core.errors import HarnessError
from harness.lint.columns import meaning_of
from harness.tables import printed

_NEITHER = "neither"
_COMPARED = 2
"""Columns that a further one can compare."""
_MEASURED = frozenset({"latency", "throughput", "memory", "energy", "loss", "perplexity", "kl", "accuracy"})


@dataclass(frozen=True)
class _Parts:
    """The columns of such a table."""

    keys: Sequence[Column]
    metric: Column
    values: Sequence[Column]
    """One for each value of the dimension that the headings are."""
    dimension: str
    compared: Column | None
    """What compares the second of two of them with the first."""


def is_turned(table: PageTable, columns: Sequence[Column]) -> bool:
    """Tell a table whose rows are metrics: a column says so, or the first one names metrics alone and all others methods and such."""
    if any(column.role == "metric" for column in columns):
        return True
    first, *others = columns
    values = [one for one in others if meaning_of(one.title, ["1"]).kind != "derived"]
    if not values or not all(said.axes for said in beside([axis_value(column, table) for column in values])):
        return False
    measures = [meaning_of(seen(cell), ["1"]).kind in _MEASURED or bool(known_unit(seen(cell))) for cell in first.cells]
    known = first.role == "key" and (
        not first.guessed or dimension_of(first.title, "key", first.cells) in {"task", "text"}
    )
    unnamed = not dimension_of(first.title, "key", first.cells) and 2 * sum(measures) > len(measures)
    several = len(measures) > 1 and len(set(first.cells)) == len(measures) and (all(measures) or unnamed)
    return first.role != "number" and not known and several and all(column.role == "number" for column in others)


def turned(table: PageTable, columns: Sequence[Column]) -> Understood:
    """Read a table whose rows are metrics. Raises: HarnessError where it says more than such a table can."""
    parts = _parts(table, columns)
    records = _records(table, parts)
    rows = records[0][1]
    numbers = []
    for place, row in enumerate(rows):
        cells = [table.rows[found[place]][value.place] for _, found in records for value in parts.values]
        numbers.append(_number(parts.metric.cells[row], cells, place))
    numbers = _once_each(numbers)
    if parts.compared is not None:
        numbers += _compared(parts, parts.compared, numbers, records, table)
    axis = Column(parts.metric.place, parts.metric.title, (), "key", parts.dimension)
    names = [axis_value(value, table) for value in parts.values]
    values = tuple((*key, name) for key, _ in records for name in names)
    return Understood(
        table, (*parts.keys, axis, *numbers), (*parts.keys, axis), _blank(parts.keys), values, turned=True
    )


def axis_value(column: Column, table: PageTable) -> str:
    """Give the Markdown of a heading that is a value."""
    return table.heads[-1][column.place]


def _parts(table: PageTable, columns: Sequence[Column]) -> _Parts:
    metric = next((column for column in columns if column.role == "metric"), columns[0])
    before, behind = columns[: metric.place], columns[metric.place + 1 :]
    derived = [c for c in behind if c.role == "number" and meaning_of(c.title, ["1"]).kind == "derived"]
    values = [column for column in behind if column not in derived]
    named = beside([axis_value(column, table) for column in values])
    only = value_column(columns)
    plain = len(table.heads) == 1 and all(c.role == "key" for c in before)
    if plain and values == [only] and not derived:
        return _Parts(before, metric, values, "recipe", None)
    # A column that is called `Metric` leaves nothing to guess: numbers beside it are those of as many configurations.
    if (
        plain
        and metric.role == "metric"
        and metric.guessed
        and len(values) > 1
        and _are_unknown(values, named)
        and len(derived) <= 1
    ):
        dimension = "recipe" if any(c.dimension == "method" for c in before) else "method"
        if not derived or (len(values) == _COMPARED and dimension == "method"):
            return _Parts(before, metric, values, dimension, next(iter(derived), None))
    said = {
        c.dimension if c.role == "key" and not c.guessed else _dimension(one)
        for c, one in zip(values, named, strict=True)
    }
    others = [c for c in before if c.role != "key"] + [c for c in values if c.role != "number" and c.guessed]
    if (
        len(table.heads) > 1
        or others
        or len(said) != 1
        or said == {""}
        or len(derived) > 1
        or (derived and len(values) != 2)
    ):
        listed = ", ".join(f"'{column.title}'" for column in (others or values)[:3])
        raise HarnessError(
            f"column '{metric.title}' names what each row measures, and {listed} are not all known as methods, models or GPUs; "
            f"say --column 'HEADING=method' of each, or --column '{metric.title}=task' where it names tasks of one metric, or write the table with a column for each metric"
        )
    (dimension,) = said
    return _Parts(before, metric, values, dimension, derived[0] if derived else None)


def _are_unknown(values: Sequence[Column], named: Sequence[Said]) -> bool:
    """Say whether columns of numbers have headings of which not all are known as values of one dimension."""
    known = {_dimension(one) for one in named}
    return all(c.role == "number" and c.guessed for c in values) and (len(known) > 1 or known == {""})


def _dimension(said: Said) -> str:
    """Name the one dimension that a heading is a value of and says nothing else; empty for all others."""
    return said.axes[0].dimension if len(said.axes) == 1 and not said.rest else ""


def _records(table: PageTable, parts: _Parts) -> list[tuple[tuple[str, ...], list[int]]]:
    """Gather rows by their keys. Raises: HarnessError where not all have the same metrics in the same order."""
    found: list[tuple[tuple[str, ...], list[int]]] = []
    for row in range(len(table.rows)):
        key = tuple(column.cells[row] for column in parts.keys)
        above = found[-1][0] if found else key
        key = tuple(text or other for text, other in zip(key, above, strict=True))
        if not found or key != above:
            found.append((key, []))
        found[-1][1].append(row)
    names = [[parts.metric.cells[row] for row in rows] for _, rows in found]
    if any(one != names[0] for one in names) or len(set(names[0])) < len(names[0]):
        raise HarnessError(
            f"column '{parts.metric.title}' names what each row measures; all of them must name the same, in the same order, each once"
        )
    return found


def _number(raw: str, cells: Sequence[str], place: int) -> Column:
    """Say what a row measures. Raises: HarnessError where its numbers are in units that do not agree."""
    words = seen(raw)
    unit, meaning = unit_of(words, cells), meaning_of(words, ["1"])
    known = "" if meaning.kind == "derived" or is_statistic(words) else metric_of(words, unit)
    column = Column(
        place,
        raw,
        tuple(cells),
        "number",
        metric=known or own_metric(raw),
        unit=unit,
        better=better_of(words, meaning.better) or "none",
    )
    shown = unit and not unit_of(words, ())
    numbers = [(cell, one) for cell in cells if (one := printed.read(cell)) is not None]
    wrong = next(
        (cell for cell, one in numbers if not column.in_its_unit(one) or (shown and one.value and not one.unit)), None
    )
    if wrong is not None:
        raise HarnessError(
            f"row '{words}' says '{seen(wrong)}' beside numbers in '{unit or 'no unit'}'; write them in one unit"
        )
    return column


def _once_each(columns: Sequence[Column]) -> list[Column]:
    """Give rows that would be the same metric metrics of their own."""
    twice = {c.metric for c in columns if sum(other.metric == c.metric for other in columns) > 1}
    named = [replace(c, metric=own_metric(c.title)) if c.metric in twice else c for c in columns]
    names = [column.metric for column in named]
    return [
        replace(c, metric=f"{c.metric}_{names[:at].count(c.metric) + 1}") if c.metric in names[:at] else c
        for at, c in enumerate(named)
    ]


def _blank(keys: Sequence[Column]) -> frozenset[int]:
    return frozenset(key.place for key in keys if "" in key.cells)


def _compared(
    parts: _Parts,
    column: Column,
    numbers: Sequence[Column],
    records: Sequence[tuple[tuple[str, ...], list[int]]],
    table: PageTable,
) -> list[Column]:
    """Read a column that compares. Raises: HarnessError where it is neither difference nor ratio of the numbers before it."""
    how = {_how(table.rows[row], parts, column) for _, rows in records for row in rows} - {""}
    if len(how) != 1 or how == {_NEITHER}:
        one, other = (f"'{value.title}'" for value in parts.values)
        raise HarnessError(
            f"column '{column.title}' is not everywhere the difference, nor the ratio, of {other} and {one}; leave it out, as it can be made from them"
        )
    (comparison,) = how
    found = []
    for place, number in enumerate(numbers):
        cells = [text for _, rows in records for text in ("", table.rows[rows[place]][column.place])]
        found.append(
            Column(place, f"{number.title} {column.title}", tuple(cells), "number", metric=number.metric, comparison=comparison,
                   baseline=seen(axis_value(parts.values[0], table)))
        )  # fmt: skip
    return found


def _how(row: Sequence[str], parts: _Parts, column: Column) -> str:
    """Find by arithmetic what a cell is, within what was rounded; empty where it holds no number."""
    first, second, said = (printed.read(row[one.place]) for one in (*parts.values, column))
    if said is None or first is None or second is None:
        return ""
    if said.unit == "%" and "%" not in {first.unit, second.unit}:
        return _in_percent(first, second, said)
    off = first.half + second.half + said.half
    if abs(second.value - first.value - said.value) <= off:
        return "difference"
    ratios = (("ratio", first, second), ("inverse_ratio", second, first))
    for name, under, over in ratios:
        if under.value and abs(over.value / under.value - said.value) <= said.half + Decimal("0.005") * abs(said.value):
            return name
    return _NEITHER


def _in_percent(first: printed.Printed, second: printed.Printed, said: printed.Printed) -> str:
    """Tell by how many percent of the first the second is more, or less."""
    if not first.value:
        return _NEITHER
    change = (second.value - first.value) / first.value * 100
    off = said.half + (first.half + second.half) / abs(first.value) * 100
    names = {"change_percent": change, "loss_percent": -change}
    return next((name for name, value in names.items() if abs(value - said.value) <= off), _NEITHER)
