"""Nights replayed through the witness as `harness night` asks it: candidates, measured again the same night (and kept as both measurements have it), and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtr, stdtrit

from harness.comparing.gate import Gate
from harness.comparing.verdict import ChangeEstimate, adjusted, judge
from harness.night.judging import history_margin
from harness.numbers.nights import NightValue, is_confirmed, joined, witnesses
from tests.benchmarks import night_noise

SERIES, NIGHTS = 300, 90
FALSE_ALARMS, POWER = 0.01, 0.8
MEASURED = -1.0
"""Stands for the share of each kind of noise that our own rounds show."""
MISSING = 0.03
"""Share of values that were not reached; besides, two whole nights of each replay were not measured."""
DEGREES = 5
"""Of what a night knows of its own error."""


@dataclass(frozen=True)
class Step:
    """A change of one series from a night on. nights: over how many it comes (a creep)."""

    series: int
    night: int
    size: float
    nights: int = 1

    def at(self, count: int) -> np.ndarray:
        """Return what it adds to each night."""
        return self.size * np.clip((np.arange(count) - self.night + 1) / self.nights, 0.0, 1.0)


@dataclass(frozen=True)
class Fleet:
    """Values of all series and nights; again: the same nights measured a second time. NaN: not measured."""

    values: np.ndarray
    again: np.ndarray
    errors: np.ndarray
    pools: tuple[str, ...]
    usual: np.ndarray
    """What a series' level and what is common to all make up of its values: the same on both sides of a comparison within a night."""


@dataclass
class Replayed:
    """What was called, and what it took."""

    pages: list[tuple[int, int]] = field(default_factory=list)
    """Series and night."""
    candidates: int = 0


def fleet(
    seed: Sequence[int],
    deviation: float,
    within: float,
    steps: Sequence[Step] = (),
    names: Sequence[str] = (),
    *,
    drift: bool = True,
) -> Fleet:
    """Draw a fleet. deviation: between nights; within: share of its variance that a night's own rounds make up, drawn anew by a second
    measurement; `MEASURED`: of each kind of noise its own.

    What is common to all: a walk of 0.2 % a night, and a step of 3 % in night 45.
    """
    draw = np.random.default_rng(list(seed))
    names = names or tuple(night_noise.pools())
    pools = tuple(names[place % len(names)] for place in range(SERIES))
    kept, fresh, again = (
        np.array([night_noise.drawn(name, NIGHTS, draw, ordered=ordered) for name in pools])
        for ordered in (True, False, False)
    )
    common = np.cumsum(draw.normal(size=NIGHTS) * 0.002) + 0.03 * (np.arange(NIGHTS) >= 45)
    levels = draw.normal(size=(SERIES, 1)) * 0.02
    anew = np.array([night_noise.drawn_anew().get(name, 1.0) if within == MEASURED else within for name in pools])[
        :, None
    ]
    both = levels + (common if drift else 0.0) + deviation * np.sqrt(1 - anew) * kept
    for step in steps:
        both[step.series] += step.at(NIGHTS)
    share = deviation * np.sqrt(anew)
    errors = np.maximum(share, deviation / 1000) * np.sqrt(draw.chisquare(DEGREES, (SERIES, NIGHTS)) / DEGREES)
    gone = draw.random((SERIES, NIGHTS)) < MISSING
    gone[:, draw.choice(NIGHTS, 2, replace=False)] = True
    usual = levels + (common if drift else np.zeros(NIGHTS))
    return Fleet(np.where(gone, np.nan, both + share * fresh), both + share * again, errors, pools, usual)


def replay(some: Fleet, steps: Sequence[Step] = (), margin: float | None = None) -> Replayed:
    """Go through the nights. A series that was called begins anew after that night; one that really changed is then done with.

    margin: of the gate, of which a part matters to the history (`history_margin`); none: every change does.
    """
    least = history_margin(margin)
    found = Replayed()
    begins, done = [0] * SERIES, set[int]()
    values = [[_value(some, row, night) for night in range(NIGHTS)] for row in range(SERIES)]
    for night in range(NIGHTS):
        table = {str(row): values[row][begins[row] : night + 1] for row in range(SERIES) if row not in done}
        for name, one in witnesses(
            table, margin=dict.fromkeys(table, least), false_alarms=FALSE_ALARMS, power=POWER
        ).items():
            if not one.is_change:
                continue
            found.candidates += 1
            row, tonight = int(name), table[name][-1]
            again = NightValue(float(some.again[row, night]), float(some.errors[row, night]))
            if tonight is None:
                raise AssertionError("a night that was not measured shows nothing")
            values[row][night] = joined(tonight, again)
            if is_confirmed(tonight, again, margin=least, evidence=one.evidence):
                found.pages.append((row, night))
                begins[row] = night + 1
                done |= {step.series for step in steps if step.series == row and step.night <= night}
    return found


def within_nights(some: Fleet, margin: float) -> list[tuple[int, int]]:
    """Return series and night of what the comparison within a night calls worse, all series of it judged together, and a second measurement confirms.

    What lies between sessions is in no interval of such a comparison. margin: of the gate.
    """
    found, gate = list[tuple[int, int]](), Gate(false_alarms=FALSE_ALARMS, power=POWER)
    apart, again = some.values - some.usual, some.again - some.usual
    for night in range(NIGHTS):
        rows = np.flatnonzero(np.isfinite(apart[:, night]))
        estimates = [_estimate(float(apart[row, night]), float(some.errors[row, night])) for row in rows]
        if min(adjusted([one.p or 0.0 for one in estimates]), default=1.0) > FALSE_ALARMS:
            continue
        for row, one, judged in zip(
            rows, estimates, judge([(one, margin, "higher") for one in estimates], gate), strict=True
        ):
            first, second = (
                NightValue(change, one.error or 0.0, degrees=DEGREES)
                for change in (one.value, float(again[row, night]))
            )
            if judged.word == "worse" and is_confirmed(first, second, margin=margin):
                found.append((int(row), night))
    return found


def _estimate(change: float, error: float) -> ChangeEstimate:
    """Make the estimate of a comparison within a night, whose own error is known with few degrees of freedom."""

    def bounds(alpha: float) -> tuple[float, float]:
        away = -float(stdtrit(DEGREES, alpha / 2)) * error
        return change - away, change + away

    p = 2 * float(stdtr(DEGREES, -abs(change) / error))
    return ChangeEstimate(change, bounds, "Student's t", log=True, p=p, error=error, degrees=DEGREES)


def _value(some: Fleet, row: int, night: int) -> NightValue | None:
    value = float(some.values[row, night])
    return None if np.isnan(value) else NightValue(value, float(some.errors[row, night]))


def nights_until(some: Fleet, step: Step, night: int) -> int:
    """Count the nights of a series that were measured since a step, with the one in which it was called."""
    return int(np.isfinite(some.values[step.series, step.night : night + 1]).sum())
