"""The judge of equal sessions, on pools whose answer is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.benchmarks import aa_judge
from tests.benchmarks.aa_pool import METHODS, METRICS, Round

SIZE = 5


def pool(
    spread: float = 0.015,
    *,
    slower: float = 0.05,
    second: float = 0.0,
    quiet: tuple[str, ...] = (),
    busy: tuple[str, ...] = ("disturbed",),
    sittings: int = 7,
    machine: float = 0.0,
    bias: float = 0.0,
) -> list[Round]:
    """Seven sittings of independent rounds; `second` shifts every other plain round, as if the two arms were not the same."""
    draw, found = random.Random(3), []
    for sitting in range(sittings):
        for order in range(180):
            method, place = list(METHODS)[order % 2], order // 2
            arm = ("plain", "plain", "slow", "busy")[place % 4]
            shift = -slower if arm == "slow" else second if arm == "plain" and place % 4 else 0.0
            value = 1000 * (1 + shift) * 2.718281828 ** draw.gauss(0, spread)
            notes = busy if arm == "busy" else quiet
            at_pace = dict.fromkeys(METRICS, value * (1 + bias * (method == "int4")))
            values = dict.fromkeys(METRICS, value * 2.718281828 ** draw.gauss(0, machine))
            found.append(Round(f"s{sitting}", order, method, arm, values, at_pace, notes))
    return found


@pytest.mark.parametrize(
    ("judged", "good", "bad"),
    [
        (aa_judge._described, {}, {"sittings": 5}),
        (aa_judge._same, {}, {"second": 0.1}),
        (aa_judge._slower, {"spread": 0.01}, {"slower": 0.0}),
        (aa_judge._slower, {"spread": 0.01, "machine": 0.1}, {"spread": 0.1}),
        (aa_judge._slower, {"spread": 0.01}, {"slower": 0.09, "spread": 0.01}),
        (lambda rounds, _: aa_judge._unbiased(rounds), {"machine": 0.1}, {"bias": 0.05}),
        (aa_judge._same, {"machine": 0.1}, {"machine": 0.1, "second": 0.1}),
        (aa_judge._marked, {}, {"quiet": ("unstable",)}),
        (aa_judge._marked, {}, {"busy": ()}),
    ],
)
def test_each_part_of_the_judgement_can_fail(
    judged: Callable[[list[Round], int], bool], good: dict[str, object], bad: dict[str, object]
) -> None:
    assert judged(pool(**good), SIZE)  # type: ignore[arg-type]
    assert not judged(pool(**bad), SIZE)  # type: ignore[arg-type]
