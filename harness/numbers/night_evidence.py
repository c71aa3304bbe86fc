"""Whether a second measurement in the same night bears out what the first one showed. Pure; scipy inside functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.numbers.night_series import AHEAD, NightValue, chance, limited_sum, weights, width

AGAIN = 0.05
"""One-sided level at which a second measurement shows by itself what a comparison within the night showed, and at which a change is shown
to be less than the margin."""


@dataclass(frozen=True)
class NightEvidence:
    """What a series showed tonight, for a second measurement to be joined with."""

    level: float
    """Of the nights before, with what all series have in common tonight."""
    deviation: float
    """Of a night; 0: the series is counted exactly."""
    before: int
    """Nights that these two are of."""
    likeness: float = 0.0
    """Correlation of a night with the one before it."""
    newest: tuple[float, ...] = ()
    """Nights since the change, in deviations from the level; the last one is tonight."""
    times: tuple[float, ...] = ()
    """How often each of them was measured."""
    within: float = 0.0
    """Share of a night's deviation that its rounds make up."""
    p_needed: float = 0.0
    """Unadjusted p at which a change is shown at the gate's rate."""


def is_confirmed(
    first: NightValue, again: NightValue, *, margin: float | None, evidence: NightEvidence | None = None
) -> bool:
    """Say whether a candidate stands after it was measured again the same night, with fresh rounds.

    evidence: of the series' witness; the nights so far, with tonight as both measurements have it, must show the change at the gate's rate. Where a
    night's rounds make up all that nights differ by, the second measurement is as good as another night; where they make up nothing, it adds nothing.
    Without: a comparison within the night, which must show itself again, one-sided at `AGAIN`. Never where both together are shown to be within the margin.
    """
    if not all(math.isfinite(one) for one in (first.change, again.change, first.error, again.error)):
        return False
    if evidence is not None:
        return _is_borne_out(first, again, margin, evidence)
    if again.error == 0 or first.error == 0:
        return first.change * again.change > 0 and abs(again.change) > (margin or 0.0)
    both = joined(first, again)
    is_again = first.change * again.change > 0 and abs(again.change) >= _quantile(again.degrees) * again.error
    return is_again and not is_within(both.change, both.error, margin, both.degrees)


def is_within(size: float, error: float, margin: float | None, degrees: float = math.inf) -> bool:
    """Say whether a change is shown to be less than the margin; error 0: whether it is no more. degrees: of freedom of the error."""
    return margin is not None and abs(size) + _quantile(degrees) * error <= margin


def _is_borne_out(first: NightValue, again: NightValue, margin: float | None, known: NightEvidence) -> bool:
    import numpy as np

    apart = [one.change - known.level for one in (first, again)]
    if known.deviation == 0:
        return apart[0] * apart[1] > 0 and abs(apart[1]) > (margin or 0.0)
    total_times = first.times + again.times
    side = 1.0 if math.fsum(known.newest) > 0 else -1.0
    places = sorted((side * one / known.deviation, each.times) for one, each in zip(apart, (first, again), strict=True))
    (least, rarely), (most, often) = places
    tonight = side * (least * rarely + min(most, least + AHEAD) * often) / total_times
    newest = np.array([[*known.newest[:-1], tonight]])
    weight = weights(np.array([[*known.times[:-1], total_times]], dtype=float), np.array([known.within]))
    count, total = float(weight.sum()), float(limited_sum(newest, weight)[0])
    error = float(width(np.array([known.likeness]), weight.sum(axis=1), known.before)[0])
    is_shown = side * total > 0 and float(chance(total / error, known.before)) <= known.p_needed
    return is_shown and not is_within(total / count * known.deviation, error / count * known.deviation, margin)


def joined(first: NightValue, again: NightValue) -> NightValue:
    """Return what a night counts as that was measured twice, whether or not that confirmed anything: what a series keeps.

    Degrees of freedom: Welch and Satterthwaite.
    """
    times = first.times + again.times
    shares = first.times / times, again.times / times
    terms = [(share * one.error) ** 2 for share, one in zip(shares, (first, again), strict=True)]
    change, variance = shares[0] * first.change + shares[1] * again.change, math.fsum(terms)
    spent = math.fsum(term**2 / one.degrees for term, one in zip(terms, (first, again), strict=True))
    return NightValue(change, math.sqrt(variance), times, variance**2 / spent if spent else math.inf)


def _quantile(degrees: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(1 - AGAIN) if math.isinf(degrees) else stdtrit(degrees, 1 - AGAIN))
