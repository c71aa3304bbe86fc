"""Rules by which other projects alarm, on the same rounds."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

from tests.benchmarks.live_blocks import SEED, PoolBlock, drawn, slowed

AlarmRule = Callable[[Sequence[float], Sequence[float]], bool]
"""Says of the logarithms of an old and of a new night's rounds, in the order in which they ran, whether it alarms."""


def sequential_mean(before: Sequence[float], after: Sequence[float]) -> bool:
    """Alarm where the means of what ran so far, after any round from the third on, lie 5 % apart."""
    return any(
        statistics.mean(after[:count]) - statistics.mean(before[:count]) < math.log(0.95)
        for count in range(3, len(after) + 1)
    )


def p95_of_three(before: Sequence[float], after: Sequence[float]) -> bool:
    """Alarm where the mean of the last three nights is 5 % below the 95th percentile of earlier means of three nights.

    As TensorRT-LLM's rule is described; each round is a night.
    """
    means = [statistics.mean(before[start : start + 3]) for start in range(len(before) - 2)]
    level = sorted(means)[min(len(means) - 1, math.ceil(0.95 * len(means)) - 1)]
    return any(statistics.mean(after[start : start + 3]) < level + math.log(0.95) for start in range(len(after) - 2))


def week_mean(before: Sequence[float], after: Sequence[float]) -> bool:
    """Alarm where a night is 10 % below the mean of the seven before it; each round is a night."""
    nights = [*before[-7:], *after]
    return any(
        night < statistics.mean(nights[place : place + 7]) + math.log(0.9) for place, night in enumerate(nights[7:])
    )


RULES: dict[str, AlarmRule] = {
    "sequential mean, 5 %": sequential_mean,
    "P95 of means of three, 5 %": p95_of_three,
    "mean of seven, 10 %": week_mean,
}


def others(name: str, real: Sequence[PoolBlock], budget: int, draws: int) -> None:
    """Print how often other rules alarm on the same rounds, where nothing differs and where it does."""
    slow = slowed(real)
    for called, rule in RULES.items():
        shares = []
        for some, arm in ((real, "b"), (slow, "slow")):
            draw = random.Random(f"{SEED} {name} {called} {arm}")
            found = [
                rule([v for one in stretch for v in one.logs("a")], [v for one in stretch for v in one.logs(arm)])
                for stretch in drawn(some, budget, draws, draw)
            ]
            shares.append(sum(found) / len(found))
        print(f"{name}, {called}: alarms on {shares[0]:.1%} of the same twice, {shares[1]:.1%} of the slowdown")
