"""Values of a text with its document as the unit: intervals and paired differences from each document's sum and count.

Tokens of one document hang together, and documents are few, skewed and of unequal length, so the interval is a bootstrap-t
over documents: the ratio of summed scores to summed counts is studentized by its linearized standard error in every
resample, and the quantiles of those ratios stand where Student's would. Source: Efron & Tibshirani, An Introduction to the
Bootstrap (1993), section 12.5. What it covers on real texts: tests/benchmarks/coverage.py and the record beside it.

Sums are float64 [documents, 2]: sum of a score and number of scored items, in text order.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.numbers.intervals import checked, exponential, student_t_at
from harness.numbers.proportions import paired_difference as differing
from harness.numbers.proportions import share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST = 50
"""Documents below which there is no interval: what the record of the coverage benchmark justifies."""
MOST = 2000
"""Documents above which Student's t on the linearized ratio serves: what skew leaves is below a fiftieth of the width."""
RESAMPLES = 1999
SEED = 20261128
TAILS = (0.0225, 0.9775)
"""A little more than 95 %: with 2.5 % on each side the record fell short of 93 % at 200 documents by a third of a point."""
FINEST = 0.01
"""Level below which too few resamples lie beyond an end."""
FEWEST_DIFFERING = 10
"""Documents that must hold a disagreement for a bootstrap to know anything of their spread."""
SUFFIX = ".documents"
"""Behind an array's name: the array of its samples per document, in order."""


@dataclass(frozen=True)
class Statistic:
    """How a metric's value follows from the ratio of its sums, and between which bounds it lies."""

    finish: Literal["same", "exp"] = "same"
    least: float = -math.inf
    most: float = math.inf


STATISTICS = {
    "perplexity": Statistic("exp", least=1.0),
    "kl_divergence": Statistic(least=0.0),
    "validation_loss": Statistic(least=0.0),
    "top1_agreement": Statistic(least=0.0, most=1.0),
}
"""Metrics whose unit is the document."""


@dataclass(frozen=True)
class Interval:
    """A value's 95 % interval with the name of its method; where there is none, the name says why."""

    low: float | None
    high: float | None
    name: str


def sums_of(samples: Any, counts: Any) -> Floats:
    """Add samples up by document: float64 [documents, 2] of sums and counts. Raises: HarnessError where they do not fit."""
    import numpy as np

    values, sizes = np.asarray(samples, dtype=np.float64).ravel(), np.asarray(counts, dtype=np.int64).ravel()
    if sizes.sum() != values.size or (sizes < 0).any():
        raise HarnessError(
            f"the record is damaged: its documents count {sizes.sum()} samples, and it has {values.size}; measure again"
        )
    ends = np.cumsum(np.concatenate([[0], sizes]))
    running = np.concatenate([[0.0], np.cumsum(values)])
    return np.stack([running[ends[1:]] - running[ends[:-1]], sizes.astype(np.float64)], axis=1)


def value_of(sums: Floats, metric: str) -> float:
    """Return the metric's value from its sums."""
    ratio = float(sums[:, 0].sum() / sums[:, 1].sum())
    return exponential(ratio) if _statistic(metric).finish == "exp" else ratio


def interval(sums: Floats, metric: str, noun: str = "documents") -> Interval:
    """Return the 95 % interval of a metric's value, by document; `noun` says what documents are, in the plural.

    Raises: HarnessError for sums that are not finite.
    """
    sums = _scored(sums)
    few = _too_few(len(sums))
    if few:
        return Interval(None, None, few)
    if metric == "top1_agreement" and _differing(sums) < FEWEST_DIFFERING:
        return _few_disagreements(sums)
    statistic = _statistic(metric)
    name = f"95 % by document ({len(sums):,} {noun}), {_method(len(sums))}"
    low, high = _ratio_interval(sums)
    if statistic.finish == "exp":
        low, high = exponential(low), exponential(high)
    return Interval(max(statistic.least, low), min(statistic.most, high), name)


def _differing(sums: Floats) -> int:
    """Count documents in which some positions disagree, or where few agree, those in which some do."""
    disagree = int((sums[:, 0] < sums[:, 1]).sum())
    return min(disagree, int((sums[:, 0] > 0).sum()))


def _few_disagreements(sums: Floats) -> Interval:
    """Bound a share by the count of what is rare in it; what stands together in a document counts as little as it hangs together."""
    apart = sums[:, 1] - sums[:, 0]
    most_apart = bool(sums[:, 0].sum() < apart.sum())
    rare = sums[:, 0] if most_apart else apart
    scored, effect = float(sums[:, 1].sum()), design_effect(rare)
    size, few = max(1, round(scored / effect)), round(float(rare.sum()) / effect)
    _, low, high = share(few if most_apart else size - few, size)
    told = f"{round(float(apart.sum())):,} of {round(scored):,} disagree"
    beside = f", design effect {effect:.1f}" if effect > 1 else ""
    return Interval(low, high, f"95 % mid-p binomial, {told}{beside}")


def design_effect(counts: Any) -> float:
    """Say as how many independent events each counted one is to be taken: mean cluster size, weighted by size; at least 1.

    counts: events by document. Source: Kish, Survey Sampling (1965), section 5.4, for clusters that agree within themselves.
    """
    import numpy as np

    sizes = np.asarray(counts, dtype=np.float64)
    return max(1.0, float((sizes**2).sum() / sizes.sum())) if sizes.sum() > 0 else 1.0


def paired_difference(
    sums: Floats, baseline: Floats, metric: str, moves: Floats | None = None, alpha: float = 0.05
) -> tuple[float, float, float]:
    """Return value minus baseline with its interval, of 95 % where nothing is said, both scored on the same documents in the same order.

    moves: for shares, float64 [documents, 2], how many positions only the first got right and how many only the second;
    without it they are taken from the sums, in which gains and losses of one document cancel. Seeded: equal input, equal
    interval. Raises: HarnessError where the two do not pair, or documents are too few.
    """
    import numpy as np

    if sums.shape != baseline.shape or not np.array_equal(sums[:, 1], baseline[:, 1]):
        raise HarnessError(
            f"the two read other documents ({sums.shape[0]} and {baseline.shape[0]}); measure both on the same text and tokens"
        )
    sums, baseline = _scored(sums), _scored(baseline)
    few = _too_few(len(sums))
    if few:
        raise HarnessError(few.removeprefix("none: "))
    exp = _statistic(metric).finish == "exp"
    if metric == "top1_agreement":
        net = sums[:, 0] - baseline[:, 0]
        moves = np.stack([net.clip(min=0), (-net).clip(min=0)], axis=1) if moves is None else moves
        if (moves > 0).any(axis=1).sum() < FEWEST_DIFFERING or not net.any():
            return _few_moved(moves, float(sums[:, 1].sum()), alpha)
    counts = sums[:, 1]
    total = counts.sum()
    ratios = [float(side[:, 0].sum() / total) for side in (sums, baseline)]
    if exp:
        for ratio in ratios:
            exponential(ratio)
    residuals = [side[:, 0] - ratio * counts for side, ratio in zip((sums, baseline), ratios, strict=True)]
    low, high = _studentized(residuals, counts, ratios, exp=exp, alpha=alpha)
    values = [math.exp(ratio) if exp else ratio for ratio in ratios]
    return values[0] - values[1], low, high


def _few_moved(moves: Floats, scored: float, alpha: float) -> tuple[float, float, float]:
    """Bound a difference of shares by the few documents in which it stands, as answers are bounded by the discordant ones."""
    effect = design_effect(moves.sum(axis=1))
    size = max(1, round(scored / effect))
    gained, lost = (round(float(moves[:, side].sum()) / effect) for side in (0, 1))
    _, low, high = differing(gained, lost, size, alpha)
    return float(moves[:, 0].sum() - moves[:, 1].sum()) / scored, low, high


def _statistic(metric: str) -> Statistic:
    return STATISTICS.get(metric, Statistic())


def _scored(sums: Floats) -> Floats:
    """Leave out documents of which nothing was scored."""
    checked(sums)
    return sums[sums[:, 1] > 0]


def _too_few(documents: int) -> str:
    if documents >= FEWEST:
        return ""
    are = "document is" if documents == 1 else "documents are"
    return f"none: {documents} {are} too few, {FEWEST} are needed"


def _method(documents: int) -> str:
    return "bootstrap-t" if documents <= MOST else "student-t"


def _ratio_interval(sums: Floats) -> tuple[float, float]:
    counts = sums[:, 1]
    ratio = float(sums[:, 0].sum() / counts.sum())
    return _studentized([sums[:, 0] - ratio * counts], counts, [ratio], exp=False)


def _studentized(
    residuals: list[Floats], counts: Floats, ratios: list[float], *, exp: bool, alpha: float = 0.05
) -> tuple[float, float]:
    """Return the interval of a ratio, or of the difference of two (with `exp` of their exponentials).

    residuals: of each side, its sums less what its ratio says of the counts.
    """
    import numpy as np

    signs = (1.0, -1.0)[: len(ratios)]
    slopes = [sign * (math.exp(ratio) if exp else 1.0) for sign, ratio in zip(signs, ratios, strict=True)]
    value = sum(slopes) if exp else sum(sign * ratio for sign, ratio in zip(signs, ratios, strict=True))
    linear = sum(slope * part for slope, part in zip(slopes, residuals, strict=True))
    size = len(counts)
    error = math.sqrt(float(np.dot(linear, linear))) / float(counts.sum())
    if error == 0.0:
        return value, value
    if size > MOST:
        half = student_t_at(size - 1, alpha) * error
        return value - half, value + half
    found = _ratios(residuals, counts, slopes, exp=exp)
    low, high = np.quantile(found, [_tail(alpha), 1 - _tail(alpha)]) * _beyond(alpha)
    return value - float(high) * error, value - float(low) * error


def _tail(alpha: float) -> float:
    """Return the share of resamples beyond each end of an interval, as far as so few of them can tell."""
    return TAILS[0] * max(alpha, FINEST) / 0.05


def _beyond(alpha: float) -> float:
    """Say by how much an interval is wider than the resamples can tell: as a normal's tail goes on."""
    from scipy.special import ndtri

    return float(ndtri(alpha / 2) / ndtri(FINEST / 2)) if alpha < FINEST else 1.0


def _ratios(residuals: list[Floats], counts: Floats, slopes: list[float], *, exp: bool) -> Floats:
    """Return the studentized deviations of all resamples, float64 [RESAMPLES]."""
    import numpy as np

    columns = [*residuals, counts]
    pairs = [(one, other) for one in range(len(columns)) for other in range(one, len(columns))]
    products = [columns[one] * columns[other] for one, other in pairs]
    moments = _weights(len(counts)) @ np.stack([*columns, *products], axis=1)
    sums, squares = moments[:, : len(columns)], moments[:, len(columns) :].T
    last = len(residuals)
    shifts = [sums[:, place] / sums[:, last] for place in range(last)]
    tilted = [slope * np.exp(shift) if exp else slope + 0 * shift for slope, shift in zip(slopes, shifts, strict=True)]
    moved = sum(slope * (np.expm1(shift) if exp else shift) for slope, shift in zip(slopes, shifts, strict=True))
    factors = [*tilted, -sum(part * shift for part, shift in zip(tilted, shifts, strict=True))]
    square = sum(
        (1 if one == other else 2) * factors[one] * factors[other] * product
        for (one, other), product in zip(pairs, squares, strict=True)
    )
    error = np.sqrt(np.maximum(square, 0.0)) / sums[:, last]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.nan_to_num(moved / error, nan=0.0, posinf=1e9, neginf=-1e9)
    return found


@functools.lru_cache(maxsize=4)
def _weights(size: int) -> Floats:
    """Draw how often each document stands in each resample: float64 [RESAMPLES, size], the same for a size."""
    import numpy as np

    drawn = np.random.default_rng(SEED).multinomial(size, np.full(size, 1 / size), RESAMPLES)
    found: Floats = drawn.astype(np.float64)
    return found
