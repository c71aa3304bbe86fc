"""Series of nights as a table, what is common to them, and how far the newest nights of each lie from all before. Pure; numpy and scipy inside.

What nights before a change were is a level and a deviation that outlying nights hardly move: values beyond `FAR` deviations from the median (by the median
absolute deviation: Hampel, 1974) are drawn in to there, and the mean and the standard deviation are those of what is left (winsorized: Tukey and
McLaughlin, 1963). Of the newest nights none counts more than `AHEAD` deviations beyond their median, so that a few odd ones show nothing. Where
a night resembles the one before it, a mean deviates by as much more as that of a chain of first order does (Bartlett, 1935).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOWS = (2, 3, 5, 7, 14, 28)
"""Newest nights that are held against all before them; besides, the newer half of a series."""
SHARE = 1 / (len(WINDOWS) + 1)
"""Of a level, for each of them: together they are wrong no more often than the level says, whatever they have to do with one another."""
FAR, AHEAD, PAST = 12.0, 2.0, 3.0
LEAST = 3
"""Nights before a change below which nothing is known of how nights differ."""
COMMON_FROM = 5
"""Series of a night from which what is common to them can be told from what is one's own, as long as fewer than half of them changed."""
_NORMAL, _NORMAL_MEAN = 1.4826022185056018, 1.2533141373155003  # of a median, and of a mean, absolute deviation
_POLISHES, _LONG = 4, 99


@dataclass(frozen=True)
class NightValue:
    """What one night measured of B against A, in one sitting."""

    change: float
    """Logarithm of the ratio (speed, memory) or difference (quality); positive: B has more."""
    error: float
    """Its standard error, from that night's own rounds or items; 0: counted exactly."""
    times: int = 1
    """How often it was measured that night, with fresh rounds: see `joined`."""
    degrees: float = math.inf
    """Of freedom of its error, which Student's t asks for; infinite: as a normal's."""


@dataclass(frozen=True)
class NightTable:
    """Series by row, nights by column, the last one tonight: a shorter series began later. NaN: not measured."""

    names: tuple[str, ...]
    values: Floats
    errors: Floats
    times: Floats


def table_of(series: Mapping[str, Sequence[NightValue | None]]) -> NightTable:
    """Lay series side by side. What is not finite was not measured."""
    import numpy as np

    nights = max((len(one) for one in series.values()), default=0)
    found = np.full((3, len(series), nights), np.nan)
    for row, one in enumerate(series.values()):
        found[0, row, nights - len(one) :] = [np.nan if value is None else value.change for value in one]
        found[1, row, nights - len(one) :] = [np.nan if value is None else value.error for value in one]
        found[2, row, nights - len(one) :] = [np.nan if value is None else value.times for value in one]
    found[:, ~np.isfinite(found).all(axis=0)] = np.nan
    return NightTable(tuple(series), *found)


# ---------------------------------------------------------------- what is common


def without_common(table: NightTable, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Return values less what the series of a group have in common each night, and that; by median polish (Tukey, 1977).

    Series that are counted exactly take no part, nor do nights on which a group has fewer than `COMMON_FROM` series.
    """
    import numpy as np

    common = np.zeros_like(table.values)
    drawn = (np.nan_to_num(table.errors) > 0).any(axis=1)
    for group in sorted(set(groups)):
        rows = np.array([one == group for one in groups]) & drawn
        if rows.sum() >= COMMON_FROM:
            common[rows] = _polished(table.values[rows])
    return table.values - common, common


def _polished(values: Floats) -> Floats:
    """Return by night what series have in common, about nothing in the middle of all nights."""
    import numpy as np

    left, common = values.copy(), np.zeros(values.shape[1])
    enough = np.isfinite(values).sum(axis=0) >= COMMON_FROM
    for _ in range(_POLISHES):
        left -= medians(left, 1)[:, None]
        night = np.where(enough, medians(left, 0), 0.0)
        left -= night
        common += night
    return np.asarray(np.where(enough, common - np.median(common[enough]), 0.0)) if enough.any() else common


def medians(values: Floats, axis: int) -> Floats:
    """Return medians of what is there; 0 where nothing is."""
    import numpy as np

    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)  # NaN last
    count, rows = np.isfinite(ordered).sum(axis=-1), np.arange(len(ordered))
    if not ordered.shape[1]:
        return np.zeros(len(ordered))
    middle = [
        ordered[rows, place] for place in (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, ordered.shape[1] - 1))
    ]
    return np.asarray(np.where(count > 0, (middle[0] + middle[1]) / 2, 0.0))


# ---------------------------------------------------------------- the newest nights against all before


def packed(values: Floats) -> Floats:
    """Move the nights that were measured to the end of each row, in order."""
    import numpy as np

    return np.take_along_axis(values, np.argsort(np.isfinite(values), axis=1, kind="stable"), axis=1)


@dataclass(frozen=True)
class Before:
    """What the nights before a change were, by series."""

    level: Floats
    deviation: Floats
    nights: Any
    likeness: Floats
    """Correlation of a night with the one before it, less its standard error; 0 at the least."""


def before(values: Floats, least: Floats) -> Before:
    """Describe nights by series; least: what the deviation is at the least, as known from within nights."""
    import numpy as np

    count = np.isfinite(values).sum(axis=1)
    some = np.maximum(count, 1)
    middle = medians(values, 1)[:, None]
    apart = np.abs(values - middle)
    rough = _NORMAL * medians(apart, 1)
    reach = FAR * np.where(rough > 0, rough, _NORMAL_MEAN * np.nansum(apart, axis=1) / some)[:, None]
    level = middle[:, 0] + np.nansum(np.clip(values - middle, -reach, reach), axis=1) / some
    rest = np.clip(values - level[:, None], -reach, reach)
    squares = np.nansum(rest**2, axis=1)
    products = np.nansum(rest[:, 1:] * rest[:, :-1], axis=1)
    likeness = products / np.where(squares > 0, squares, np.inf) - 1 / np.sqrt(some)
    deviation = np.maximum(np.sqrt(squares / np.maximum(count - 1, 1)), least)
    return Before(level, deviation, count, np.clip(likeness, 0.0, 0.9))


def scores(values: Floats, times: Floats, least: Floats, nights: int) -> tuple[Floats, Before]:
    """Return how far the newest nights lie from the level of all before, in standard errors (NaN where that is not known), and what was before.

    values, and how often they were measured: packed. least: errors within a night.
    """
    import numpy as np

    known = before(values[:, :-nights], least)
    deviation = np.where((known.deviation > 0) & (known.nights >= LEAST), known.deviation, np.nan)
    weight = weights(times[:, -nights:], least / deviation)
    total = limited_sum((values[:, -nights:] - known.level[:, None]) / deviation[:, None], weight)
    return total / width(known.likeness, weight.sum(axis=1), np.maximum(known.nights, 1)), known


def weights(times: Floats, within: Floats) -> Floats:
    """Return by night how much more precise it is for having been measured so many times; within: share of a night's deviation that its rounds make up."""
    return 1 / (1 - within[:, None] ** 2 * (1 - 1 / times))


def limited_sum(newest: Floats, weight: Floats) -> Floats:
    """Add the newest nights by row, in deviations: none counts more than `AHEAD` beyond their median (of two middle ones the nearer), nor than
    `PAST` beyond the last."""
    import numpy as np

    ordered, middle, last = np.sort(newest, axis=1), (newest.shape[1] - 1) // 2, newest[:, -1:]
    most = np.minimum(ordered[:, [middle]] + AHEAD, last + PAST)
    least = np.maximum(ordered[:, [-1 - middle]] - AHEAD, last - PAST)
    up, down = ((weight * one).sum(axis=1) for one in (np.minimum(newest, most), np.maximum(newest, least)))
    return np.asarray(np.where((weight * newest).sum(axis=1) > 0, np.maximum(up, 0.0), np.minimum(down, 0.0)))


def width(likeness: Floats, newest: Floats, known: Floats | float) -> Floats:
    """Return the standard error, in deviations, of the sum of newest nights of that weight less as many times the level of the nights before."""
    import numpy as np

    return np.asarray(np.sqrt(newest * _alike(likeness, newest) + newest**2 / known * _alike(likeness, _LONG)))


def _alike(likeness: Floats, nights: Floats | float) -> Floats:
    """Return by what factor the variance of a mean of so many nights is larger where nights resemble their neighbours."""
    rest: Floats = 1 - likeness
    factor: Floats = (1 + likeness) / rest - 2 * likeness * (1 - likeness**nights) / (nights * rest**2)
    return factor


def chance(score: Floats | float, nights: Floats | float) -> Floats:
    """Return the two-sided p of a score, with so many nights before."""
    import numpy as np
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(np.maximum(nights, 2) - 1, -np.abs(score)))
