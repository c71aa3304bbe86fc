"""Rules by which other projects alarm on a number over nights, on the same nights. Values are logarithms; less is worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

NightRule = Callable[[np.ndarray], np.ndarray]
"""Says of each night that was measured whether it alarms."""


def p95_of_three(nights: np.ndarray) -> np.ndarray:
    """Alarm where the mean of three nights is 5 % below the 95th percentile of earlier means of three, as TensorRT-LLM's rule is described."""
    alarms = np.zeros(len(nights), dtype=bool)
    means = np.convolve(nights, np.ones(3) / 3, "valid")
    for place in range(1, len(means)):
        alarms[place + 2] = means[place] < np.quantile(means[:place], 0.95) + math.log(0.95)
    return alarms


def mean_of_seven(nights: np.ndarray) -> np.ndarray:
    """Alarm where a night is 10 % below the mean of the seven before it."""
    alarms = np.zeros(len(nights), dtype=bool)
    for place in range(7, len(nights)):
        alarms[place] = nights[place] < nights[place - 7 : place].mean() + math.log(0.9)
    return alarms


def sequential_mean(nights: np.ndarray) -> np.ndarray:
    """Alarm where a night is 5 % below the mean of all before it, from the third on."""
    alarms = np.zeros(len(nights), dtype=bool)
    for place in range(3, len(nights)):
        alarms[place] = nights[place] < nights[:place].mean() + math.log(0.95)
    return alarms


RULES: dict[str, NightRule] = {
    "P95 of means of three, 5 %": p95_of_three,
    "mean of seven, 10 %": mean_of_seven,
    "sequential mean, 5 %": sequential_mean,
}


def pages(rule: NightRule, nights: np.ndarray) -> list[int]:
    """Return the nights in which a rule begins to alarm: once for nights that alarm in a row. NaN: not measured."""
    measured = np.flatnonzero(np.isfinite(nights))
    alarms = rule(nights[measured])
    return [int(measured[place]) for place in _begins(alarms)]


def _begins(alarms: Sequence[bool] | np.ndarray) -> Iterator[int]:
    before = False
    for place, alarm in enumerate(alarms):
        if alarm and not before:
            yield place
        before = bool(alarm)
