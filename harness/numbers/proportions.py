"""Shares of right answers, and differences of two shares of the same questions: intervals that hold for few and for none.

scipy is imported inside functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.numbers.intervals import Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[Any]

WILSON = "wilson 95%"
PAIRED = "mid-p exact 95% of discordant answers"
_Z = 1.959963984540054
_TAIL = 0.025
_SHARE, _SHARE_OF_NONE = 0.6, 0.52
"""Share of the probability of what was found that counts as beyond it. Mid-p has a half, and covers 93.2 % where five of 157
answers were gained and none lost, 93.9 % with three; so a little more is taken, least where nothing was discordant."""


def wilson(successes: float, n: float) -> Summary:
    """Share of successes, with Wilson's score interval (1927), which stays within 0 and 1.

    Both may be fractions: an effective number of questions.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise HarnessError(f"{successes} successes of {n} make no share; at least one item is needed")
    share = successes / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == n else (middle + half) / scale
    return share, low, high


def share(successes: int, n: int) -> Summary:
    """Share of successes with the exact binomial interval, in which about half of what was found counts as beyond (mid-p)."""
    from scipy.optimize import brentq
    from scipy.special import bdtr  # far quicker to import than scipy's distributions

    if n < 1 or not 0 <= successes <= n:
        raise HarnessError(f"{successes} successes of {n} make no share; at least one item is needed")

    def end(found: int) -> float:
        """Return the largest chance at which so few successes are still likely enough."""
        part = _SHARE if 0 < found < n else _SHARE_OF_NONE

        def tail(chance: float) -> float:
            below = bdtr(found - 1, n, chance) if found else 0.0
            return float((1 - part) * below + part * bdtr(found, n, chance) - _TAIL)

        return 1.0 if found == n else float(brentq(tail, found / n, 1.0, xtol=1e-9))

    return successes / n, 1 - end(n - successes), end(successes)


def paired_difference(gained: int, lost: int, n: int, alpha: float = 2 * _TAIL) -> tuple[float, float, float]:
    """Difference of two shares of the same n questions, with its interval, of 95 % where nothing is said.

    gained, lost: questions that only the first answered rightly, and only the second. The interval inverts two tests on
    the exact distribution of gained - lost, each at half of alpha with about half the probability of what was found (mid-p), the share
    of discordant questions at its estimate for the difference that is tested. None of n gives about 3 / n to either side.
    Source: Lancaster's mid-p (1961); the restricted estimate is that of Tango (1998).
    Raises: HarnessError for counts that do not fit.
    """
    if n < 1 or gained < 0 or lost < 0 or gained + lost > n:
        raise HarnessError(f"{gained} and {lost} discordant of {n} answers do not fit together")
    return (gained - lost) / n, -_upper(lost, gained, n, alpha / 2), _upper(gained, lost, n, alpha / 2)


def _upper(gained: int, lost: int, n: int, tail: float) -> float:
    """Return the largest difference whose lower tail still holds what was found."""
    from scipy.optimize import brentq

    shift = gained - lost
    if gained == n:
        return 1.0
    share = _SHARE if gained + lost else _SHARE_OF_NONE

    def test(delta: float) -> float:
        return _lower_tail(shift, n, *_restricted(delta, gained, lost, n), share) - tail

    most = 1.0 - 1e-9
    if test(shift / n) <= 0:  # at a level so low that the value itself is hardly likelier
        return shift / n
    return most if test(most) > 0 else float(brentq(test, shift / n, most, xtol=1e-7))


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided exact p of gained and lost answers; 1 where nothing is discordant. Source: McNemar (1947)."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def _restricted(delta: float, gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the likeliest probabilities of gaining and of losing a question, the one `delta` above the other."""
    half = -gained - lost + (2 * n - gained + lost) * delta
    constant = -lost * delta * (1 - delta)
    losing = (math.sqrt(max(half * half - 8 * n * constant, 0.0)) - half) / (4 * n)
    losing = min(max(losing, 0.0, -delta), (1 - delta) / 2)
    return losing + delta, losing


def _lower_tail(difference: int, n: int, gaining: float, losing: float, share: float) -> float:
    """Return P(gained - lost < difference) and a share of P(=) for multinomial answers."""
    import numpy as np

    spread = 9 * math.sqrt(n * losing) + 12
    lost = np.arange(max(math.floor(n * losing - spread), 0), min(math.ceil(n * losing + spread), n) + 1)
    chance = min(gaining / (1 - losing), 1.0) if losing < 1 else 0.0
    gained = lost + difference
    below, equal = _below(gained, n - lost, chance), _exactly(gained, n - lost, chance)
    return float(np.dot(_exactly(lost, np.full(lost.size, n), losing), below + share * equal))


def _exactly(successes: Ints, n: Ints, chance: float) -> Floats:
    """Return binomial probabilities; far faster than scipy's distributions for a handful of values."""
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    inside = (successes >= 0) & (successes <= n)
    of = np.where(inside, successes, 0)
    logs = gammaln(n + 1) - gammaln(of + 1) - gammaln(n - of + 1) + xlogy(of, chance) + xlog1py(n - of, -chance)
    return np.where(inside, np.exp(logs), 0.0)


def _below(successes: Ints, n: Ints, chance: float) -> Floats:
    """Return binomial probabilities of fewer successes."""
    import numpy as np
    from scipy.special import betainc

    inside = (successes > 0) & (successes <= n)
    of = np.where(inside, successes, 1)
    tails = betainc(np.maximum(n - of + 1, 1), of, 1 - chance)
    return np.where(inside, tails, (successes > n).astype(np.float64))
