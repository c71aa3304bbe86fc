"""What tells the rows of a page's table apart where no words do: flags and counts among its numbers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from harness.adopting.column import Column
from harness.adopting.headings import own_metric
from harness.adopting.names import seen
from harness.core.metric import OWN
from harness.tables import printed

_MOST = 1_000_000
"""A flag or a count that is asked for is below it."""
_DITTO = frozenset({"-", "--", "\u2013", "\u2014", '"', "''", "\u3003"})
_ELISION = frozenset({"...", "\u2026", ""})


def flags(columns: Sequence[Column]) -> list[Column]:
    """Give columns of plain whole numbers of which nothing says that they were measured, and right of which a column of measured ones stands.

    As `fa` and `mla` in llama-bench's tables, and shares as `%int4`. Where words do not tell rows apart, these do.
    """
    plain = [column for column in columns if _is_plain(column)]
    last = max((one.place for one in columns if one.role == "number" and one not in plain), default=-1)
    return [column for column in plain if column.place < last]


def _is_plain(column: Column) -> bool:
    """Say whether a column's numbers could all be what was asked for."""
    if column.role != "number" or not column.guessed or column.under or column.comparison or column.better != "none":
        return False
    said = [printed.read(cell) for cell in column.cells]
    return column.metric.startswith(OWN) and all(one and _is_count(one, column.unit) for one in said)


def _is_count(one: printed.Printed, unit: str) -> bool:
    return (
        not (one.pm or one.signed or one.decimals) and one.unit == unit and unit in {"", "%"} and 0 <= one.value < _MOST
    )


def is_written_out(column: Column) -> bool:
    """Say whether a column repeats its texts row by row: then an empty cell in it, as beside `Average`, says nothing rather than the same."""
    return any(above and above == below for above, below in pairwise(column.cells))


def own_beside_placed(columns: Sequence[Column]) -> list[Column]:
    """Give a number its own metric where another heading says of the same metric for which method, or batch size, it is.

    `t/s (IQ2_BN)` beside `t/s (theirs)`: asked for without a method, the second would be both.
    """
    placed = {column.metric for column in columns if column.under}
    names = Counter(column.metric for column in columns)
    found = []
    for column in columns:
        if column.metric in placed and not column.under and column.guessed and not column.comparison:
            base = own_metric(column.title)
            name = next(one for one in (base, *(f"{base}_{n}" for n in range(2, len(columns) + 2))) if not names[one])
            names[name] += 1
            column = replace(column, metric=name)  # noqa: PLW2901
        found.append(column)
    return found


def both_are(one: int, other: int, values: Sequence[tuple[str, ...]], cells: Sequence[tuple[str, ...]]) -> str:
    """Say of two rows, by index, that nothing tells them apart. values: of each row, of its keys. cells: of each row, all."""
    rows = f"rows {one + 1} and {other + 1}"
    left_out = [at for at, row in enumerate(cells, start=1) if set(row) <= _ELISION]
    if len(left_out) > 1:
        return f"rows {left_out[0]} and {left_out[1]} say only '{cells[left_out[0] - 1][0]}', for rows that were left out; take them out, since no data can stand for them"
    name = " / ".join(seen(text) for text in values[one]) or "nothing"
    ditto = next((text for text in map(seen, values[one]) if text in _DITTO), "")
    remedy = f"write out what '{ditto}' stands for" if ditto else "name one otherwise"
    return f"{rows} are both '{name}', and no other column tells them apart; {remedy}"
