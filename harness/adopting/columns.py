"""What each column of a page's table is: a dimension that tells rows apart, a metric, or words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.adopting.apart import own_beside_placed
from harness.adopting.attributes import with_attributes
from harness.adopting.axes import is_model, with_axes
from harness.adopting.column import KEYS, Column, Understood
from harness.adopting.corner import with_corner
from harness.adopting.headings import (
    are_sizes,
    better_in,
    better_of,
    dimension_of,
    is_metric_heading,
    is_numeric,
    is_setting_in_thousands,
    is_statistic,
    known_unit,
    metric_of,
    own_metric,
    unit_of,
)
from harness.adopting.long import as_words, is_long
from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.adopting.row_keys import _keyed, _methods_in_cells, _no_key, _own_where_twice
from harness.adopting.turned import is_turned, turned
from harness.core.errors import HarnessError
from harness.core.metric import METRICS, OWN
from harness.core.spelling import unknown
from harness.lint.columns import meaning_of
from harness.lint.tables import LintColumn
from harness.tables import printed
from harness.tables.compare import COMPARISONS

_TEST = re.compile(r"(?:pp|tg) ?\d+(?: ?\+ ?tg ?\d+)?(?: ?@ ?d ?\d+)?")
"""How llama-bench names what it timed: a prompt, tokens generated, both, behind so many tokens of context."""
_COMPARED = re.compile(r"(?P<how>\w+) of (?P<metric>[\w.]+) to (?P<to>.+)")
"""What the command line says of a column of comparisons."""


def understand(table: PageTable, said: Mapping[str, str], *, words: bool = False) -> Understood:
    """Say what each column is. said: heading or number of a column -> dimension, metric, `own.NAME`, `text`, or a comparison
    as `ratio of decode_tps to fp16`.

    words: take also a table without a number. Raises: HarnessError with what cannot be expressed.
    """
    columns = _overridden(columns_of(table), said)
    if is_turned(table, columns):
        try:
            return turned(table, columns)
        except HarnessError:
            if not is_long(columns):
                raise
            columns = as_words(columns)
    columns = with_corner(columns, table, is_model)
    if not words and not any(column.role == "number" for column in columns):
        raise HarnessError(f"it has no column of numbers; --table {table.number} takes its words")
    columns = _by_tests(_once_each(_methods_in_cells(columns)))
    columns = with_attributes(_own_where_twice(own_beside_placed(with_axes(columns, table))))
    _one_unit_each(columns)
    _in_their_units(columns)
    return _keyed(table, columns)


def _in_their_units(columns: Sequence[Column]) -> None:
    """Refuse a number in a unit that the others of its column cannot be in. Raises: HarnessError with its place."""
    for column in columns:
        if column.role != "number" or column.comparison:
            continue
        named = unit_of(column.title, ())
        plain = column.unit and not named and column.guessed and any(one.unit for one in column.numbers)
        derived = meaning_of(column.title, ["1"]).kind == "derived"
        others = f"its numbers are in '{column.unit}'" if column.unit else "its numbers are without a unit"
        for row, cell in enumerate(column.cells, start=1):
            one = printed.read(cell)
            if one is None:
                continue
            wrong = others if not column.in_its_unit(one) or (plain and not one.unit and one.value) else ""
            known = named and known_unit(column.title)
            if not wrong and one.unit and known and not derived and printed.scale(one.unit, named) is None:
                wrong = f"its heading names '{named}'"
            if wrong:
                raise HarnessError(
                    f"row {row} of column '{column.title}' says '{seen(cell)}', and {wrong}; write it in one unit, "
                    f"or say --column '{column.title}=text', which keeps its words"
                )


def _one_unit_each(columns: Sequence[Column]) -> None:
    """Refuse a known metric that is printed in two units, under two methods. Raises: HarnessError naming the columns."""
    first: dict[str, Column] = {}
    for column in columns:
        if column.role == "number" and column.metric in METRICS and not column.comparison:
            other = first.setdefault(column.metric, column)
            if other.unit != column.unit:
                raise HarnessError(
                    f"columns '{other.title}' and '{column.title}' are both {column.metric}, in '{other.unit}' and in '{column.unit}'; "
                    f"write them in one unit, or say --column '{column.title}={OWN}NAME'"
                )


# ---------------------------------------------------------------- one column


def _by_tests(columns: Sequence[Column]) -> list[Column]:
    """Say what speeds beside llama-bench's tests are: `pp512` is prefill and `tg128` decode, both in t/s; of both it is a metric of its own."""
    tests = next(
        (one for one in columns if one.role != "number" and one.cells and all(map(_TEST.fullmatch, one.cells))), None
    )
    if tests is None:
        return list(columns)
    kinds = {"both" if "+" in cell else cell[:2] for cell in tests.cells}
    known = {"pp": "prefill_tps", "tg": "decode_tps"}.get(kinds.pop()) if len(kinds) == 1 else None
    return [
        replace(one, metric=known or own_metric(one.title))
        if one.role == "number" and one.guessed and one.metric in METRICS and METRICS[one.metric].kind == "speed"
        else one
        for one in columns
    ]


def _column(table: PageTable, lint: LintColumn) -> Column:
    cells = tuple(row[lint.index] for row in table.rows)
    over = lint.group or (seen(table.over[lint.index]) if is_numeric(cells) else "")
    title = " / ".join(part for part in (over, lint.name) if part) or f"column {lint.index + 1}"
    if lint.spacer and lint.index:
        return Column(lint.index, title, cells, "spacer")
    dimension = dimension_of(lint.name, lint.meaning.kind, cells)
    if dimension:
        return Column(lint.index, title, cells, "key", dimension)
    if not is_numeric(cells) and is_metric_heading(lint.name):
        return Column(lint.index, title, cells, "metric")
    if not is_numeric(cells) or are_sizes(cells) or is_setting_in_thousands(lint.name, cells):
        return Column(lint.index, title, cells, "text")
    return _number(lint, cells, title)


def _number(lint: LintColumn, cells: tuple[str, ...], title: str) -> Column:
    words = f"{lint.corner} {lint.group} {seen(lint.name)}".strip()
    unit = unit_of(words, cells)
    better = better_of(words, lint.meaning.better) or ("none" if lint.meaning.kind == "derived" else better_in(unit))
    column = Column(lint.index, title, cells, "number", unit=unit, better=better)
    if lint.meaning.kind == "derived" or is_statistic(words):
        return replace(column, metric=own_metric(title))
    known = metric_of(words, unit)
    below = known and METRICS[known].kind != "quality" and any(one.value < 0 for one in column.numbers)
    return replace(column, metric=own_metric(title) if below or not known else known)


# ---------------------------------------------------------------- what was said


def _overridden(columns: Sequence[Column], said: Mapping[str, str]) -> list[Column]:
    """Take what the command line says of columns that are here. Raises: HarnessError for a meaning that there is not."""
    found = list(columns)
    for wanted, meaning in said.items():
        places = [one.place for one in columns if is_called(one, wanted)]
        if len(places) > 1:
            raise HarnessError(f"--column '{wanted}={meaning}': several columns are called so; give the number of one")
        for place in places:
            found[place] = _meant(found[place], meaning)
    return found


def is_called(column: Column, wanted: str) -> bool:
    """Say whether a person means a column: by its heading, that of its group before it, or its number."""
    return wanted in {column.title, column.title.rpartition(" / ")[2], str(column.place + 1)}


def columns_of(table: PageTable) -> list[Column]:
    """Read the columns of a table as their headings and cells tell them."""
    return [_column(table, one) for one in table.lint.columns]


def _meant(column: Column, meaning: str) -> Column:
    if meaning == "metric":
        return replace(column, role="metric", dimension="", metric="", guessed=False)
    if meaning == "text":
        return replace(column, role="text", dimension="", metric="", guessed=False)
    compared = _COMPARED.fullmatch(meaning)
    if compared:
        known = _meant(column, compared["metric"])
        return replace(known, unit="", comparison=_comparison(compared["how"]), baseline=compared["to"])
    if meaning in KEYS:
        return replace(column, role="key", dimension=meaning, metric="", guessed=False)
    if meaning in METRICS or meaning.startswith((OWN, "lm_eval.")):
        if not is_numeric(column.cells):
            raise HarnessError(f"--column '{column.title}={meaning}': its cells are no numbers")
        return replace(column, role="number", metric=meaning, dimension="", guessed=False)
    raise HarnessError(
        f"--column '{column.title}={meaning}': {unknown('dimension or metric', meaning, [*KEYS, *METRICS])}; `text` keeps its words, `metric` says that they name what each row measures, `ratio of METRIC to METHOD` is a comparison, "
        f"{OWN}NAME is a metric of your own"
    )


def _comparison(name: str) -> str:
    known = [one.name for one in COMPARISONS.values() if one.needs_baseline and one.name != "baseline"]
    if name not in known:
        raise HarnessError(unknown("comparison", name, known))
    return name


# ---------------------------------------------------------------- all columns


def _once_each(columns: Sequence[Column]) -> list[Column]:
    """Let one column alone be each dimension: what a person said, else the first; the others are words or numbers."""
    owner: dict[str, int] = {}
    for column in sorted(columns, key=lambda one: (one.guessed, one.place)):
        if column.role == "key":
            owner.setdefault(column.dimension, column.place)
    return [
        column if column.role != "key" or owner[column.dimension] == column.place else _no_key(column)
        for column in columns
    ]


# ---------------------------------------------------------------- rows
