"""`--where COLUMN=VALUE`, the same for every command: how conditions are written, with types from the frame's columns."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.store.columns import COLUMNS
from harness.store.result import ValueKind

GRAMMAR = "COLUMN=VALUE, as batch=8, method=fp32,int8 or model=tiny,method=int8; several conditions on one column are alternatives"
_NEXT = re.compile(r',(?=[a-z_]+=)(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""Where the next condition of a word begins: behind a comma outside of quotes, with a column's name and an equals sign."""
ConditionValue = str | float | bool | datetime | None
"""A value in its column's type; None: absent."""
_SHOWN = 8
"""Values of a column that a refusal names; it counts the others."""
_TRUTH = {"true": True, "false": False}
_CALLED: dict[ValueKind, str] = {
    "text": "texts",
    "number": "numbers",
    "flag": "true or false",
    "time": "times, as 2026-01-31T12:00Z",
}


def parse_where(
    words: Sequence[str], known: Collection[str] = COLUMNS, option: str = "--where"
) -> dict[str, list[ConditionValue]]:
    """Read conditions: column -> values in the column's type, None for nothing behind the equals sign (absent).

    A comma separates values, and conditions; a value that holds one stands in double quotes. known: columns that may be named.
    option: what they were given with. Raises: HarnessError naming the column and the nearest right name, or the type that the column has.
    """
    found: dict[str, list[ConditionValue]] = {}
    for word in [one for given in words for one in _NEXT.split(given)]:
        name, sign, values = word.partition("=")
        said = f"{option} {word}"
        if not sign:
            raise HarnessError(f"{said}: a condition is {GRAMMAR}")
        if name not in known:
            raise HarnessError(f"{said}: {unknown('column', name, known)}")
        found.setdefault(name, []).extend(_typed(name, value, said) for value in _split(values, said, name))
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def as_texts(
    where: Mapping[str, Sequence[ConditionValue]], texts: Callable[[object], str]
) -> dict[str, tuple[str, ...]]:
    """Write conditions as tables compare them. Raises: HarnessError for an absent value, which no table can ask for."""
    for name, values in where.items():
        if None in values:
            raise HarnessError(f"--where {name}=: give a value; only `harness export` can ask for what has no {name}")
    return {name: tuple(texts(value) for value in values) for name, values in where.items()}


def _split(values: str, said: str, name: str) -> list[str]:
    try:
        (items,) = csv.reader([values], skipinitialspace=True, strict=True) if values else ([""],)
    except (csv.Error, ValueError):
        raise HarnessError(f'{said}: quotes stand around a whole value, as {name}="one, two"') from None
    return list(items)


def _number(value: str) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _typed(name: str, value: str, said: str) -> ConditionValue:
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
        raise HarnessError(f"{said}: column '{name}' holds {_CALLED[kind]}, not '{value}'") from None


def values_told(there: Mapping[str, Collection[ConditionValue]]) -> str:
    """List the values that each dimension has."""
    parts = []
    for name, values in there.items():
        ordered = sorted(values, key=_placed)
        more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
        parts += [f"{name} {', '.join(map(shown, ordered[:_SHOWN]))}{more}"] if ordered else []
    return "; ".join(parts) or "nothing"


def _placed(value: ConditionValue) -> tuple[bool, float, str]:
    """Order numbers by size, all else by its text."""
    return (False, float(value), "") if isinstance(value, int | float) else (True, 0.0, str(value))


def shown(value: ConditionValue) -> str:
    """Write a value as a condition does."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
