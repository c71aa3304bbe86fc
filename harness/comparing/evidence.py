"""What two measurements say of each other: an estimate with its interval, or the reason why there is none."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Sequence

from harness.comparing.verdict import Bounds, ChangeEstimate
from harness.core.errors import HarnessError
from harness.numbers import blocks, pairing, proportions, rounds, sessions
from harness.numbers.blocks import Block
from harness.numbers.intervals import student_t_at
from harness.numbers.pairing import Items
from harness.numbers.rounds import Round


class DisturbedRounds(HarnessError):
    """Too few rounds are left, since other processes disturbed the others."""


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

    p = None if moved is None else proportions.mcnemar(*moved)
    return ChangeEstimate(found.value, bounds, found.how, p=p, error=found.error, degrees=found.degrees)


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
        value, student(value, found.error, found.degrees), f"{how}{pace}", log=log, at_pace=found.at_pace,
        error=found.error, degrees=found.degrees,
    )  # fmt: skip


def of_blocks(sides: tuple[Sequence[Round], Sequence[Round]], disturbed: Collection[int] = ()) -> ChangeEstimate:
    """Return log(B / A), or B - A where not all values are positive, of two sittings that ran in blocks and may be looked at meanwhile.

    Rounds 2k and 2k + 1 of both are block k. disturbed: rounds that count for nothing; their blocks are left out as a whole.
    Raises: HarnessError where fewer than two whole blocks are left.
    """
    there = [{each.round: each for each in side} for side in sides]
    whole = [
        number
        for number in sorted({each // 2 for each in there[0]})
        if all({2 * number, 2 * number + 1} <= side.keys() for side in there)
    ]
    kept = [number for number in whole if not {2 * number, 2 * number + 1} & set(disturbed)]
    left = len(whole) - len(kept)
    if len(kept) < blocks.LOOKS[0]:
        why = f", and {left} that other processes disturbed; --disturbed counts these, too" if left else ""
        error = DisturbedRounds if left else HarnessError
        raise error(f"{len(kept)} whole blocks of rounds{why}; {blocks.LOOKS[0]} are needed")
    rounds_ = [[(side[2 * number], side[2 * number + 1]) for side in there] for number in kept]
    log = all(each.value > 0 for block in rounds_ for side in block for each in side)
    found = [_block(block, log=log, at_pace=False) for block in rounds_]
    paced = log and all((each.at_pace or 0) > 0 for block in rounds_ for side in block for each in side)
    sharper = [_block(block, log=log, at_pace=True) for block in rounds_] if paced else []
    at_pace = paced and blocks.spread(sharper) < rounds.SHARPER * blocks.spread(found)
    seen = blocks.looks(sharper if at_pace else found)
    how = f"anytime-valid over {seen[-1].blocks} blocks of two processes of each side"
    how += f" ({left} disturbed ones left out)" if left else ""
    pace = ", at one pace of the machine" if at_pace else ""
    bounds = functools.cache(lambda alpha: blocks.interval(seen, alpha))
    last = seen[-1]
    return ChangeEstimate(
        blocks.estimate(seen), bounds, how + pace, log=log, at_pace=at_pace, error=last.error, degrees=last.degrees, left_out=left,
    )  # fmt: skip


def _block(sides: Sequence[tuple[Round, Round]], *, log: bool, at_pace: bool) -> Block:
    values = [tuple(float(each.at_pace or math.nan) if at_pace else each.value for each in side) for side in sides]
    (a, b), (c, d) = ([math.log(value) for value in side] if log else side for side in values)
    return Block((a, b), (c, d))


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
    return ChangeEstimate(value, student(value, *spread), how, log=log, error=spread[0], degrees=spread[1])


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
