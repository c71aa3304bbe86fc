"""Summaries of samples: values with their 95 % intervals. Numpy only.

Every function returns `(value, low, high)`; low and high are None where the samples are too few to say.
The constant of the same name in capitals is what `Reading.interval` should say.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Summary = tuple[float, float | None, float | None]

BLOCK = 64
"""Neighbouring positions of a text are not independent; blocks of this many are treated as if they were."""

MEAN_INTERVAL = "student-t 95%"
POSITIVE_INTERVAL = "student-t 95%, log scale"
MEAN_BLOCK_INTERVAL = f"student-t 95%, blocks of {BLOCK}"
EXP_MEAN_INTERVAL = f"exp of student-t 95%, blocks of {BLOCK}"
WILSON = "wilson 95%"

_Z = 1.959963984540054
_T975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)  # 1 to 10 degrees of freedom


def student_t(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t: exact to four digits up to 10 degrees, Cornish-Fisher beyond."""
    if degrees <= len(_T975):
        return _T975[degrees - 1]
    z, n = _Z, float(degrees)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


def mean_interval(samples: Any) -> Summary:
    """Mean of independent samples of any shape, with Student's t interval."""
    values = _checked(samples)
    mean = float(values.mean())
    if values.size < 2:
        return mean, None, None
    half = student_t(values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return mean, mean - half, mean + half


def positive_interval(samples: Any) -> Summary:
    """Mean of independent positive samples, as seconds; Student's t on the log scale keeps the interval positive.

    The standard error of the logarithm of a mean is that of the mean over the mean (delta method). An interval of work
    per mean second is the same one turned over: work / high to work / low.
    """
    mean, low, _ = mean_interval(samples)
    if mean <= 0:
        raise HarnessError(f"{mean} s is not a duration; the clock stood still or ran backwards")
    if low is None:
        return mean, None, None
    factor = math.exp((mean - low) / mean)
    return mean, mean / factor, mean * factor


def mean_block_interval(samples: Any, block: int = BLOCK) -> Summary:
    """Mean of samples in text order; the interval treats blocks of neighbours as the independent units."""
    values = _checked(samples)
    mean = float(values.mean())
    starts = range(0, values.size, block)
    if len(starts) < 2:
        return mean, None, None
    residuals = [float((values[start : start + block] - mean).sum()) for start in starts]
    count = len(residuals)
    error = math.sqrt(count / (count - 1) * sum(part * part for part in residuals)) / values.size
    half = student_t(count - 1) * error
    return mean, mean - half, mean + half


def exp_mean_interval(nll: Any, block: int = BLOCK) -> Summary:
    """Exponential of a mean, as perplexity from negative log-likelihoods (nats) in text order."""
    mean, low, high = mean_block_interval(nll, block)
    return _exp(mean), None if low is None else _exp(low), None if high is None else _exp(high)


def wilson(successes: int, n: int) -> Summary:
    """Share of successes, with Wilson's score interval (1927), which stays within 0 and 1."""
    if n < 1 or not 0 <= successes <= n:
        raise HarnessError(f"{successes} successes of {n} make no share; at least one item is needed")
    share = successes / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == n else (middle + half) / scale
    return share, low, high


def _checked(samples: Any) -> Floats:
    import numpy as np

    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size == 0:
        raise HarnessError("there are no samples to summarise; the workload scored nothing")
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise HarnessError(
            f"sample {where} of {values.size} is not finite ({values[where]}); the model is broken there"
        )
    return values


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        raise HarnessError(f"exp({value:.6g}) is beyond a float; the model is broken") from None
