"""What a live comparison says: simulated with noise of several kinds, and replayed from blocks of real rounds.

    python -m tests.benchmarks.live_verdicts --part replay --draws 2000      # records/live_verdicts.txt
    python -m tests.benchmarks.live_verdicts --part simulate --draws 2000    # records/live_simulated.txt

Simulated: rounds per side until a change is shown, beside those of a two-sample t with a planned end; and how often any look is wrong where nothing
differs. Replayed: the pool of `live_pool` (it grows with each sitting; this reads what there is), and the rounds of `aa_speed`, which ran on a quieter
machine and whose cycles are put together to blocks. A comparison is a stretch of blocks from
a random start, in the order in which they ran, until the verdict or the last look within `--budget` blocks; sides are turned round by a coin. Stretches of
one pool overlap (of 62 blocks, with up to 45 in each, there is hardly more than one that is independent), so that the bound of what is wrong is also taken
over disjoint ones. Beside it on the same rounds: three rules of other projects.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.numbers import blocks, proportions
from harness.numbers.blocks import Block
from tests.benchmarks import aa_pool
from tests.benchmarks.facts import headline, result
from tests.benchmarks.live_blocks import (
    SEED,
    PoolBlock,
    ReplayedVerdict,
    as_the_command_does,
    compare,
    drawn,
    own_pool,
    quieter_pool,
    slowed,
    stretches,
)
from tests.benchmarks.live_rules import others
from tests.benchmarks.live_simulated import simulate

SAME, SLOWED = "the same twice", "the real slowdown"


def replay(name: str, real: Sequence[PoolBlock], budget: int, draws: int) -> dict[str, Counter[str]]:
    """Replay comparisons of the same thing, of the real slowdown, and of shifts; print what came of them."""
    slow = slowed(real)
    apart = [statistics.mean(one.logs("slow")) - statistics.mean((*one.logs("a"), *one.logs("b"))) for one in slow]
    mean, error = statistics.mean(apart), statistics.stdev(apart) / math.sqrt(len(apart))
    print(f"{name}, injected: {math.expm1(mean):+.1%} ± {1.96 * error:.1%} of tokens a second, over {len(slow)} blocks")
    cases: list[tuple[str, Sequence[PoolBlock], tuple[str, str], float]] = [
        (SAME, real, ("a", "b"), 1.0),
        (SLOWED, slow, ("a", "slow"), 1.0),
        ("rounds shifted by 5 %", real, ("a", "b"), 0.95),
        ("rounds shifted by 2 %", real, ("a", "b"), 0.98),
    ]
    words = {}
    for case, some, sides, shift in cases:
        draw = random.Random(f"{SEED} {name} {case}")
        found, agreed = [], []
        for number, stretch in enumerate(drawn(some, budget, draws if shift == 1.0 else draws // 4, draw)):
            turned = sides[::-1] if case == SAME and draw.random() < 0.5 else sides
            found.append(compare(stretch, turned, shift))
            if number % 25 == 0:
                agreed.append(as_the_command_does(stretch, turned, shift, found[-1]))
        if not all(agreed):
            sys.exit(
                f"{name}, {case}: the command says otherwise of {agreed.count(False)} of {len(agreed)} comparisons"
            )
        words[case] = _told(f"{name}, {case}", found)
    return words


def _told(name: str, found: Sequence[ReplayedVerdict]) -> Counter[str]:
    words = Counter(one.word for one in found)
    said = ", ".join(f"{word} {words[word] / len(found):.1%}" for word in ("worse", "better", "same", "cannot tell"))
    ran = sorted(one.blocks for one in found)
    print(
        f"{name}, {len(found)} comparisons: {said}; blocks: median {ran[len(ran) // 2]}, mean {statistics.mean(ran):.1f}"
    )
    return words


def judged(found: Sequence[Mapping[str, Counter[str]]]) -> bool:
    """Hold all replayed comparisons against what is wanted."""
    same, slowed = (sum((one[case] for one in found), Counter[str]()) for case in (SAME, SLOWED))
    wrong, count = same["worse"] + same["better"] + slowed["better"], same.total() + slowed.total()
    high = proportions.share(wrong, count)[2]
    called = [one[SAME]["worse"] + one[SAME]["better"] for one in found]
    print(
        f"the same twice alone: {sum(called)} of {same.total()} called, by pool {', '.join(f'{some} of {one[SAME].total()}' for some, one in zip(called, found, strict=True))}; "
        "one stretch of rounds is drawn about seven times, and its neighbours are much the same"
    )
    shares = same["same"] / same.total(), slowed["worse"] / slowed.total()
    print(
        f"together: {wrong} of {count} wrong (upper end of the 95 % interval {high:.2%}, were they independent; at most 1.5 % is wanted); "
        f"same in {shares[0]:.1%} of the same twice (80 %), the real slowdown found in {shares[1]:.1%} (95 %)"
    )
    return high <= 0.015 and shares[0] >= 0.8 and shares[1] >= 0.95


def disjoint(pools: Mapping[str, Sequence[PoolBlock]], budget: int) -> None:
    """Print what comparisons came to that share no round."""
    some = [
        compare(sitting[start : start + budget], ("a", "b"))
        for real in pools.values()
        for sitting in stretches(real)
        for start in range(0, len(sitting) - budget + 1, budget)
    ]
    wrong, high = sum(one.word in {"worse", "better"} for one in some), 0.0
    high = proportions.share(wrong, len(some))[2] if some else 1.0
    print(
        f"disjoint: {wrong} of {len(some)} comparisons of up to {budget} blocks wrong (upper end of the 95 % interval {high:.1%})"
    )


def _described(name: str, real: Sequence[PoolBlock]) -> None:
    both = [[Block(one.logs("a"), one.logs("b")) for one in sitting] for sitting in stretches(real)]
    loads = [one.load for one in real]
    print(
        f"{name}: {len(real)} blocks in {len(both)} sittings, {2 * len(real)} rounds an arm; decode between processes {blocks.spread([one for sitting in both for one in sitting]):.1%}, "
        f"by sitting {', '.join(f'{blocks.spread(one):.1%}' for one in both if len(one) > 1)}; load {min(loads):.1f} to {max(loads):.1f}"
    )


def main() -> None:
    """Simulate and replay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000, help="replayed comparisons of each kind, over all pools")
    parser.add_argument("--budget", type=int, default=45, help="blocks that a comparison has at the most")
    parser.add_argument("--part", choices=("all", "simulate", "replay"), default="all")
    asked = parser.parse_args()
    headline(
        f"python -m tests.benchmarks.live_verdicts --part {asked.part} --draws {asked.draws} --budget {asked.budget}"
    )
    pools = {"busy machine, int4": own_pool()} | {
        f"quieter machine, {name}": quieter_pool(name) for name in aa_pool.METHODS
    }
    for name, real in pools.items():
        _described(name, real)
    good = asked.part == "replay" or simulate(pools["busy machine, int4"], asked.draws // 2)
    if asked.part == "simulate":
        sys.exit(result(good))
    blocks_ = sum(map(len, pools.values()))
    words = [
        replay(name, real, asked.budget, math.ceil(asked.draws * len(real) / blocks_)) for name, real in pools.items()
    ]
    good = judged(words) and good
    disjoint(pools, 8)
    for name, real in pools.items():
        others(name, real, min(asked.budget, 15), asked.draws // 4)
    sys.exit(result(good))


if __name__ == "__main__":
    main()
