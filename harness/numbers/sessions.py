"""Differences between sessions: what one session's rounds cannot show, since a machine is another one on another day.

The session is the unit. Its value is the mean over its rounds; how far two sessions differ without any cause is the spread
between the sessions of a series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.numbers.intervals import student_t

LEAST = 5
"""Sessions of a series, the two that are compared included, below which nothing is known of its noise."""


def is_beyond(old: float, new: float, known: Sequence[Sequence[float]], *, log: bool) -> bool | None:
    """Say whether a new session differs from an old one by more than sessions do without a cause; None where that is not known.

    known: values of all sessions but the new one, which is on trial, in groups with a mean of their own (a series before and
    after its artifact changed). log: differences count as shares. Two-sided at 5 %.
    """
    spread = error(known, log=log)
    if spread is None:
        return None
    return abs(math.log(new / old) if log else new - old) > student_t(spread[1]) * spread[0]


def error(known: Sequence[Sequence[float]], *, log: bool) -> tuple[float, int] | None:
    """Return the standard error of a difference of two sessions, with its degrees of freedom; None where too few are known."""
    groups = [[math.log(value) for value in group] if log else list(group) for group in known]
    degrees = sum(len(group) - 1 for group in groups if group)
    if sessions(known) < LEAST or degrees < 1:
        return None
    return math.sqrt(2 * sum(_squares(group) for group in groups if group) / degrees), degrees


def sessions(known: Sequence[Sequence[float]]) -> int:
    """Count the sessions: those known, and the new one."""
    return sum(len(group) for group in known) + 1


def _squares(group: Sequence[float]) -> float:
    middle = math.fsum(group) / len(group)
    return math.fsum((value - middle) ** 2 for value in group)
