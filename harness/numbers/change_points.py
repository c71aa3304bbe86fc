"""Where a series changed its level or spread: E-divisive means (Matteson and James, JASA 109, 2014, algorithms 1 and 2). Pure; numpy inside.

Of all places the one is taken that puts the most energy distance (exponent 1) between what is before and after it in its
segment; it counts where at most a share LEVEL of shuffled segments has as much, and then both sides are searched. As in the paper all segments
are divided together: each step takes the best place of all, and the first that does not pass ends the search. No distribution is
assumed: an outlier is no change. Shuffles are seeded, so that the same numbers give the same places.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL, SHUFFLES, SEED = 0.01, 199, 20261129
LEAST = 4
"""Values of the shortest segment."""
LONGEST = 1000
"""Values that are looked at, the newest ones: distances are kept for each pair."""


@dataclass(frozen=True)
class ChangePoint:
    """A change. place: index of the first value after it; before, after: medians of the segments beside it."""

    place: int
    p: float
    before: float
    after: float

    @property
    def change(self) -> float | None:
        """The relative change; None where the median before is 0."""
        return self.after / self.before - 1 if self.before else None


def change_points(values: Sequence[float], level: float = LEVEL) -> list[ChangePoint]:
    """Find the changes of a series, in order. values: finite, in time. Raises: ValueError for a value that is not finite."""
    import numpy as np

    series = np.asarray(values, dtype=float)
    if not np.isfinite(series).all():
        raise ValueError("a series has a value that is not finite")
    offset = max(0, len(series) - LONGEST)
    series = series[offset:]
    found = _divided(series, level)
    edges = [0, *sorted(found), len(series)]
    medians = [float(np.median(series[low:high])) for low, high in itertools.pairwise(edges) if high > low]
    return [
        ChangePoint(place + offset, found[place], medians[number], medians[number + 1])
        for number, place in enumerate(sorted(found))
    ]


def _divided(series: NDArray[np.float64], level: float) -> dict[int, float]:
    """Return place to p of all changes."""
    import numpy as np

    distances = np.abs(series[:, None] - series[None, :])
    draw, found = np.random.default_rng(SEED), dict[int, float]()
    segments = [(0, len(series))]
    best = {segment: _best(distances[slice(*segment), slice(*segment)]) for segment in segments}
    while True:
        segment = max(best, key=lambda one: best[one][1])
        place, height = best[segment]
        if height <= 0:
            return found
        p = _chance(distances[slice(*segment), slice(*segment)], height, draw, level)
        if p > level:
            return found
        low, high = segment
        found[low + place] = p
        del best[segment]
        for part in ((low, low + place), (low + place, high)):
            best[part] = _best(distances[slice(*part), slice(*part)])


def _best(distances: NDArray[np.float64]) -> tuple[int, float]:
    """Return the best place of a segment, and its energy; 0 where it is too short or constant."""
    import numpy as np

    count = len(distances)
    if count < 2 * LEAST or not distances.any():
        return 0, 0.0
    ahead = np.triu(distances).sum(axis=0)  # of each value to all before it
    behind = np.triu(distances).sum(axis=1)  # of each value to all after it
    left = np.cumsum(ahead)[LEAST - 1 : count - LEAST]
    right = np.cumsum(behind[::-1])[::-1][LEAST : count - LEAST + 1]
    n = np.arange(LEAST, count - LEAST + 1, dtype=float)
    m = count - n
    cross = ahead.sum() - left - right
    energy = n * m / count * (2 * cross / (n * m) - 2 * left / (n * (n - 1)) - 2 * right / (m * (m - 1)))
    place = int(np.argmax(energy))
    return place + LEAST, float(energy[place])


def _chance(distances: NDArray[np.float64], height: float, draw: np.random.Generator, level: float) -> float:
    """Return the share of shuffled segments that reach a height, the segment itself among them; stops once it is above the level."""
    reached = 1
    for number in range(1, SHUFFLES + 1):
        order = draw.permutation(len(distances))
        reached += _best(distances[order][:, order])[1] >= height
        if reached > level * (SHUFFLES + 1):
            return reached / (number + 1)
    return reached / (SHUFFLES + 1)
