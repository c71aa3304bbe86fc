"""What two measurements say of each other: an estimate with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.comparing.verdict import Bounds, ChangeEstimate
from harness.core.errors import HarnessError
from harness.numbers import pairing, proportions, rounds, sessions
from harness.numbers.intervals import student_t_at
from harness.numbers.pairing import Items
from harness.numbers.rounds import Round

PAIRED, WELCH = "paired by round", "Welch's"


def of_items(metric: str, items: tuple[Items, Items], values: tuple[float, float]) -> ChangeEstimate:
    """Return B - A over the same items. Raises: HarnessError where they do not pair, are too few, or do not give the values."""
    if not all(pairing.reproduces(metric, one, value) for one, value in zip(items, values, strict=True)):
        raise HarnessError("the samples do not give the number")
    before, after = items
    found = pairing.paired_difference(metric, after, before)
    moved = pairing.discordant(after, before)

    def bounds(alpha: float) -> tuple[float, float]:
        at = pairing.paired_difference(metric, after, before, alpha)
        return at.low, at.high

    return ChangeEstimate(found.value, bounds, found.how, p=None if moved is None else proportions.mcnemar(*moved))


def of_rounds(sides: tuple[Sequence[Round], Sequence[Round]], unit: str, at_pace: bool | None = None) -> ChangeEstimate:
    """Return log(B / A) of two sittings of one session, or B - A where not all values are positive.

    Raises: HarnessError where a side has too few rounds.
    """
    before, after = sides
    if min(len(before), len(after)) < rounds.LEAST:
        raise HarnessError(f"{len(before)} and {len(after)} processes; {rounds.LEAST} of each are needed")
    log = all(each.value > 0 for side in sides for each in side)
    found = rounds.ratio(after, before, unit, at_pace) if log else rounds.difference(after, before, unit)
    assert found.error is not None
    assert found.degrees is not None
    value = math.log(found.value) if log else found.value
    how = f"{PAIRED if found.paired else WELCH} between processes, {len(before)} and {len(after)} of them"
    pace = ", at one pace of the machine" if found.at_pace else ""
    return ChangeEstimate(
        value, student(value, found.error, found.degrees), f"{how}{pace}", log=log, at_pace=found.at_pace
    )


def of_sessions(values: tuple[float, float], known: Sequence[Sequence[float]]) -> ChangeEstimate:
    """Return log(B / A) of two sessions, with the spread between the sessions of their series (B's own left out).

    Raises: HarnessError where too few sessions are known.
    """
    log = all(value > 0 for value in (*values, *(value for group in known for value in group)))
    spread = sessions.error(known, log=log)
    if spread is None:
        raise HarnessError(
            f"measured in different sessions, of which {sessions.sessions(known)} are known and {sessions.LEAST} are needed; "
            "measure both in one sweep"
        )
    value = math.log(values[1] / values[0]) if log else values[1] - values[0]
    how = f"the spread between {sessions.sessions(known)} sessions"
    return ChangeEstimate(value, student(value, *spread), how, log=log)


def counted(values: tuple[float, float]) -> ChangeEstimate:
    """Return log(B / A) of what is counted, as bytes on disk. Raises: HarnessError for a size of nothing."""
    if min(values) <= 0:
        raise HarnessError("a size of 0")
    value = math.log(values[1] / values[0])
    return ChangeEstimate(value, lambda _: (value, value), "counted", log=True, exact=True)


def student(value: float, error: float, degrees: float) -> Bounds:
    """Make the interval of an estimate whose error has so many degrees of freedom."""

    def bounds(alpha: float) -> tuple[float, float]:
        half = student_t_at(degrees, alpha) * error
        return value - half, value + half

    return bounds
