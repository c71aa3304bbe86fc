"""Forward passes that go on in smaller pieces where memory runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.core.errors import HarnessError, is_out_of_memory
from harness.core.spec import Note
from harness.engines import pass_budget
from harness.engines.pass_budget import PassBudget

if TYPE_CHECKING:
    from harness.engines.scoring import Indices, Rows

FLOOR = 16
"""Tokens, padding included, of the smallest pass that is tried."""


@dataclass
class PassRoom:
    """What an engine has learnt of its memory while it scored."""

    tokens: int | None = None
    """Most tokens of a pass, padding included; None: memory has not run out."""
    halved: int = 0
    """How often it has."""
    passes: int = 0
    """How many were asked for."""


class Once(Protocol):
    """A forward pass as `scoring.Forward.run` describes it, made in one piece."""

    def __call__(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: object, *, keep: bool
    ) -> tuple[list[Rows], object]: ...


def run(
    once: Once,
    room: PassRoom,
    batch: Sequence[Sequence[int]],
    wanted: Sequence[Indices],
    cache: object,
    *,
    keep: bool,
    in_one: bool = False,
) -> tuple[list[Rows], object]:
    """Make a pass; where memory runs out, halve what a pass may hold and make it in parts, now and from now on.

    Sequences of a batch are parted first, then the tokens of one, through the cache. in_one: a lone sequence must stay whole.
    Raises: what the pass raises, where it is something else, or the pass cannot be made smaller.
    """
    room.passes += 1
    size = len(batch) * max(len(ids) for ids in batch)
    small = size <= FLOOR or (in_one and len(batch) == 1)
    if small or room.tokens is None or size <= room.tokens:
        try:
            return once(batch, wanted, cache, keep=keep)
        except (HarnessError, RuntimeError, MemoryError) as error:
            if small or not is_out_of_memory(error):
                raise
        room.tokens, room.halved = max(FLOOR, size // 2), room.halved + 1
    part = (once, room)
    if len(batch) > 1:
        middle = len(batch) // 2
        halves = (slice(None, middle), slice(middle, None))
        return [
            rows for one in halves for rows in run(*part, batch[one], wanted[one], cache, keep=False, in_one=in_one)[0]
        ], None
    return _by_tokens(part, batch[0], wanted[0], cache, keep=keep)


def _by_tokens(
    part: tuple[Once, PassRoom], ids: Sequence[int], asked: Indices, cache: object, *, keep: bool
) -> tuple[list[Rows], object]:
    import numpy as np

    middle = len(ids) // 2
    before = asked < middle
    first, between = run(*part, [ids[:middle]], [asked[before]], cache, keep=True)
    second, after = run(*part, [ids[middle:]], [asked[~before] - middle], between, keep=keep)
    return [np.concatenate([first[0], second[0]])], after


def notes(room: PassRoom, budget: PassBudget) -> tuple[Note, ...]:
    """Say that passes were made smaller because little memory was free, or it ran out."""
    planned = pass_budget.notes(budget) if room.passes else ()
    if not room.halved:
        return planned
    times = "once" if room.halved == 1 else f"{room.halved} times"
    text = f"memory ran out {times} while scoring; passes went on with at most {room.tokens} tokens"
    return (*planned, Note(code="smaller-passes", text=text))
