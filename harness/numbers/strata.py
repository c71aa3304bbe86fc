"""Questions in strata, as the subjects of an exam: the strata are fixed, the questions within each are drawn.

The value is the mean over all questions (micro average); its variance is that of a stratified sample, in which differences
between strata are no uncertainty. Arrays hold the questions stratum by stratum; `counts` says how many each has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.numbers.intervals import Summary, checked, student_t_at
from harness.numbers.proportions import PAIRED, paired_difference, wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SUFFIX = ".strata"
"""Behind an array's name: the array of its questions per stratum, in order."""
STRATIFIED_WILSON = "wilson 95%, stratified"
STRATIFIED_MEAN = "student-t 95%, stratified"
STRATIFIED_PAIRED = f"{PAIRED}, stratified"
FEWEST = 20
"""Questions below which a mean of log-probabilities has no interval: they are skewed."""
FEWEST_DISCORDANT = 10
"""Discordant answers below which nothing is known of how strata differ in them: the bound of all questions together holds."""
DRAWN = 3
"""Answers gained, and as many lost, by which each stratum is drawn towards no difference before its variance is taken. Of the
whole numbers the least with which a stratum that is discordant throughout is covered by 92 % (with one more by 85 %)."""


def stratified_share(right: Any, counts: Sequence[int]) -> Summary:
    """Share of right answers with Wilson's interval at the effective number of questions of a stratified sample.

    That number is p (1 - p) over the stratified variance, in which each stratum's share is drawn a little towards one half
    (one more of each kind of answer), so that strata without a wrong answer still count.
    """
    values = checked(right)
    parts = _parts(values, counts)
    size = values.size
    share = float(values.mean())
    drawn = [(float(part.sum()) + 1) / (part.size + 2) for part in parts]
    middle = sum(part.size * p for part, p in zip(parts, drawn, strict=True)) / size
    variance = sum((part.size + 1) * p * (1 - p) for part, p in zip(parts, drawn, strict=True)) / size**2
    effective = max(float(size), middle * (1 - middle) / variance)
    _, low, high = wilson(share * effective, effective)
    return share, low, high


def stratified_difference(
    one: Any, other: Any, counts: Sequence[int], alpha: float = 0.05
) -> tuple[float, float, float]:
    """Difference of two shares of the same questions, answered 0 or 1 in the same order, with its interval.

    The exact bounds of all discordant answers together, which are at most too wide where strata differ (Hoeffding, On the
    distribution of the number of successes in independent trials, 1956), narrowed to either side by the standard error within
    strata over that of all. Fewer than FEWEST_DISCORDANT discordant answers: as they are.
    """
    pairs = list(zip(_parts(checked(one), counts), _parts(checked(other), counts), strict=True))
    moved = [(int((ours > theirs).sum()), int((ours < theirs).sum()), ours.size) for ours, theirs in pairs]
    gained, lost, size = (sum(column) for column in zip(*moved, strict=True))
    value, low, high = paired_difference(gained, lost, size, alpha)
    if gained + lost < FEWEST_DISCORDANT or len(moved) == 1:
        return value, low, high
    drawn = [(up + DRAWN, down + DRAWN, questions + 2 * DRAWN) for up, down, questions in moved]
    within = sum(map(_variance, drawn))
    narrower = math.sqrt(within / _variance(tuple(map(sum, zip(*drawn, strict=True)))))
    return value, value - (value - low) * narrower, value + (high - value) * narrower


def _variance(moved: Sequence[int]) -> float:
    """Return the variance of gained less lost among so many questions."""
    gained, lost, size = moved
    return gained + lost - (gained - lost) ** 2 / size


def stratified_mean(samples: Any, counts: Sequence[int], alpha: float = 0.05) -> Summary:
    """Mean of all questions with Student's interval from the stratified variance; None below FEWEST questions.

    Degrees of freedom: Welch and Satterthwaite. Strata of a single question share one variance.
    """
    values = checked(samples)
    mean = float(values.mean())
    if values.size < FEWEST:
        return mean, None, None
    error, degrees = mean_error(values, counts)
    half = student_t_at(degrees, alpha) * error if error else 0.0
    return mean, mean - half, mean + half


def mean_error(values: Floats, counts: Sequence[int]) -> tuple[float, float]:
    """Return the standard error of the mean of all questions, with its degrees of freedom (infinite where all are the same)."""
    terms = [(part.size * float(part.var(ddof=1)) / values.size**2, part.size - 1) for part in _pooled(values, counts)]
    variance = sum(term for term, _ in terms)
    if variance == 0:
        return 0.0, math.inf
    return math.sqrt(variance), max(1, math.floor(variance**2 / sum(term**2 / count for term, count in terms)))


def _parts(values: Floats, counts: Sequence[int]) -> list[Floats]:
    """Cut an array at its strata. Raises: HarnessError where they do not fit."""
    import numpy as np

    sizes = [int(count) for count in counts if count]
    if sum(sizes) != values.size:
        raise HarnessError(f"{len(sizes)} strata of {sum(sizes)} questions do not cut {values.size} answers")
    return list(np.split(values, np.cumsum(sizes)[:-1]))


def _pooled(values: Floats, counts: Sequence[int]) -> list[Floats]:
    import numpy as np

    parts = _parts(values, counts)
    alone = [part for part in parts if part.size == 1]
    more = [part for part in parts if part.size > 1]
    if len(alone) > 1:
        return [*more, np.concatenate(alone)]
    if alone:
        return [np.concatenate([alone[0], more[0]]), *more[1:]]
    return more
