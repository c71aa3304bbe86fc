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
import itertools
import json
import math
import random
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.comparing.evidence import of_blocks
from harness.comparing.gate import Gate
from harness.comparing.verdict import judge
from harness.numbers import blocks, proportions
from harness.numbers.blocks import LOOKS, SHARES, Block, Look
from harness.numbers.rounds import SHARPER, Round
from tests.benchmarks import aa_speed
from tests.benchmarks.facts import headline, result
from tests.benchmarks.live_pool import POOL

SEED = 20261129
MARGIN = math.log1p(0.05)
ALPHA = 0.005
METRIC = "decode_tps"
SAME, SLOWED = "the same twice", "the real slowdown"
CASES = ((0.007, 0.05), (0.007, 0.02), (0.02, 0.05), (0.02, 0.02), (0.037, 0.05), (0.037, 0.02))
"""Standard deviation between processes, and change; 5 % is to be found with 95 % power, 2 % with 80 %."""
KINDS = ("normal", "t with 3 degrees", "real")
FALSE_SAME = 0.05
RoundValue = tuple[float, float]
"""Of a round: as seconds passed, and at one pace of the machine."""


# ---------------------------------------------------------------- the pools


@dataclass(frozen=True)
class PoolBlock:
    """One block: by arm its two rounds, each a value and a value at one pace of the machine."""

    sitting: str
    arms: Mapping[str, tuple[RoundValue, RoundValue]]
    load: float
    extra: int
    seconds: float = 0.0

    def logs(self, arm: str) -> tuple[float, float]:
        """Logarithms of an arm's two rounds, of seconds as they passed."""
        one, other = self.arms[arm]
        return math.log(one[0]), math.log(other[0])


def own_pool(path: Path = POOL) -> list[PoolBlock]:
    """Read the whole blocks of `live_pool`, in the order in which they ran; a block that was cut off is left out."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    groups = [list(group) for _, group in itertools.groupby(rows, key=lambda row: (row["sitting"], row["block"]))]
    return [_pool_block(group, [row["arm"] for row in group]) for group in groups if len(group) == 6]


def quieter_pool(method: str) -> list[PoolBlock]:
    """Read the rounds of `aa_speed`, two cycles a block: the first and second plain round of one, and of the next turned round."""
    rows = [row for row in aa_speed.lines() if row["method"] == method and row["arm"] != "busy" and row.get("pace")]
    found = []
    for _, group in itertools.groupby(rows, key=lambda row: (row["sitting"], row.get("work"))):
        some = list(group)
        cycles = [some[start : start + 3] for start in range(0, len(some) - 2, 3)]
        whole = [cycle for cycle in cycles if sorted(row["arm"] for row in cycle) == ["plain", "plain", "slow"]]
        for one, other in zip(whole[0::2], whole[1::2], strict=False):
            names = [*_dealt(one, ("a", "b")), *_dealt(other, ("b", "a"))]
            found.append(_pool_block([*one, *other], names))
    return found


def _dealt(cycle: Sequence[Mapping[str, Any]], names: tuple[str, str]) -> list[str]:
    plain = iter(names)
    return ["slow" if row["arm"] == "slow" else next(plain) for row in cycle]


def _pool_block(rows: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> PoolBlock:
    found: dict[str, list[RoundValue]] = defaultdict(list)
    for row, arm in zip(rows, arms, strict=True):
        paces = row["at_1ms"] if "at_1ms" in row else row["pace"]["at_1ms"]
        found[arm].append((row["values"][METRIC], paces[METRIC]))
    both = {arm: (values[0], values[1]) for arm, values in found.items()}
    load, seconds = statistics.mean(row["load"] for row in rows), sum(row.get("seconds", 0.0) for row in rows)
    return PoolBlock(rows[0]["sitting"], both, load, int(rows[0]["extra"]), seconds)


def slowed(real: Sequence[PoolBlock]) -> list[PoolBlock]:
    """Keep the blocks whose slowdown counts: of the own pool those of its last setting, of `aa_speed` all."""
    return [one for one in real if one.extra == real[-1].extra or not one.seconds]


def stretches(found: Sequence[PoolBlock]) -> list[list[PoolBlock]]:
    """Group blocks by sitting."""
    return [list(group) for _, group in itertools.groupby(found, key=lambda one: one.sitting)]


# ---------------------------------------------------------------- one comparison


@dataclass(frozen=True)
class ReplayedVerdict:
    """What a comparison came to, and after how many blocks."""

    word: str
    blocks: int


def compare(
    some: Sequence[PoolBlock], sides: tuple[str, str], shift: float = 1.0, alpha: float = ALPHA
) -> ReplayedVerdict:
    """Judge as `compare --live` does after every look, until there is a verdict or no block is left.

    shift: factor of the second side's values. With one number no rate is adjusted, so that intervals at two levels are the verdict.
    """
    scales = [_blocks(some, sides, shift, place) for place in (0, 1)]
    seen: list[list[Look]] = [[], []]
    for count, share in zip(LOOKS, SHARES, strict=True):
        if count > len(some):
            break
        for scale, looks in zip(scales, seen, strict=True):
            looks.append(blocks.look_at(scale[:count], share))
        at_pace = blocks.spread(scales[1][:count]) < SHARPER * blocks.spread(scales[0][:count])
        word = _word(seen[at_pace], alpha)
        if word != "cannot tell":
            return ReplayedVerdict(word, count)
    return ReplayedVerdict("cannot tell", len(some))


def _blocks(some: Sequence[PoolBlock], sides: tuple[str, str], shift: float, place: int) -> list[Block]:
    found = []
    for one in some:
        (a, b), (c, d) = ([math.log(value[place]) for value in one.arms[arm]] for arm in sides)
        found.append(Block((a, b), (c + math.log(shift), d + math.log(shift))))
    return found


def _word(seen: Sequence[Look], alpha: float) -> str:
    """Say what `verdict.judge` says of one number of which more is better."""
    low, high = blocks.interval(seen, 2 * FALSE_SAME)
    if low > -MARGIN and high < MARGIN:
        return "same"
    low, high = blocks.interval(seen, alpha)
    return "cannot tell" if low <= 0 <= high else "better" if low > 0 else "worse"


def as_the_command_does(
    some: Sequence[PoolBlock], sides: tuple[str, str], shift: float, found: ReplayedVerdict
) -> bool:
    """Judge the same blocks by the command's own evidence and judge, and say whether the verdict is this one."""
    one, other = (_rounds(some[: found.blocks], arm, factor) for arm, factor in zip(sides, (1.0, shift), strict=True))
    estimate = of_blocks((one, other))
    return judge([(estimate, MARGIN, "higher")], Gate(false_alarms=ALPHA, false_same=FALSE_SAME))[0].word == found.word


def _rounds(some: Sequence[PoolBlock], arm: str, factor: float) -> list[Round]:
    values = [value for one in some for value in one.arms[arm]]
    return [Round(number, number, value * factor, paced * factor) for number, (value, paced) in enumerate(values)]


# ---------------------------------------------------------------- simulated


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
    """Print rounds per side until a change is shown, and how often one is shown that is not there."""
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
        for deviation, change in CASES:
            power = 0.95 if change == 0.05 else 0.8
            found = until_shown(noise, deviation, change, 0.01, draw)
            reached = np.sort(np.where(found == 0, LOOKS[-1], found))
            mean, most = 2 * float(reached.mean()), 2 * int(reached[math.ceil(power * len(reached)) - 1])
            there, loose = (needed(deviation, change, alpha, power) for alpha in (0.01, 0.05))
            print(
                f"  sd {deviation:.1%}, {change:.0%}: mean {mean:.1f} rounds a side, {power:.0%} of comparisons within {most}; a t planned at alpha 1 %: {there} "
                f"(mean {mean / there:.2f} times, {power:.0%} within {most / there:.2f}), at 5 %: {loose} ({mean / loose:.2f}); shown {np.mean(found > 0):.1%}"
            )
    return good


# ---------------------------------------------------------------- replayed


def drawn(real: Sequence[PoolBlock], budget: int, draws: int, draw: random.Random) -> Iterator[list[PoolBlock]]:
    """Draw stretches of so many blocks from a random start, in the order in which they ran, sitting after sitting and round to the first."""
    for _ in range(draws):
        start = draw.randrange(len(real))
        yield [real[(start + place) % len(real)] for place in range(min(budget, len(real)))]


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


# ---------------------------------------------------------------- rules of others

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
        f"quieter machine, {name}": quieter_pool(name) for name in aa_speed.METHODS
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
