"""Speed and memory over rounds: the process is what would be drawn anew, so that uncertainty is the spread between processes.

A *sitting* is the rounds of one job in one session and place, each a fresh process. Every function takes the rounds' own
values; what a process repeated inside itself is in its value, and is no sample of anything here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.core.metric import METRICS, OWN
from harness.numbers.intervals import Summary, student_t

LEAST = 3
"""Rounds below which there is no interval: two values say next to nothing of their spread."""
INTERVAL = "student-t 95% between processes, log scale"
PAIRED_FROM = 5
"""Rounds from which a ratio may be taken round by round; below, a correlation cannot be told from chance."""
CORRELATED = 0.8
"""Correlation of interleaved rounds above which they are compared in pairs.

Pairing whenever the paired interval is the narrower one covers 93 % at five rounds without any drift, since it is chosen
after looking. Only a drift that both share gives so high a correlation: simulated over independent, drifting, skewed and
heavy-tailed rounds, the choice covers 94 % at the least (tests/unit/numbers/test_rounds.py).
"""
SHARPER = 0.6
"""Spread between rounds at one pace of the machine, as a share of that of the seconds that passed, below which rounds are
compared at one pace: simulated, the choice covers 94 % at three, five and eight rounds, whatever the pace has to do with them."""
_T90 = (3.0777, 1.8856, 1.6377, 1.5332, 1.4759, 1.4398, 1.4149, 1.3968, 1.3830, 1.3722)  # 1 to 10 degrees of freedom
_Z90 = 1.2815515655446004


@dataclass(frozen=True)
class Round:
    """One process's value of a metric."""

    round: int
    order: int
    """Place in the order in which the session ran its jobs: what was interleaved shows here, whatever the clock said."""
    value: float
    at_pace: float | None = None
    """The value at one pace of the machine, where that was timed between its repetitions."""


def is_over_rounds(metric: str, origin: str = "measured") -> bool:
    """Say whether a metric's unit of replication is the process: speed and memory, and what programs measured here call their own.

    origin: of the number. What others printed of a metric of their own keeps the bounds that they printed. Never quality or sizes.
    """
    if metric.startswith(OWN):
        return origin == "measured"
    return metric in METRICS and METRICS[metric].kind in {"speed", "memory"}


def mean(values: Sequence[float], unit: str) -> float:
    """Return the mean of the rounds on the metric's own definition.

    Rates are all work over all seconds, and every round does the same work: their harmonic mean. Seconds and bytes have
    the plain mean, so that a rate and the latency that it is made of stay each other's inverse.
    """
    if unit.endswith("/s") and _positive(values):
        least = min(values)
        return least / math.fsum(least / value / len(values) for value in values)
    return _average(values)


def summary(values: Sequence[float], unit: str) -> Summary:
    """Return the mean with Student's 95 % interval between rounds; no interval below `LEAST` rounds.

    The interval is taken on the log scale and so stays positive; values that are not all positive have it on their own.
    """
    middle = mean(values, unit)
    if len(values) < LEAST:
        return middle, None, None
    half = student_t(len(values) - 1) * _error(_scaled(values))
    log = _positive(values)
    low, high = (middle / _exp(half), middle * _exp(half)) if log else (middle - half, middle + half)
    return (middle, low, high) if math.isfinite(low) and math.isfinite(high) else (middle, None, None)


# ---------------------------------------------------------------- two sittings


@dataclass(frozen=True)
class Compared:
    """A comparison of two sittings; no interval where one of them has fewer than `LEAST` rounds."""

    value: float
    low: float | None = None
    high: float | None = None
    paired: bool = False
    """Round by round, since a drift that both share would else count as noise."""
    at_pace: bool = False
    """At one pace of the machine, which moved more than what is compared; the value is that of these rounds, too."""
    error: float | None = None
    """Standard error of the difference, of a ratio that of its logarithm where all values are positive."""
    degrees: float | None = None
    """Its degrees of freedom."""


def ratio(one: Sequence[Round], other: Sequence[Round], unit: str, at_pace: bool | None = None) -> Compared:
    """Return one / other with its 95 % interval: Welch's on logarithms, or paired by round where a shared drift shows.

    `at_pace`: at one pace of the machine, which all rounds must have; None: where it is clearly sharper (`SHARPER`).
    Raises: ZeroDivisionError where the other's mean is zero.
    """
    at_pace = are_sharper_at_pace([one, other]) if at_pace is None else at_pace
    if at_pace:
        one, other = at_one_pace(one), at_one_pace(other)
    values, others = _values(one), _values(other)
    found = mean(values, unit) / mean(others, unit)
    if min(len(values), len(others)) < LEAST or not (_positive(values) and _positive(others)):
        return Compared(found)
    error, degrees, paired = _error_between(one, other, _scaled(values), _scaled(others))
    factor = _exp(_between(student_t, degrees) * error)
    return Compared(found, found / factor, found * factor, paired, at_pace, error, degrees)


def difference(one: Sequence[Round], other: Sequence[Round], unit: str) -> Compared:
    """Return one - other with its 95 % interval, as `ratio` has it, in the metric's unit."""
    values, others = _values(one), _values(other)
    found = mean(values, unit) - mean(others, unit)
    if min(len(values), len(others)) < LEAST:
        return Compared(found)
    error, degrees, paired = _error_between(one, other, values, others)
    half = _between(student_t, degrees) * error
    return Compared(found, found - half, found + half, paired, error=error, degrees=degrees)


def at_one_pace(sitting: Sequence[Round]) -> list[Round]:
    """Return rounds with their values at one pace of the machine, which all of them must have."""
    return [dataclasses.replace(each, value=float(each.at_pace or math.nan)) for each in sitting]


def are_sharper_at_pace(sittings: Sequence[Sequence[Round]]) -> bool:
    """Say whether sittings, of at least `LEAST` rounds each, spread clearly less at one pace of the machine."""
    some = [each for sitting in sittings for each in sitting]
    if min(map(len, sittings)) < LEAST or not all(each.value > 0 and (each.at_pace or 0) > 0 for each in some):
        return False
    return _pooled(map(at_one_pace, sittings)) < SHARPER * _pooled(sittings)


def are_paired(one: Sequence[Round], other: Sequence[Round]) -> bool:
    """Say whether two sittings are compared round by round: interleaved, enough rounds, and a drift that both show."""
    if len(one) < PAIRED_FROM or not are_interleaved(one, other):
        return False
    return _correlation(_scaled(_values(_sorted(one))), _scaled(_values(_sorted(other)))) > CORRELATED


def are_interleaved(one: Sequence[Round], other: Sequence[Round]) -> bool:
    """Say whether each round of both was over before the next round of either began."""
    ours, theirs = _sorted(one), _sorted(other)
    numbers = [each.round for each in ours]
    if numbers != [each.round for each in theirs] or len(set(numbers)) < len(numbers):
        return False
    spans = [(min(a.order, b.order), max(a.order, b.order)) for a, b in zip(ours, theirs, strict=True)]
    return all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def _error_between(
    one: Sequence[Round], other: Sequence[Round], values: Sequence[float], others: Sequence[float]
) -> tuple[float, float, bool]:
    """Return the standard error of a difference of means, its degrees of freedom, and whether it was taken in pairs."""
    if are_paired(one, other):
        theirs = {each.round: value for each, value in zip(other, others, strict=True)}
        apart = [value - theirs[each.round] for each, value in zip(one, values, strict=True)]
        return _error(apart), len(apart) - 1, True
    errors = [_error(values) ** 2, _error(others) ** 2]
    total = sum(errors)
    if not total:
        return 0.0, 1.0, False
    degrees = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(errors, (values, others), strict=True))
    return math.sqrt(total), degrees, False


# ---------------------------------------------------------------- what rounds can see


def spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation of the rounds' logarithms, as a share of their mean; None below two rounds."""
    if len(values) < 2 or not _positive(values):
        return None
    return _error(_scaled(values)) * math.sqrt(len(values))


def pooled(sittings: Sequence[Sequence[Round]]) -> float:
    """Return the standard deviation of logarithms within sittings, all of positive values: at one pace where that is sharper."""
    return _pooled(map(at_one_pace, sittings) if are_sharper_at_pace(sittings) else sittings)


def _pooled(sittings: Iterable[Sequence[Round]]) -> float:
    logs = [_scaled(_values(sitting)) for sitting in sittings]
    squares = math.fsum(_error(each) ** 2 * len(each) * (len(each) - 1) for each in logs)
    return math.sqrt(squares / sum(len(each) - 1 for each in logs))


def smallest_change(deviation: float, rounds: int) -> float:
    """Return the smallest change, as a share, that two sittings of so many rounds show in nine of ten cases.

    deviation: standard deviation between rounds on the log scale. Two-sided at 5 %, 90 % power of Welch's interval, whose
    degrees of freedom are one fewer than 2 n - 2 in the middle; against simulation 4 % too small at three rounds, 1 % from five.
    """
    degrees = 2 * rounds - 3
    return _exp((student_t(degrees) + student_t90(degrees)) * deviation * math.sqrt(2 / rounds)) - 1


def student_t90(degrees: int) -> float:
    """Return the 90 % quantile of Student's t, exact to four digits up to 10 degrees, Cornish-Fisher beyond."""
    if degrees <= len(_T90):
        return _T90[degrees - 1]
    z, n = _Z90, float(degrees)
    return z + (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)


# ---------------------------------------------------------------- arithmetic


def _values(rounds: Sequence[Round]) -> list[float]:
    return [each.value for each in rounds]


def _sorted(rounds: Sequence[Round]) -> list[Round]:
    return sorted(rounds, key=lambda each: each.round)


def _positive(values: Sequence[float]) -> bool:
    return all(value > 0 for value in values)


def _scaled(values: Sequence[float]) -> list[float]:
    """Take logarithms where all values have one."""
    return [math.log(value) for value in values] if _positive(values) else list(values)


def _average(values: Sequence[float]) -> float:
    """Return the plain mean, also of values at the very end of what a float can hold."""
    try:
        return math.fsum(value / len(values) for value in values)
    except OverflowError:  # rounded up, the parts may come to more than the greatest float
        largest = max(map(abs, values))
        return largest * (math.fsum(value / largest for value in values) / len(values))


def _error(values: Sequence[float]) -> float:
    """Return the standard error of a mean."""
    middle = _average(values)
    return math.hypot(*(value - middle for value in values)) / math.sqrt((len(values) - 1) * len(values))


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    middles = [math.fsum(side) / len(side) for side in (one, other)]
    apart = [[value - middle for value in side] for side, middle in zip((one, other), middles, strict=True)]
    sizes = math.prod(math.fsum(value * value for value in side) for side in apart)
    return math.fsum(a * b for a, b in zip(*apart, strict=True)) / math.sqrt(sizes) if sizes else 0.0


def _between(quantile: Callable[[int], float], degrees: float) -> float:
    """Read a quantile at a broken number of degrees, between its neighbours in one over the degrees."""
    below = max(1, math.floor(degrees))
    share = (1 / below - 1 / degrees) / (1 / below - 1 / (below + 1)) if degrees > below else 0.0
    return quantile(below) * (1 - share) + quantile(below + 1) * share


def _exp(value: float) -> float:
    """Return the exponential, at most what a float can hold: an interval that wide is no interval in any case."""
    return math.exp(min(value, 700.0))
