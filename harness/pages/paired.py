"""A change between two measurements of the same documents or questions: what they have in common is not noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from harness.core.errors import HarnessError
from harness.numbers.pairing import paired_difference, reproduces
from harness.published.sources import NumberSource
from harness.tables.result import Cell, Side

_Found = tuple[Literal["inside", "outside", "unknown"], str]
_PAIRED = frozenset({"value", "difference"})
"""Comparisons that move as much as the one side that moved."""
_COLUMNS = ("metric", "items", "value")


def between_items(old: Cell, was: NumberSource, new: Cell, now: NumberSource) -> _Found | None:
    """Judge a change by the paired difference over its items; says why where it cannot. None: not both of the same items."""
    if old.trace is None or new.trace is None or len(old.trace.sides) != len(new.trace.sides):
        return None
    pairs = [
        (_measured(one, was), _measured(other, now))
        for one, other in zip(old.trace.sides, new.trace.sides, strict=True)
    ]
    if any(not _same_items(one, other) for one, other in pairs):
        return None
    if new.asked is not None and new.asked.stat is not None:
        return "unknown", f"{new.asked.stat} of the same items"
    if new.trace.comparison not in _PAIRED:
        return "unknown", f"a {new.trace.comparison.replace('_', ' ')} of the same items"
    moved = [place for place, (one, other) in enumerate(pairs) if one["value"] != other["value"]]
    if len(moved) != 1:
        return "unknown", "number and baseline both moved" if moved else "no value behind it moved"
    return _judged(pairs[moved[0]][0]["metric"], [(old.trace.sides[moved[0]], was), (new.trace.sides[moved[0]], now)])


def _measured(side: Side, source: NumberSource) -> dict[str, Any]:
    return next(iter(source.select({"measurement_id": side.measurement}, _COLUMNS)), {})


def _same_items(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one.get("items")) and all(one[name] == other.get(name) for name in ("items", "metric"))


def _judged(metric: str, sides: Sequence[tuple[Side, NumberSource]]) -> _Found:
    items = [source.reader().all_items(side.measurement) for side, source in sides]
    values = [_measured(side, source)["value"] for side, source in sides]
    if not all(reproduces(metric, one, float(value)) for one, value in zip(items, values, strict=True)):
        return "unknown", "the samples do not give the number"
    try:
        found = paired_difference(metric, items[1], items[0])
    except HarnessError as error:
        return "unknown", str(error)
    return ("inside" if found.low <= 0 <= found.high else "outside"), ""
