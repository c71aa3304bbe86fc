"""Blocks of real rounds, and what a live comparison of a stretch of them says."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.comparing.evidence import of_blocks
from harness.comparing.gate import Gate
from harness.comparing.verdict import judge
from harness.numbers import blocks
from harness.numbers.blocks import LOOKS, SHARES, Block, Look
from harness.numbers.rounds import SHARPER, Round
from tests.benchmarks import aa_pool
from tests.benchmarks.live_pool import POOL

SEED = 20261129
MARGIN = math.log1p(0.05)
ALPHA = 0.005
METRIC = "decode_tps"
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
    rows = [row for row in aa_pool.lines() if row["method"] == method and row["arm"] != "busy" and row.get("pace")]
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


def drawn(real: Sequence[PoolBlock], budget: int, draws: int, draw: random.Random) -> Iterator[list[PoolBlock]]:
    """Draw stretches of so many blocks from a random start, in the order in which they ran, sitting after sitting and round to the first."""
    for _ in range(draws):
        start = draw.randrange(len(real))
        yield [real[(start + place) % len(real)] for place in range(min(budget, len(real)))]
