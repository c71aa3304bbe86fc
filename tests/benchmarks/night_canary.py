"""The canary of a night, replayed: a slowdown of the gate's margin times 1.5 on real rounds, by the path of every other comparison of a night.

Each night draws stretches of blocks from a pool of real rounds (`live_blocks`), slows one side down, and has it judged as `compare --live` judges, at the
gate's rate over so many comparisons as a night has; what is worse is measured again by another stretch, and must be confirmed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.numbers import blocks, proportions
from harness.numbers.blocks import SHARES, Block
from harness.numbers.nights import NightValue, is_confirmed
from harness.numbers.rounds import SHARPER
from tests.benchmarks import aa_pool, live_blocks
from tests.benchmarks.live_blocks import PoolBlock

SEED, NIGHTS, TURNS, BUDGET = 20261129, 30, 20, 45
MARGIN = math.log1p(0.05)
TIMES, SIDES = 1.5, ("a", "b")
FALSE_ALARMS, COMPARISONS = 0.01, 20
"""The gate's rate, and comparisons of a night over which it holds: a single change among them has to pass their share of it."""
LEAST = 0.95


def found_in_time() -> bool:
    """Print how often the canary is found, and an unslowed side called; say whether 95 % of nights find it on every pool."""
    good = True
    pools = {"busy machine, int4": live_blocks.own_pool()} | {
        f"quieter machine, {name}": live_blocks.quieter_pool(name) for name in aa_pool.METHODS
    }
    for name, real in pools.items():
        shares = []
        for size in (-TIMES * MARGIN, 0.0):
            draw = random.Random(f"{SEED} {name} {size}")
            nights = [is_called(real, size, draw) for _ in range(NIGHTS * TURNS)]
            shares.append(proportions.share(sum(nights), len(nights)))
            if size:
                whole = [sum(nights[start : start + NIGHTS]) for start in range(0, len(nights), NIGHTS)]
                good = good and shares[0][0] >= LEAST
        told = [f"{share:.1%} [{low:.1%}, {high:.1%}]" for share, low, high in shares]
        print(
            f"canary of {math.expm1(-TIMES * MARGIN):+.1%} on {name}, at most {BUDGET} blocks: found in {told[0]} of {NIGHTS * TURNS} nights "
            f"(of {NIGHTS} at a time {min(whole)} to {max(whole)}); without it called in {told[1]}"
        )
    return good


def is_called(real: Sequence[PoolBlock], size: float, draw: random.Random) -> bool:
    """Replay one night's comparison: shown to be slower, measured again, and confirmed."""
    first, again = live_blocks.drawn(real, min(BUDGET, len(real)), 2, draw)
    found = [live_blocks.compare(some, SIDES, math.exp(size), FALSE_ALARMS / COMPARISONS) for some in (first, again)]
    if found[0].word != "worse":
        return False
    values = [night_value(some[: one.blocks], size) for some, one in zip((first, again), found, strict=True)]
    return is_confirmed(values[0], values[1], margin=MARGIN)


def night_value(some: Sequence[PoolBlock], size: float) -> NightValue:
    """Return what the blocks of a comparison measured, at one pace of the machine where `compare` takes that."""
    scales = [
        [
            Block((value[0], value[1]), (value[2] + size, value[3] + size))
            for one in some
            for value in [_logs(one, place)]
        ]
        for place in (0, 1)
    ]
    at_pace = blocks.spread(scales[1]) < SHARPER * blocks.spread(scales[0])
    look = blocks.look_at(scales[at_pace], SHARES[0])
    return NightValue(blocks.estimate([look]), look.error, degrees=look.degrees)


def _logs(one: PoolBlock, place: int) -> tuple[float, ...]:
    return tuple(math.log(value[place]) for side in SIDES for value in one.arms[side])
