"""Differences between two measurements of the same items: a paired bootstrap over items or blocks of neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 2000
SEED = 20240917
INTERVAL = "paired bootstrap 95%"


@dataclass(frozen=True)
class Statistic:
    """How a metric's value follows from its samples: `finish(sum / count)`, and how many neighbours hang together."""

    finish: Callable[[Any], Any]
    block: int


def _exp(values: Any) -> Any:
    import numpy as np

    return np.exp(values)


def _same(values: Any) -> Any:
    return values


MEAN = Statistic(_same, 1)
STATISTICS = {
    "perplexity": Statistic(_exp, 64),
    "kl_divergence": Statistic(_same, 64),
    "kl_abs_log_ratio": Statistic(_same, 64),
    "top1_agreement": Statistic(_same, 64),
}
"""Positions of a text are not independent: they are drawn in blocks of 64 neighbours. Questions are drawn one by one."""


def statistic(metric: str) -> Statistic:
    """Return how a metric's samples make its value; the mean of single items where nothing else is known."""
    return STATISTICS.get(metric, MEAN)


def block_sums(samples: Any, block: int) -> Floats:
    """Add samples up in blocks of neighbours: float64 [blocks, 2] of sums and counts; all that a comparison needs."""
    import numpy as np

    values = np.asarray(samples, dtype=np.float64).ravel()
    starts = np.arange(0, values.size, block)
    sums = np.add.reduceat(values, starts) if values.size else np.zeros(0)
    counts = np.minimum(block, values.size - starts).astype(np.float64)
    return np.stack([sums, counts], axis=1)


def value_of(blocks: Floats, metric: str) -> float:
    """Return the metric's value from its block sums."""
    return float(statistic(metric).finish(blocks[:, 0].sum() / blocks[:, 1].sum()))


def paired_difference(blocks: Floats, baseline: Floats, metric: str) -> tuple[float, float, float]:
    """Return value minus baseline with its 95 % percentile interval; the same blocks are drawn on both sides.

    blocks, baseline: float64 [blocks, 2] of the same items in the same order. Seeded: equal input, equal interval.
    Raises: HarnessError where the two do not pair, or where fewer than two blocks leave nothing to draw.
    """
    import numpy as np

    if blocks.shape != baseline.shape or not np.array_equal(blocks[:, 1], baseline[:, 1]):
        raise HarnessError(f"{blocks.shape[0]} and {baseline.shape[0]} blocks do not pair")
    size = blocks.shape[0]
    if size < 2:
        raise HarnessError("fewer than two blocks of items: there is nothing to draw from")
    finish = statistic(metric).finish
    draw = np.random.default_rng(SEED)
    rows = max(1, min(RESAMPLES, 2_000_000 // size))
    found = [
        _difference(blocks, baseline, draw.integers(0, size, (min(rows, RESAMPLES - done), size)), finish)
        for done in range(0, RESAMPLES, rows)
    ]
    low, high = np.quantile(np.concatenate(found), (0.025, 0.975))
    return value_of(blocks, metric) - value_of(baseline, metric), float(low), float(high)


def _difference(blocks: Floats, baseline: Floats, index: Any, finish: Callable[[Any], Any]) -> Floats:
    counts = blocks[index, 1].sum(axis=1)
    one = finish(blocks[index, 0].sum(axis=1) / counts)
    other = finish(baseline[index, 0].sum(axis=1) / counts)
    difference: Floats = one - other
    return difference


def reproduces(blocks: Floats, metric: str, value: float) -> bool:
    """Say whether the samples give the value that stands in the record; a pairing of other samples would mislead."""
    return math.isclose(value_of(blocks, metric), value, rel_tol=1e-5, abs_tol=1e-9)
