"""Two sides in balanced blocks of four processes, looked at while they run: an interval that holds at every look.

A block is A B B A or B A A B, so what drifts evenly meets both sides alike, and its level falls out of the difference. The noise is what is left
between processes after the levels of blocks and of the sides (a randomized block design), with three degrees of freedom a block, less one.

After so many blocks as `LOOKS` has, the difference has Student's interval at that look's share of the level; the shares add up to one, so the chance
that any look is wrong is at most the level, whatever the looks have to do with one another, and whoever stops at one of them, or at none, may
(repeated confidence intervals: Jennison and Turnbull, 1989; spending by look, without a planned end: Lan and DeMets, 1983).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.numbers.intervals import student_t_at

LOOKS = (2, 3, 4, 6, 8, 11, 15, 20, 26, 34, 45, 59)
"""Blocks after which the sides are looked at: each about 1.3 times the one before."""
FALLING = 0.75
"""The share of look i falls as i to this power: the more is spent early, the fewer blocks a great change needs, and the more a small one."""
_POWERS = [(place + 1) ** -FALLING for place in range(len(LOOKS))]
SHARES = tuple(power / math.fsum(_POWERS) for power in _POWERS)
"""Of the level, by look."""


@dataclass(frozen=True)
class Block:
    """Values of one block: two processes of each side, on the scale on which they are compared."""

    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def change(self) -> float:
        """After less before."""
        return (math.fsum(self.after) - math.fsum(self.before)) / 2

    @property
    def squares(self) -> float:
        """Sum of squares about the block's own level."""
        values = (*self.before, *self.after)
        level = math.fsum(values) / len(values)
        return math.fsum((value - level) ** 2 for value in values)


@dataclass(frozen=True)
class Look:
    """What so many blocks say."""

    blocks: int
    share: float
    value: float
    error: float
    """Standard error of the value."""
    degrees: int

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return this look's part of an interval at a two-sided level."""
        half = student_t_at(self.degrees, alpha * self.share) * self.error
        return self.value - half, self.value + half


def looks(blocks: Sequence[Block]) -> list[Look]:
    """Return every look that so many blocks allow, in order; none below two blocks."""
    return [_look(blocks[:count], share) for count, share in zip(LOOKS, SHARES, strict=True) if count <= len(blocks)]


def interval(found: Sequence[Look], alpha: float) -> tuple[float, float]:
    """Return the difference's interval at a two-sided level, over all looks so far (at least one): what all of them hold.

    Where no value is held by all of them, that of the last look.
    """
    ends = [one.interval(alpha) for one in found]
    low, high = max(end[0] for end in ends), min(end[1] for end in ends)
    return (low, high) if low <= high else ends[-1]


def spread(blocks: Sequence[Block]) -> float:
    """Return the standard deviation between processes, over at least one block."""
    return math.sqrt(_residual(blocks) / (3 * len(blocks) - 1))


def _look(blocks: Sequence[Block], share: float) -> Look:
    count = len(blocks)
    value = math.fsum(block.change for block in blocks) / count
    return Look(count, share, value, spread(blocks) / math.sqrt(count), 3 * count - 1)


def _residual(blocks: Sequence[Block]) -> float:
    """Return the sum of squares that neither the blocks' levels nor the sides' difference explains."""
    value = math.fsum(block.change for block in blocks) / len(blocks)
    return max(0.0, math.fsum(block.squares for block in blocks) - len(blocks) * value**2)
