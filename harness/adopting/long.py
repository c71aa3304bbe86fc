"""Tables with a column of metrics' names and one of their values, as lm-eval prints them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.adopting.column import Column
from harness.adopting.headings import known_unit
from harness.adopting.names import seen

_VALUE = re.compile(r"values?|scores?|results?|measured|numbers?", re.IGNORECASE)


def value_column(columns: Sequence[Column]) -> Column | None:
    """Find the only column of numbers that is called `Value` or such, behind that of the metrics' names; None where there is none."""
    metric = next((one for one in columns if one.role == "metric"), None)
    if metric is None:
        return None
    found = [one for one in columns[metric.place + 1 :] if one.role == "number" and _VALUE.fullmatch(seen(one.title))]
    return found[0] if len(found) == 1 else None


def is_long(columns: Sequence[Column]) -> bool:
    """Tell a table in which each row says what it measured, of which task, and none in what unit: all values are scores of some kind."""
    names = next((one.cells for one in columns if one.role == "metric"), ())
    units = any(known_unit(seen(name)) for name in names)
    return value_column(columns) is not None and any(one.role == "key" for one in columns) and not units


def as_words(columns: Sequence[Column]) -> list[Column]:
    """Take the names of metrics for words that tell rows apart: what `Value` counts differs from row to row, and so it has no unit here."""
    return [replace(one, role="text", guessed=True) if one.role == "metric" else one for one in columns]
