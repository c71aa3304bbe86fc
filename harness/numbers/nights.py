"""Stand-in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class NightValue:
    """What one night measured of a series: B against A in one sitting."""

    change: float
    """Log ratio (speed, memory) or difference (quality)."""
    error: float


@dataclass(frozen=True)
class SeriesWitness:
    """What the nights of a series say together."""

    is_change: bool
    since: int | None
    size: float
    p: float
    night_sd: float | None
    nights_needed: int


def witnesses(
    series: Mapping[str, Sequence[NightValue | None]],
    *,
    margin: Mapping[str, float | None],  # noqa: ARG001
    false_alarms: float,  # noqa: ARG001
    power: float,  # noqa: ARG001
) -> dict[str, SeriesWitness]:
    """Say nothing."""
    return {name: SeriesWitness(False, None, 0.0, 1.0, None, 30) for name in series}


def is_confirmed(first: NightValue, again: NightValue, *, margin: float | None) -> bool:  # noqa: ARG001
    """Say whether a second measurement shows the change of the first: the same way, and beyond its error."""
    return math.copysign(1, first.change) == math.copysign(1, again.change) and abs(again.change) > 1.645 * again.error
