"""Which columns tell a table's rows apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.adopting.apart import both_are, flags, is_written_out
from harness.adopting.attributes import attribute_named, attribute_of
from harness.adopting.column import Column, Understood
from harness.adopting.headings import (
    is_method,
    is_numeric,
    is_setting,
    own_metric,
    unit_of,
)
from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.core.errors import HarnessError
from harness.core.metric import OWN

_FIRST = ("method", "model", "recipe", "task", "text")
"""Dimensions for a first column that nothing names, in the order in which they are taken."""


_SPARE = ("recipe",)
"""That for a further column that is needed to tell rows apart; more of them are attributes of it."""


_ENDS_IN_A_NUMBER = re.compile(r"\d\s*$")
"""As `Batch 8`, below which stands what was measured of it."""


def _methods_in_cells(columns: Sequence[Column]) -> list[Column]:
    """Take the first column of words whose cells are all methods for the method, where no heading says which one is."""
    first = next((c.place for c in columns if c.role == "number"), len(columns))
    if any(column.dimension == "method" for column in columns):
        return list(columns)
    of = next(
        (
            c.place
            for c in columns[:first]
            if c.role == "text" and c.guessed and all(map(is_method, map(seen, c.cells)))
        ),
        None,
    )
    return [replace(c, role="key", dimension="method") if c.place == of else c for c in columns]


def _no_key(column: Column) -> Column:
    if is_numeric(column.cells):
        return replace(
            column, role="number", dimension="", metric=own_metric(column.title), unit=unit_of("", column.cells)
        )
    return replace(column, role="text", dimension="")


def _own_where_twice(columns: Sequence[Column]) -> list[Column]:
    """Give columns that would be the same number metrics of their own."""
    seen_ = Counter(
        (column.metric, column.under) for column in columns if column.role == "number" and not column.comparison
    )
    taken: set[str] = set()
    found = []
    for column in columns:
        if column.role == "number" and not column.comparison:
            metric = column.metric
            if seen_[metric, column.under] > 1 and column.guessed:
                metric = own_metric(column.title)
            named = f"{metric} {column.under}"
            base, count = metric, 1
            while named in taken:
                count += 1
                metric = f"{base if base.startswith(OWN) else OWN + base}_{count}"
                named = f"{metric} {column.under}"
            taken.add(named)
            found.append(replace(column, metric=metric))
        else:
            found.append(column)
    return found


def _keyed(table: PageTable, columns: Sequence[Column]) -> Understood:
    """Find what tells the rows apart. Raises: HarnessError where nothing does."""
    found = _continued(table, columns)
    if found[0].role != "key":
        found[0] = _spare(found[0], found, _FIRST)
    while True:
        understood = _with_values(table, found)
        twice = _first_twice(understood.values)
        if twice is None and all(column.role in {"key", "spacer"} for column in found):
            raise HarnessError("it has no columns but those that name its rows")
        if twice is None:
            return understood
        more = [column for column in found if column.role == "text" or _is_setting(table, column)] + flags(found)
        better = [
            column
            for column in more
            if len(set(zip(understood.values, column.cells, strict=True))) > len(set(understood.values))
        ]
        if not better:
            raise HarnessError(both_are(*twice, understood.values, table.rows))
        found[better[0].place] = _spare(better[0], found, _SPARE)


def _continued(table: PageTable, columns: Sequence[Column]) -> list[Column]:
    """Take columns of words for keys, too, where an empty cell beside them means the one above: before the first of numbers.

    Raises: HarnessError for such an empty cell behind numbers, where nobody reads it so.
    """
    found = list(columns)
    measured = next((c.place for c in found if c.role == "number" and not _is_setting(table, c)), len(found))
    gaps = [c for c in found if c.role == "key" and "" in c.cells]
    for column in gaps:
        if column.place > measured:
            raise HarnessError(
                f"column '{column.title}' has empty cells behind columns of numbers, where they do not mean the one above; "
                f"write them out, or say --column '{column.title}=text'"
            )
    last = max((c.place for c in gaps), default=0)
    for column in found[:last]:
        if column.role == "text" or _is_setting(table, column):
            found[column.place] = _spare(column, found, _SPARE if column.place else _FIRST)
    return found


def _is_setting(table: PageTable, column: Column) -> bool:
    """Tell a column of numbers that says what was measured, as a group size, from one that says what came out."""
    return (
        column.role == "number"
        and column.guessed
        and column.metric.startswith(OWN)
        and not column.under
        and not _ENDS_IN_A_NUMBER.search(column.title)
        and (table.lint.columns[column.place].meaning.kind in {"length", "batch"} or is_setting(column.title))
    )


def _spare(column: Column, columns: Sequence[Column], dimensions: Sequence[str]) -> Column:
    taken = {one.dimension for one in columns if one.role == "key"} | {
        dimension for one in columns for dimension, _ in one.under
    }
    own = attribute_named(column, taken)
    name = next(name for name in (attribute_of(column, columns), *dimensions, own) if name and name not in taken)
    return replace(column, role="key", dimension=name, metric="", unit="")


def _with_values(table: PageTable, columns: Sequence[Column]) -> Understood:
    """Fill blank keys with those above: of the columns that stand before all others.

    Raises: HarnessError for a blank one in a row that begins otherwise than the one above.
    """
    keys = [column for column in columns if column.role == "key"]
    leading = next((at for at, key in enumerate(keys) if key.place != at), len(keys))
    blank, rows = set(), list[tuple[str, ...]]()
    for number in range(len(table.rows)):
        row = list[str]()
        for at, key in enumerate(keys):
            text = key.cells[number]
            if not text and not rows and at < leading and at + 1 < len(table.rows):
                raise HarnessError(
                    f"row 1, column '{key.title}' is empty, and no row stands above it; write what it is, or '-'; a second row of headings "
                    "joins the first, as 'Batch 8'"
                )
            if not text and rows and at < leading and not is_written_out(key) and "" not in row:
                if row != list(rows[-1][:at]):
                    raise HarnessError(
                        f"row {number + 1}, column '{key.title}' is empty, and the row begins otherwise than the one above; write what it is, or '-'"
                    )
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
