"""How much of a level several looks at growing data may spend, by what they have to do with one another.

Looks at the same data agree more often than not: the chance that any of them is wrong is less than their levels' sum. For means of normal values
it is an integral over one look after the other (Armitage, McPherson and Rowe, 1969). Where the variance is estimated, too, each look keeps its level
in Student's distribution (Jennison and Turnbull, 2000, section 3.8).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist

LEAST, MOST = 1e-12, 0.3
"""Levels between which looks are taken together; below and above, what is spent is as at the nearer end, which is less than could be."""
STEPS = 40
"""Levels at which the integral is computed; between them it is interpolated on logarithms."""
POINTS = 101
"""Of the quadrature (Gauss and Legendre) in one look; twice as many change no digit that counts."""
UNKNOWN = 0.94
"""What of a level is spent, since variances are estimated: simulated looks from five degrees of freedom on are wrong 1.06 times as often as those of
known variance."""


def chance_of_any(levels: Sequence[float], sizes: Sequence[int]) -> float:
    """Return the chance that any look's mean of normal values lies beyond its two-sided level where nothing differs.

    levels: of each look alone, above 0 and below 1. sizes: values that each look has, growing.
    """
    import numpy as np

    places, weights = np.polynomial.legendre.leggauss(POINTS)
    edges = [-NormalDist().inv_cdf(level / 2) * math.sqrt(size) for level, size in zip(levels, sizes, strict=True)]
    chance, before = levels[0], sizes[0]
    sums = edges[0] * places
    mass = np.exp(-(sums**2) / (2 * before)) / math.sqrt(2 * math.pi * before) * weights * edges[0]
    for edge, size in zip(edges[1:], sizes[1:], strict=True):
        step = math.sqrt(size - before)
        beyond = [
            (math.erfc((edge - one) / step / math.sqrt(2)) + math.erfc((edge + one) / step / math.sqrt(2))) / 2
            for one in sums.tolist()
        ]
        chance += float(mass @ np.asarray(beyond))
        now = edge * places
        density = np.exp(-((now[:, None] - sums[None, :]) ** 2) / (2 * step**2)) / (step * math.sqrt(2 * math.pi))
        mass, sums, before = (density @ mass) * weights * edge, now, size
    return chance


def spent(alpha: float, sizes: tuple[int, ...], shares: tuple[float, ...]) -> float:
    """Return by what the looks' shares are multiplied so that the chance that any is wrong is alpha; at least alpha times `UNKNOWN`.

    shares: of each look, which add up to one.
    """
    import numpy as np

    level = min(max(alpha * UNKNOWN, LEAST), MOST)
    chances, factors = _table(sizes, shares)
    return alpha * UNKNOWN * math.exp(float(np.interp(math.log(level), chances, factors)))


@functools.lru_cache(maxsize=8)
def _table(sizes: tuple[int, ...], shares: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Compute logarithms of levels, and of what each may be multiplied by."""
    lowest, highest = math.log(LEAST / 2), math.log(min(2 * MOST, 0.9 / max(shares)))
    sums = [math.exp(lowest + (highest - lowest) * place / STEPS) for place in range(STEPS + 1)]
    chances = [chance_of_any([one * share for share in shares], sizes) for one in sums]
    pairs = zip(sums, chances, strict=True)
    return [math.log(one) for one in chances], [math.log(one / chance) for one, chance in pairs]
