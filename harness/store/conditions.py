"""`--where COLUMN=VALUE`, the same for every command: how conditions are written, with types from the frame's columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.store.columns import COLUMNS
from harness.store.result import ValueKind

GRAMMAR = "COLUMN=VALUE, as batch=8 or method=fp32,int8; several conditions on one column are alternatives"
_TRUTH = {"true": True, "false": False}
_CALLED: dict[ValueKind, str] = {
    "text": "texts",
    "number": "numbers",
    "flag": "true or false",
    "time": "times, as 2026-01-31T12:00Z",
}


def parse_where(words: Sequence[str], known: Collection[str] = COLUMNS) -> dict[str, list[Any]]:
    """Read conditions: column -> values in the column's type, None for nothing behind the equals sign (absent).

    A comma separates values; a value that holds one stands in double quotes. known: columns that may be named.
    Raises: HarnessError naming the column and the nearest right name, or the type that the column has.
    """
    found: dict[str, list[Any]] = {}
    for word in words:
        name, sign, values = word.partition("=")
        if not sign:
            raise HarnessError(f"--where {word}: a condition is {GRAMMAR}")
        if name not in known:
            raise HarnessError(f"--where {word}: {unknown('column', name, known)}")
        found.setdefault(name, []).extend(_typed(name, value, word) for value in _split(values, word))
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def as_texts(where: dict[str, list[Any]], texts: Any) -> dict[str, tuple[str, ...]]:
    """Write conditions as tables compare them. Raises: HarnessError for an absent value, which no table can ask for."""
    for name, values in where.items():
        if None in values:
            raise HarnessError(f"--where {name}=: give a value; only `harness export` can ask for what has no {name}")
    return {name: tuple(texts(value) for value in values) for name, values in where.items()}


def _split(values: str, word: str) -> list[str]:
    try:
        (items,) = csv.reader([values], skipinitialspace=True, strict=True) if values else ([""],)
    except (csv.Error, ValueError):
        raise HarnessError(
            f'--where {word}: quotes stand around a whole value, as {word.partition("=")[0]}="one, two"'
        ) from None
    return list(items)


def _number(value: str) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _typed(name: str, value: str, word: str) -> Any:
    if value == "":
        return None
    kind = COLUMNS[name].kind
    try:
        match kind:
            case "number":
                return _number(value)
            case "flag":
                return _TRUTH[value.lower()]
            case "time":
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case _:
                return value
    except (ValueError, KeyError):
        raise HarnessError(f"--where {word}: column '{name}' holds {_CALLED[kind]}, not '{value}'") from None
