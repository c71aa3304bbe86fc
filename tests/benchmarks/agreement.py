"""Whether two ways of measuring one thing, taken in turns, gave one number."""

from __future__ import annotations

from collections.abc import Sequence

from harness.numbers import rounds
from harness.numbers.rounds import Round

WIDEST = 1.5
"""How far apart an interval's ends may lie to say that two speeds agree."""


def told(words: str, unit: str, one: Sequence[float], other: Sequence[float]) -> bool:
    """Print the ratio of two sides with its interval; say whether it is sharp and holds 1. one, other: a value of each turn, in `unit`."""
    sides = [
        [Round(number, 2 * number + (number % 2 == side), value) for number, value in enumerate(some)]
        for side, some in enumerate((one, other))
    ]
    found = rounds.ratio(sides[0], sides[1], unit, False)
    if found.low is None or found.high is None:
        print(f"{words}: ours / directly {found.value:.3f}, without an interval")
        return False
    agrees, sharp = found.low <= 1 <= found.high, found.high / found.low < WIDEST
    said = ("agrees" if agrees else "differs") if sharp else "says nothing: the machine is too restless"
    print(f"{words}: ours / directly {found.value:.3f} [{found.low:.3f}, {found.high:.3f}], {said}")
    return agrees and sharp
