"""What `harness compare` says of real rounds: of the same thing twice, and of a real slowdown.

    python -m tests.benchmarks.compare_verdicts [--draws 1000]

Rounds are those of `records/aa_speed.jsonl`, whose sittings ran two plain rounds and one slowed round of each method in every cycle. A draw is a
stretch of one sitting, from a random start; its plain rounds go to both sides in turns, or the slowed ones beside every other plain one.
Stretches overlap, so the bound of what is wrong is taken over disjoint ones alone. All metrics of a draw are judged together, as one call does.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.comparing.evidence import of_rounds
from harness.comparing.gate import Gate, read_gate
from harness.comparing.verdict import judge, limits
from harness.core.metric import METRICS as KNOWN
from harness.numbers import proportions
from tests.benchmarks import aa_pool
from tests.benchmarks.aa_pool import METHODS, METRICS, Round
from tests.benchmarks.facts import headline, result

SEED = 20261129
SIZES = (5, 8, 12, 16, 20)
WRONG = 0.015
"""Share of wrong verdicts above which this does not hold, whatever its bound."""
Draw = tuple[Sequence[Round], Sequence[Round]]


def verdicts(draw: Draw, gate: Gate) -> dict[str, str]:
    """Judge all metrics of two sets of rounds together."""
    asked = []
    for name in METRICS:
        metric = KNOWN[name]
        estimate = of_rounds((aa_pool.as_numbers(draw[0], name), aa_pool.as_numbers(draw[1], name)), metric.unit)
        asked.append((estimate, limits(gate.margin(metric), estimate, draw[0][0].values[name]), metric.better))
    return {name: judged.word for name, judged in zip(METRICS, judge(asked, gate), strict=True)}


def alike(sitting: Sequence[Round], size: int, start: int) -> Draw:
    """Deal plain rounds to both sides in turns."""
    some = sitting[start : start + 2 * size]
    return some[0::2], some[1::2]


def drawn(pool: Sequence[Round], method: str, size: int, draws: int) -> Iterator[tuple[Draw, Draw]]:
    """Draw stretches of sittings: two times the same, and the same beside the slowed."""
    draw = random.Random(f"{SEED} {method} {size}")
    plain, slow = ({one[0].sitting: one for one in aa_pool.in_sittings(pool, method, arm)} for arm in ("plain", "slow"))
    fitting = [name for name, one in plain.items() if len(one) >= 2 * size and len(slow.get(name, ())) >= size]
    for _ in range(draws if fitting else 0):
        name = draw.choice(fitting)
        start = draw.randrange(min(len(plain[name]) // 2, len(slow[name])) - size + 1)
        same = alike(plain[name], size, 2 * start)
        sides = same if draw.random() < 0.5 else same[::-1]
        yield sides, (same[0], slow[name][start : start + size])


def disjoint(pool: Sequence[Round], size: int) -> list[Draw]:
    """Cut all sittings into stretches that share no round."""
    return [(one, other) for one, other in aa_pool.pairs(pool, size)]


def main() -> None:
    """Draw, judge and count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    headline(f"python -m tests.benchmarks.compare_verdicts --draws {draws}")
    gate = read_gate((Path(aa_pool.ROOT) / "configs",))
    pool = aa_pool.rounds()
    print(
        f"margin {gate.margin(KNOWN['decode_tps'])}, false alarms {gate.false_alarms:g}, false same {gate.false_same:g}"
    )
    good = [_drawn(pool, method, size, draws, gate) for size in SIZES for method in METHODS]
    good.append(_disjoint(pool, gate))
    sys.exit(result(all(good)))


def _drawn(pool: Sequence[Round], method: str, size: int, draws: int, gate: Gate) -> bool:
    alike_words, slow_words, any_wrong, count = Counter[str](), Counter[str](), 0, 0
    for same, slowed in drawn(pool, method, size, draws):
        found = verdicts(same, gate)
        count += 1
        any_wrong += bool({"worse", "better"} & set(found.values()))
        alike_words[found["decode_tps"]] += 1
        slow_words[verdicts(slowed, gate)["decode_tps"]] += 1
    if not count:
        print(f"{method}, {size} rounds a side: no sitting is that long")
        return True
    said = ", ".join(f"{word} {alike_words[word] / count:.1%}" for word in ("worse", "better", "same", "cannot tell"))
    print(
        f"{method}, {size} rounds a side, {count} draws; decode, the same twice: {said}; any metric wrong: {any_wrong / count:.1%}"
    )
    slow = ", ".join(f"{word} {slow_words[word] / count:.1%}" for word in ("worse", "better", "same", "cannot tell"))
    print(f"  decode, slowed by 5 % (6 to 7 % between processes): {slow}")
    return any_wrong / count <= WRONG


def _disjoint(pool: Sequence[Round], gate: Gate) -> bool:
    """Bound the wrong verdicts of calls that share no round."""
    holds = True
    for size in SIZES:
        found = [set(verdicts(draw, gate).values()) for draw in disjoint(pool, size)]
        wrong = sum(bool({"worse", "better"} & words) for words in found)
        _, _, high = proportions.share(wrong, len(found))
        print(
            f"disjoint, {size} rounds a side: {wrong} of {len(found)} calls wrong (upper end of the 95 % interval {high:.1%})"
        )
        holds = holds and wrong / len(found) <= WRONG
    return holds


if __name__ == "__main__":
    main()
