"""Two sides in balanced blocks of four processes, looked at while they run: an interval that holds at every look.

A block is A B B A or B A A B, so what drifts evenly meets both sides alike, and its level falls out of the difference. The noise is what is left
between processes after the levels of blocks and of the sides (a randomized block design), with three degrees of freedom a block, less one.

After so many blocks as `LOOKS` has, the difference has Student's interval at that look's share of what may be spent (`spending`), so that the chance
that any look is wrong is the level, and whoever stops at one of them, or at none, may (repeated confidence intervals: Jennison and Turnbull, 1989;
spending by look, without a planned end: Lan and DeMets, 1983). From `RANKED_FROM` blocks half of a look's share goes to the interval of Wilcoxon's
signed ranks over the pairs of neighbours (1945; by Walsh averages: Hodges and Lehmann, 1963), and both must hold: noise with heavy tails, as on a
machine that others use, widens Student's interval and hardly that of ranks.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.numbers import spending
from harness.numbers.intervals import student_t_at
from harness.numbers.spending import spent

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKS = (2, 3, 4, 6, 8, 11, 15, 20, 26, 34, 45, 59, 77)
"""Blocks after which the sides are looked at: each about 1.3 times the one before."""
FALLING = 0.85
"""The share of look i falls as i to this power: the more is spent early, the fewer blocks a great change needs, and the more a small one."""
RANKED_FROM = 8
"""Blocks from which ranks can tell anything at so low a share: 16 pairs that all go one way have p = 3e-5."""
_POWERS = [(place + 1) ** -FALLING for place in range(len(LOOKS))]
SHARES = tuple(power / math.fsum(_POWERS) for power in _POWERS)
"""Of what may be spent, by look; they add up to one."""


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
    def pairs(self) -> tuple[float, float]:
        """After less before, of the two processes that ran next to each other."""
        return self.after[0] - self.before[0], self.after[1] - self.before[1]

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
    walsh: tuple[float, ...] = ()
    """Means of all pairs of differences, in order; none where ranks take no part."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return this look's part of an interval at a two-sided level; may be empty (low above high)."""
        level = spent(alpha, LOOKS, SHARES) * self.share / (2 if self.walsh else 1)
        half = student_t_at(self.degrees, level) * self.error
        low, high = self.value - half, self.value + half
        least = _least_rank(2 * self.blocks, level) if self.walsh else 0
        return (max(low, self.walsh[least - 1]), min(high, self.walsh[-least])) if least else (low, high)


def looks(blocks: Sequence[Block]) -> list[Look]:
    """Return every look that so many blocks allow, in order; none below two blocks."""
    return [look_at(blocks[:count], share) for count, share in zip(LOOKS, SHARES, strict=True) if count <= len(blocks)]


def interval(found: Sequence[Look], alpha: float) -> tuple[float, float]:
    """Return the difference's interval at a two-sided level, over all looks so far (at least one): what all of them hold.

    Where no value is held by all of them, the last one that was, as the level rose: an interval at a higher level lies in that at a lower one.
    """
    low, high = _held_by_all(found, alpha)
    return (low, high) if low <= high else (_meeting(tuple(found)),) * 2


def _held_by_all(found: Sequence[Look], alpha: float) -> tuple[float, float]:
    """Return what all looks hold; low above high where that is nothing."""
    ends = [one.interval(alpha) for one in found]
    return max(end[0] for end in ends), min(end[1] for end in ends)


@functools.lru_cache(maxsize=128)
def _meeting(found: tuple[Look, ...]) -> float:
    """Return the last value that all looks hold as the level rises; the last look's own where they agree at none."""
    none, some = 0.0, math.log(spending.LEAST)
    if operator.gt(*_held_by_all(found, math.exp(some))):
        return found[-1].value
    while none - some > 1e-6:
        middle = (none + some) / 2
        none, some = (middle, some) if operator.gt(*_held_by_all(found, math.exp(middle))) else (none, middle)
    return math.fsum(_held_by_all(found, math.exp(some))) / 2


def estimate(found: Sequence[Look]) -> float:
    """Return the difference (at least one look): the mean, of ranks the median of Walsh averages; within the 95 % interval."""
    last = found[-1]
    middle = last.walsh[len(last.walsh) // 2] if last.walsh else last.value
    low, high = interval(found, 0.05)
    return min(max(middle, low), high)


def spread(blocks: Sequence[Block]) -> float:
    """Return the standard deviation between processes, over at least one block."""
    return math.sqrt(_residual(blocks) / (3 * len(blocks) - 1))


def look_at(blocks: Sequence[Block], share: float) -> Look:
    """Return what blocks say at a look that has this share of the level."""
    count = len(blocks)
    value = math.fsum(block.change for block in blocks) / count
    walsh = _walsh([each for block in blocks for each in block.pairs]) if count >= RANKED_FROM else ()
    return Look(count, share, value, spread(blocks) / math.sqrt(count), 3 * count - 1, walsh)


def _walsh(values: Sequence[float]) -> tuple[float, ...]:
    import numpy as np

    some = np.asarray(values)
    one, other = np.triu_indices(len(some))
    return tuple(np.sort((some[one] + some[other]) / 2).tolist())


@functools.lru_cache(maxsize=4096)
def _least_rank(count: int, alpha: float) -> int:
    """Return which Walsh average from each end bounds the interval; 0 where so few values bound nothing."""
    import numpy as np

    return int(np.searchsorted(_rank_tail(count), alpha / 2, side="right"))


@functools.lru_cache(maxsize=64)
def _rank_tail(count: int) -> NDArray[Any]:
    """Return the chance of a sum of signed ranks of at most 0, 1, 2 ... where each sign is a coin's."""
    import numpy as np

    chances = np.zeros(count * (count + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        moved = chances.copy()
        moved[rank:] += chances[:-rank]
        chances = moved / 2
    return np.cumsum(chances)


def _residual(blocks: Sequence[Block]) -> float:
    """Return the sum of squares that neither the blocks' levels nor the sides' difference explains."""
    value = math.fsum(block.change for block in blocks) / len(blocks)
    return max(0.0, math.fsum(block.squares for block in blocks) - len(blocks) * value**2)
