"""What each column of a page's table is: a dimension that tells rows apart, a metric, or words. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.adopting.headings import (
    dimension_of,
    is_method,
    is_numeric,
    is_setting,
    is_statistic,
    metric_of,
    names_method,
    own_metric,
    unit_of,
)
from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.core.errors import HarnessError, unknown
from harness.core.metric import METRICS, OWN, Direction
from harness.core.spec import WORKLOAD_NUMBERS
from harness.lint.columns import BETTER, meaning_of
from harness.lint.tables import Column as LintColumn
from harness.report import printed
from harness.report.compare import COMPARISONS

Role = Literal["key", "number", "text", "spacer"]

KEYS = ("model", "method", "recipe", "gpu", "engine", "task", "text", "reference", *WORKLOAD_NUMBERS)
"""Dimensions that a column can be."""
_FIRST = ("method", "model", "recipe", "task", "text")
"""Dimensions for a first column that nothing names, in the order in which they are taken."""
_SPARE = ("recipe", "task", "text", "method", "model")
"""Those for further columns that are needed to tell rows apart."""


_COMPARED = re.compile(r"(?P<how>\w+) of (?P<metric>[\w.]+) to (?P<to>.+)")
"""What the command line says of a column of comparisons."""


@dataclass(frozen=True)
class Column:
    """One column and what it is."""

    place: int
    title: str
    """Group and name, as messages and `--column` call it."""
    cells: tuple[str, ...]
    role: Role
    dimension: str = ""
    metric: str = ""
    unit: str = ""
    """In which the numbers are printed; empty for plain ones."""
    better: Direction = "none"
    method: str = ""
    """The heading, or that of its group, where it names the method."""
    comparison: str = ""
    """Which one of its metric, where the numbers compare; with the baseline's method, as the page or the catalogue calls it."""
    baseline: str = ""
    guessed: bool = True
    """Not said on the command line."""

    @property
    def numbers(self) -> list[printed.Printed]:
        return [one for one in map(printed.read, self.cells) if one is not None]

    @property
    def words(self) -> list[str]:
        """What stands in it and is no number, each once."""
        return list(dict.fromkeys(cell for cell in self.cells if not self.reads(cell)))

    def reads(self, cell: str) -> bool:
        """Say whether a cell holds a number in a unit that can be the column's."""
        one = printed.read(cell)
        if one is None:
            return False
        if self.comparison:
            return True
        if one.value < 0 and self.metric in METRICS and METRICS[self.metric].kind != "quality":
            return False
        return one.unit in {"", self.unit} or printed.scale(one.unit, self.unit) is not None


@dataclass(frozen=True)
class Understood:
    """A table with its columns, and what tells its rows apart."""

    table: PageTable
    columns: tuple[Column, ...]
    keys: tuple[Column, ...]
    """Columns that tell rows apart, in the order of the table."""
    blank: frozenset[int] = frozenset()
    """Places of columns in which an empty cell means the one above."""
    values: tuple[tuple[str, ...], ...] = field(default=())
    """Of each row the Markdown of its keys, blank ones filled."""

    @property
    def leading(self) -> int:
        """How many keys stand before everything else."""
        return next((at for at, key in enumerate(self.keys) if key.place != at), len(self.keys))


def understand(table: PageTable, said: Mapping[str, str], *, words: bool = False) -> Understood:
    """Say what each column is. said: heading or number of a column -> dimension, metric, `own.NAME`, `text`, or a comparison
    as `ratio of decode_tps to fp16`.

    words: take also a table without a number. Raises: HarnessError with what cannot be expressed.
    """
    columns = _overridden(columns_of(table), said)
    if not words and not any(column.role == "number" for column in columns):
        raise HarnessError(f"it has no column of numbers; --table {table.number} takes its words")
    columns = _once_each(columns)
    columns = _own_where_twice(_methods_in_headings(columns, table))
    return _keyed(table, columns)


# ---------------------------------------------------------------- one column


def _column(table: PageTable, lint: LintColumn) -> Column:
    cells = tuple(row[lint.index] for row in table.rows)
    title = " / ".join(part for part in (lint.group, lint.name) if part) or f"column {lint.index + 1}"
    if lint.spacer and lint.index:
        return Column(lint.index, title, cells, "spacer")
    dimension = dimension_of(lint.name, lint.meaning.kind, cells)
    if dimension:
        return Column(lint.index, title, cells, "key", dimension)
    if not is_numeric(cells):
        return Column(lint.index, title, cells, "text")
    return _number(lint, cells, title)


def _number(lint: LintColumn, cells: tuple[str, ...], title: str) -> Column:
    words = f"{lint.corner} {lint.group} {seen(lint.name)}".strip()
    unit = unit_of(words, cells)
    column = Column(lint.index, title, cells, "number", unit=unit, better=lint.meaning.better or "none")
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
        f"--column '{column.title}={meaning}': {unknown('dimension or metric', meaning, [*KEYS, *METRICS])}; `text` keeps its words, `ratio of METRIC to METHOD` is a comparison, "
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


def _no_key(column: Column) -> Column:
    if is_numeric(column.cells):
        return replace(
            column, role="number", dimension="", metric=own_metric(column.title), unit=unit_of("", column.cells)
        )
    return replace(column, role="text", dimension="")


def _methods_in_headings(columns: Sequence[Column], table: PageTable) -> list[Column]:
    """Understand headings that are methods: of a group, or of several columns of one metric that is named above them."""
    if any(column.role == "key" and column.dimension == "method" for column in columns):
        return list(columns)
    lint = {one.index: one for one in table.lint.columns}
    grouped = [c for c in columns if c.role == "number" and lint[c.place].group and names_method(lint[c.place].group)]
    if grouped:
        return [_under_method(c, lint[c.place], c in grouped) for c in columns]
    plain = [c for c in columns if c.role == "number" and c.guessed and is_method(lint[c.place].name)]
    if len(plain) <= 1:
        return list(columns)
    metric, better = _metric_above(table, lint[plain[0].place].corner)
    return [
        replace(c, metric=metric, better=better, method=table.heads[-1][c.place]) if c in plain else c for c in columns
    ]


def _under_method(column: Column, lint: LintColumn, grouped: bool) -> Column:
    if not grouped:
        return column
    metric = column.metric if column.metric in METRICS or not column.guessed else own_metric(lint.name or column.title)
    return replace(column, method=lint.group, metric=metric)


def _metric_above(table: PageTable, corner: str) -> tuple[str, Direction]:
    """Name the metric of columns that are called after methods: by the corner, else by the nearest heading."""
    for words in (corner, *reversed(table.lint.headings)):
        if words:
            clean = re.sub(r"^[\d.\s]+", "", words)
            kind = meaning_of(clean, ["1"])
            if kind.kind == "other":
                continue
            known = "" if kind.kind == "derived" else metric_of(clean, "")
            return known or own_metric(clean), kind.better or BETTER.get(kind.kind) or "none"
    return f"{OWN}value", "none"


def _own_where_twice(columns: Sequence[Column]) -> list[Column]:
    """Give columns that would be the same number metrics of their own."""
    seen_ = Counter(
        (column.metric, column.method) for column in columns if column.role == "number" and not column.comparison
    )
    taken: set[str] = set()
    found = []
    for column in columns:
        if column.role == "number" and not column.comparison:
            metric = column.metric
            if seen_[metric, column.method] > 1 and column.guessed:
                metric = own_metric(column.title)
            named = f"{metric} {column.method}"
            base, count = metric, 1
            while named in taken:
                count += 1
                metric = f"{base if base.startswith(OWN) else OWN + base}_{count}"
                named = f"{metric} {column.method}"
            taken.add(named)
            found.append(replace(column, metric=metric))
        else:
            found.append(column)
    return found


# ---------------------------------------------------------------- rows


def _keyed(table: PageTable, columns: Sequence[Column]) -> Understood:
    """Find what tells the rows apart. Raises: HarnessError where nothing does."""
    found = list(columns)
    leading = next((at for at, column in enumerate(found) if column.role != "key"), len(found))
    found = [_no_key(one) if one.role == "key" and one.place > leading and "" in one.cells else one for one in found]
    if found[0].role != "key":
        found[0] = _spare(found[0], found, _FIRST)
    while True:
        understood = _with_values(table, found)
        twice = _first_twice(understood.values)
        if twice is None and all(column.role in {"key", "spacer"} for column in found):
            raise HarnessError("it has no columns but those that name its rows")
        if twice is None:
            return understood
        more = [column for column in found if column.role == "text" or _is_setting(table, column)]
        better = [
            column
            for column in more
            if len(set(zip(understood.values, column.cells, strict=True))) > len(set(understood.values))
        ]
        if not better:
            one, other = twice
            name = " / ".join(seen(text) for text in understood.values[one]) or "nothing"
            raise HarnessError(
                f"rows {one + 1} and {other + 1} are both '{name}', and no other column tells them apart; name one otherwise"
            )
        found[better[0].place] = _spare(better[0], found, _SPARE)


def _is_setting(table: PageTable, column: Column) -> bool:
    """Tell a column of numbers that says what was measured, as a group size, from one that says what came out."""
    return (
        column.role == "number"
        and column.guessed
        and column.metric.startswith(OWN)
        and (table.lint.columns[column.place].meaning.kind in {"length", "batch"} or is_setting(column.title))
    )


def _spare(column: Column, columns: Sequence[Column], dimensions: Sequence[str]) -> Column:
    taken = {one.dimension for one in columns if one.role == "key"} | {"method" for one in columns if one.method}
    free = [name for name in dimensions if name not in taken]
    if not free:
        raise HarnessError(
            f"more columns of words tell its rows apart than can be data; column '{column.title}' is one too many"
        )
    return replace(column, role="key", dimension=free[0], metric="", unit="")


def _with_values(table: PageTable, columns: Sequence[Column]) -> Understood:
    """Fill blank keys with those above: of the columns that stand before all others."""
    keys = [column for column in columns if column.role == "key"]
    leading = next((at for at, key in enumerate(keys) if key.place != at), len(keys))
    blank, rows = set(), list[tuple[str, ...]]()
    for number in range(len(table.rows)):
        row = []
        for at, key in enumerate(keys):
            text = key.cells[number]
            if not text and rows and at < leading:
                text = rows[-1][at]
                blank.add(key.place)
            row.append(text)
        rows.append(tuple(row))
    return Understood(table, tuple(columns), tuple(keys), frozenset(blank), tuple(rows))


def _first_twice(values: Sequence[tuple[str, ...]]) -> tuple[int, int] | None:
    first: dict[tuple[str, ...], int] = {}
    for place, value in enumerate(values):
        if value in first:
            return first[value], place
        first[value] = place
    return None
