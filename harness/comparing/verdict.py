"""From estimates with intervals at any level to verdicts: worse, same, better or cannot tell. Pure; scipy inside functions.

`worse` and `better`: the difference is other than none, and not shown to be within the margin. `same`: two one-sided tests show
it to be within the margin (Schuirmann, 1987). Both are held to their rates over all comparisons of one call by Benjamini and
Hochberg's procedure (1995). All else cannot be told.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.comparing.gate import Gate, Margin
from harness.core.metric import Direction

Word = Literal["worse", "same", "better", "cannot tell"]
Bounds = Callable[[float], tuple[float, float]]
"""The interval at a two-sided level alpha; the lower alpha, the wider."""
_FINEST, _STEPS = 1e-9, 30


@dataclass(frozen=True)
class ChangeEstimate:
    """What B is apart from A, B - A, in the unit of the metric; of a ratio the logarithm of B / A."""

    value: float
    bounds: Bounds
    how: str
    """What the interval is."""
    log: bool = False
    p: float | None = None
    """Of no difference, where a test of its own gives it; else that at which the interval ends at none."""
    exact: bool = False
    """Counted, not drawn: there is no noise."""
    at_pace: bool = False
    """Of rounds at one pace of the machine."""
    error: float | None = None
    """Standard error of the value, where the interval is made from one."""
    degrees: float = math.inf
    """Of freedom of that error."""
    left_out: int = 0
    """Blocks of rounds that count for nothing, since other processes disturbed them."""


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it rests on."""

    word: Word
    p: float
    """Of no difference, adjusted for all comparisons of the call."""
    p_same: float | None
    """Of a difference of the margin or more, adjusted likewise; None without a margin."""
    interval: tuple[float, float]
    """95 %, on the estimate's scale."""
    smallest: float
    """Change that would have been seen with the gate's power, on the estimate's scale."""


def limits(margin: Margin | None, estimate: ChangeEstimate, baseline: float) -> float | None:
    """Return the margin on the estimate's scale; baseline: A's value."""
    if margin is None:
        return None
    if estimate.log:
        return math.log1p(margin.size if margin.relative else margin.size / abs(baseline))
    return margin.size * abs(baseline) if margin.relative else margin.size


def judge(estimates: Sequence[tuple[ChangeEstimate, float | None, Direction]], gate: Gate) -> list[Judged]:
    """Judge all comparisons of a call together. Each: estimate, margin on its scale, which way is better."""
    drawn = [place for place, (one, _, _) in enumerate(estimates) if not one.exact]
    raw = [_none(estimates[place][0]) for place in drawn]
    within = [place for place in drawn if estimates[place][1] is not None]
    apart = dict(zip(drawn, adjusted(raw), strict=True))
    inside = dict(zip(within, adjusted([_within(*estimates[place][:2]) for place in within]), strict=True))
    alpha = gate.false_alarms / max(1, len(drawn))
    return [
        _judged(one, margin, better, apart.get(place), inside.get(place), gate, alpha)
        for place, (one, margin, better) in enumerate(estimates)
    ]


def adjusted(found: Sequence[float]) -> list[float]:
    """Return p adjusted by Benjamini and Hochberg's procedure."""
    from scipy.stats import false_discovery_control

    return [float(one) for one in false_discovery_control(list(found))] if found else []


def _judged(
    one: ChangeEstimate,
    margin: float | None,
    better: Direction,
    p: float | None,
    same: float | None,
    gate: Gate,
    alpha: float,
) -> Judged:
    way: Word = "better" if (one.value > 0) == (better == "higher") else "worse"
    if p is None:  # exact
        word = "same" if abs(one.value) <= (margin or 0.0) else way
        return Judged(word, float(one.value == 0), None, (one.value, one.value), 0.0)
    if same is not None and same <= gate.false_same:
        word = "same"
    else:
        word = way if p <= gate.false_alarms and better != "none" else "cannot tell"
    return Judged(word, p, same, one.bounds(0.05), _smallest(one, gate.power, alpha))


@functools.lru_cache(maxsize=8192)
def _none(one: ChangeEstimate) -> float:
    """Return the two-sided p of no difference."""
    return one.p if one.p is not None else _level(lambda alpha: not _holds(one.bounds(alpha), 0.0))


def _holds(interval: tuple[float, float], value: float) -> bool:
    return interval[0] <= value <= interval[1]


@functools.lru_cache(maxsize=8192)
def _within(one: ChangeEstimate, margin: float | None) -> float:
    """Return the p of two one-sided tests of a difference of the margin: half the level at which the interval fits into it."""
    assert margin is not None
    return _level(lambda alpha: -margin < one.bounds(alpha)[0] and one.bounds(alpha)[1] < margin) / 2


def _level(is_shown: Callable[[float], bool]) -> float:
    """Find the least level at which something is shown, by halving on a logarithmic scale; 1 where it is at none."""
    if is_shown(_FINEST):
        return _FINEST
    low, high = math.log(_FINEST), math.log(0.9999)
    if not is_shown(math.exp(high)):
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_shown(math.exp(middle)) else (middle, high)
        if high - low < 1e-3:
            break
    return math.exp(high)


def _smallest(one: ChangeEstimate, power: float, alpha: float) -> float:
    """Return the change that so wide an interval excludes none at, with this power; the ends of the estimate's own scale."""
    from scipy.special import ndtri

    low, high = one.bounds(alpha)
    return (high - low) / 2 * (1 + float(ndtri(power)) / float(ndtri(1 - alpha / 2)))
