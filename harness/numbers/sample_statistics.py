"""Statistics of samples, of one process and over several."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any


def over_processes(stat: str, found: Sequence[float]) -> float:
    """Combine a statistic of each round: the least of minima, the greatest of maxima, else the mean over the processes."""
    return {"min": min, "max": max}.get(stat, fmean)(found)


def statistic_of(samples: object, stat: str) -> float | None:
    """Compute a statistic of samples of any shape; percentiles interpolate linearly, stdev is the sample's (n - 1).

    None where there are too few samples for it.
    """
    import numpy as np

    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size == 0:
        return None
    if stat == "stdev":
        return float(values.std(ddof=1)) if values.size > 1 else None
    if stat.startswith("p"):
        return float(np.percentile(values, int(stat[1:])))
    simple: dict[str, Any] = {"min": np.min, "max": np.max, "mean": np.mean}
    return float(simple[stat](values))
