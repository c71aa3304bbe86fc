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

MEAN_INTERVAL = "student-t 95%"
POSITIVE_INTERVAL = "student-t 95%, log scale"
RETIRED = frozenset({"student-t 95%, blocks of 64", "exp of student-t 95%, blocks of 64"})
"""Intervals of version 0.1 that cover too little on natural text: they are kept with their runs and shown nowhere."""

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


def student_t_at(degrees: float, alpha: float) -> float:
    """Return the two-sided quantile of Student's t at a level of one's own; at 5 % and whole degrees that of `student_t`."""
    if alpha == 0.05 and degrees == int(degrees):
        return student_t(int(degrees))
    from scipy.special import stdtrit  # far quicker to import than scipy's distributions

    return float(stdtrit(degrees, 1 - alpha / 2))


def mean_interval(samples: Any) -> Summary:
    """Mean of independent samples of any shape, with Student's t interval."""
    values = checked(samples)
    mean = float(values.mean())
    if values.size < 2:
        return mean, None, None
    half = student_t(values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return mean, mean - half, mean + half


def checked(samples: Any) -> Floats:
    """Return samples as one row of float64. Raises: HarnessError where there are none, or one is not finite."""
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


def exponential(value: float) -> float:
    """Return e to a power. Raises: HarnessError where that is beyond a float."""
    try:
        return math.exp(value)
    except OverflowError:
        raise HarnessError(f"exp({value:.6g}) is beyond a float; the model is broken") from None
