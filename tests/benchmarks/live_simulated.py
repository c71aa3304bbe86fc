"""How many rounds a live comparison needs with noise of several kinds, and how often it is wrong where nothing differs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from harness.numbers import blocks, proportions
from harness.numbers.blocks import LOOKS, SHARES, Block
from tests.benchmarks.live_blocks import ALPHA, SEED, PoolBlock

CASES = ((0.007, 0.05), (0.007, 0.02), (0.02, 0.05), (0.02, 0.02), (0.037, 0.05), (0.037, 0.02))
"""Standard deviation between processes, and change; 5 % is to be found with 95 % power, 2 % with 80 %."""
OWN = tuple((deviation, change) for deviation in (0.045, 0.06, 0.113) for change in (0.05, 0.02))
"""What the pools show beside these: one pace of the machine, and seconds as they passed on the quieter machine at fp32 and int4 (`records/live_simulated.txt`): told, and no part of the verdict."""
MOST = 1.3
"""Rounds on average, as a multiple of those of a t whose end is planned at the same level."""
KINDS = ("normal", "t with 3 degrees", "real")


def needed(deviation: float, change: float, alpha: float, power: float) -> int:
    """Count the rounds per side that a two-sample t with a planned end needs: two-sided, by the noncentral t."""
    from scipy.stats import nct
    from scipy.stats import t as student

    for count in itertools.count(2):
        degrees, away = 2 * count - 2, math.log1p(change) / deviation * math.sqrt(count / 2)
        edge = student.isf(alpha / 2, degrees)
        if nct.sf(edge, degrees, away) + nct.cdf(-edge, degrees, away) >= power:
            return count
    raise AssertionError


def noises(kind: str, real: Sequence[PoolBlock], size: tuple[int, int], draw: Any) -> Any:
    """Draw blocks of four rounds with unit spread between processes; real: whole blocks of the pool, about their own levels."""
    import numpy as np

    if kind == "normal":
        return draw.normal(size=(*size, 4))
    if kind != "real":
        return draw.standard_t(3, size=(*size, 4)) / math.sqrt(3)
    rows = np.array([[*one.logs("a"), *one.logs("b")] for one in real])[:, [0, 2, 3, 1]]
    rows = rows - rows.mean(1, keepdims=True)
    unit = math.sqrt((rows**2).sum() / (3 * len(rows)))
    starts = draw.integers(0, len(rows), (size[0], size[1] // 5 + 1))
    places = (starts[:, :, None] + np.arange(5)).reshape(size[0], -1)[:, : size[1]] % len(rows)
    return rows[places] / unit


def until_shown(noise: Any, deviation: float, change: float, alpha: float, draw: Any) -> Any:
    """Return after how many blocks each sequence shows a difference; 0 where it never does."""
    import numpy as np

    turned = np.array([-0.5, 0.5, 0.5, -0.5]) * draw.choice([-1, 1], (*noise.shape[:2], 1))
    values = deviation * noise + math.log1p(change) * turned
    found = np.zeros(len(noise), int)
    for place, (sequence, turn) in enumerate(zip(values, turned[:, :, 0], strict=True)):
        some = [
            Block((one[0], one[3]), (one[1], one[2])) if side < 0 else Block((one[1], one[2]), (one[0], one[3]))
            for one, side in zip(sequence, turn, strict=True)
        ]
        found[place] = _first_shown(some, alpha)
    return found


def _first_shown(some: Sequence[Block], alpha: float) -> int:
    low, high = -math.inf, math.inf
    for count, share in zip(LOOKS, SHARES, strict=True):
        ends = blocks.look_at(some[:count], share).interval(alpha)
        low, high = max(low, ends[0]), min(high, ends[1])
        if low > 0 or high < 0:
            return count
    return 0


def simulate(real: Sequence[PoolBlock], turns: int) -> bool:
    """Print rounds per side until a change is shown, and how often one is shown that is not there; return whether these are as few as promised."""
    import numpy as np

    good, draw = True, np.random.default_rng(SEED)
    for kind in KINDS:
        noise = noises(kind, real, (turns, LOOKS[-1]), draw)
        for alpha in (0.01, ALPHA):
            wrong = int((until_shown(noise, 1.0, 0.0, alpha, draw) > 0).sum())
            low, high = proportions.share(wrong, turns)[1:]
            good = good and low <= alpha
            print(
                f"simulated, {kind} noise: shown at any of {len(LOOKS)} looks where nothing differs, alpha {alpha:.1%}: {wrong} of {turns} [{low:.2%}, {high:.2%}]"
            )
        noise = noise[: turns // 4]
        for deviation, change in (*CASES, *OWN):
            power = 0.95 if change == 0.05 else 0.8
            found = until_shown(noise, deviation, change, 0.01, draw)
            reached = np.sort(np.where(found == 0, LOOKS[-1], found))
            mean, most = 2 * float(reached.mean()), 2 * int(reached[math.ceil(power * len(reached)) - 1])
            missed = "" if np.mean(found > 0) >= power else ", power missed"
            there, loose = (needed(deviation, change, alpha, power) for alpha in (0.01, 0.05))
            if (deviation, change) in CASES:
                good = good and not missed and mean <= MOST * there
            print(
                f"  sd {deviation:.1%}, {change:.0%}: mean {mean:.1f} rounds a side, {power:.0%} of comparisons within {most}; a t planned at alpha 1 %: {there} "
                f"(mean {mean / there:.2f} times, {power:.0%} within {most / there:.2f}), at 5 %: {loose} ({mean / loose:.2f}); shown {np.mean(found > 0):.1%}{missed}"
            )
    return good
