"""Differences of answers in strata: what they cover where strata are skewed, and how little is said where little is known."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from scipy.stats import binom

from harness.core.errors import HarnessError
from harness.numbers import proportions, strata

pooled = functools.cache(proportions.paired_difference)


@functools.cache
def bounds(*moved: tuple[int, int, int]) -> tuple[float, float, float]:
    """Give the difference for (gained, lost, questions) of each stratum."""
    right = [np.repeat([1, 0, 0], [gained, lost, size - gained - lost]) for gained, lost, size in moved]
    other = [np.repeat([0, 1, 0], [gained, lost, size - gained - lost]) for gained, lost, size in moved]
    return strata.stratified_difference(np.concatenate(right), np.concatenate(other), [size for *_, size in moved])


def chances(size: int, gaining: float, losing: float) -> dict[tuple[int, int], float]:
    """Give the probability of each count of gained and lost answers in a stratum, those below a millionth left out."""
    most = range(min(size, 15) + 1)
    given = losing / (1 - gaining) if gaining < 1 else 0.0
    gained = binom.pmf(most, size, gaining)
    found = {
        (up, down): float(gained[up] * binom.pmf(down, size - up, min(given, 1.0)))
        for up, down in itertools.product(most, most)
        if up + down <= size
    }
    return {counts: chance for counts, chance in found.items() if chance > 1e-6}


def covered(sizes: tuple[int, int], expected: tuple[int, ...]) -> float:
    """Return the exact coverage where so many answers are gained and lost in each of two strata on average."""
    up, down, ups, downs = expected
    truth, held = (up - down + ups - downs) / sum(sizes), 0.0
    first = chances(sizes[0], up / sizes[0], down / sizes[0])
    second = chances(sizes[1], ups / sizes[1], downs / sizes[1])
    for (one, chance), (other, beside) in itertools.product(first.items(), second.items()):
        if chance * beside > 3e-5:
            _, low, high = bounds((*one, sizes[0]), (*other, sizes[1]))
            held += chance * beside * (low - 1e-9 <= truth <= high + 1e-9)
    return held


FEW = [counts for counts in itertools.product(range(6), repeat=4) if sum(counts) <= 5 and counts[0] <= counts[1]]
"""Answers gained and lost in two strata, five at most; the other half of them are these with both sides exchanged."""


@pytest.mark.parametrize("size", [5, 12, 40])
def test_up_to_five_discordant_answers_of_one_small_stratum_are_covered(size: int) -> None:
    """Exact, all splits. Of five questions that are all discordant plain exact bounds cover 0.93 to 0.99."""
    for counts in FEW:
        if not any(counts[2:]) and sum(counts) < size:
            assert covered((size, 157 - size), counts) >= 0.94, counts


def test_up_to_five_discordant_answers_are_covered_wherever_they_stand() -> None:
    for counts in ((0, 2, 1, 1), (0, 2, 2, 0), (0, 0, 4, 1)):
        assert covered((12, 88), counts) >= 0.94, counts


@pytest.mark.parametrize("counts", FEW[::12])
def test_up_to_five_discordant_answers_have_the_exact_bound_of_all_questions(counts: tuple[int, ...]) -> None:
    up, down, ups, downs = counts
    assert bounds((up, down, 12), (ups, downs, 145)) == pooled(up + ups, down + downs, 157)


def test_no_discordant_answer_in_any_stratum_leaves_about_two_points_to_either_side() -> None:
    value, low, high = bounds((0, 0, 12), (0, 0, 45), (0, 0, 100))
    assert value == 0
    assert (low, high) == pytest.approx((-0.019, 0.019), abs=5e-4)


SKEWED: dict[str, tuple[list[float], list[float], list[int]]] = {
    "one of three collapses": ([0, 0, 0.02], [0.6, 0, 0.02], [100, 150, 150]),
    "a small one collapses": ([0, 0.03], [0.97, 0.03], [40, 300]),
    "gained here, lost there": ([0.7, 0], [0, 0.7], [60, 60]),
    "a few hard subjects among many": ([0.02] * 10 + [0.3] * 2, [0.02] * 10 + [0] * 2, [30] * 10 + [100, 20]),
    "subjects of five, each another way": ([0, 0.5, 0] * 19, [0.02, 0, 0.4] * 19, [5] * 57),
    "all that moves is in two small subjects": ([0.4] * 2 + [0] * 55, [0] * 57, [5] * 57),
    "tiny beside huge": ([0.5, 0.01], [0, 0.03], [12, 600]),
}
"""Chances of gaining and of losing an answer, and questions, by stratum."""


@pytest.mark.parametrize("name", SKEWED)
def test_differences_in_skewed_strata_are_covered_and_narrower_than_without_them(name: str) -> None:
    gaining, losing, sizes = SKEWED[name]
    truth = float(np.dot(np.subtract(gaining, losing), sizes)) / sum(sizes)
    draw, draws, width, plain = np.random.default_rng(11), 250, 0.0, 0.0
    below = above = 0
    for _ in range(draws):
        moved = [
            draw.multinomial(n, [up, down, 1 - up - down]) for up, down, n in zip(gaining, losing, sizes, strict=True)
        ]
        value, low, high = bounds(*((int(up), int(down), n) for (up, down, _), n in zip(moved, sizes, strict=True)))
        ups, downs = (int(sum(part[side] for part in moved)) for side in (0, 1))
        assert value == pytest.approx((ups - downs) / sum(sizes))
        _, least, most = pooled(ups, downs, sum(sizes))
        assert least - 1e-12 <= low <= value <= high <= most + 1e-12, "never wider than without strata"
        below, above, width, plain = (
            below + (truth < low),
            above + (truth > high),
            width + high - low,
            plain + most - least,
        )
    assert 1 - (below + above) / draws >= 0.93
    assert max(below, above) / draws <= 0.048
    if "collapses" in name or "here" in name:
        assert width < 0.85 * plain, "what differs between strata is no uncertainty"


@pytest.mark.parametrize("size", [12, 30])
@pytest.mark.parametrize("gaining", [0.1, 0.15, 0.3, 0.5])
def test_a_stratum_that_is_discordant_throughout_is_covered(size: int, gaining: float) -> None:
    """The hardest there is: every answer of a small stratum gained or lost, and none elsewhere. Exact."""
    truth, held = (2 * gaining - 1) * size / 157, 0.0
    for up in range(size + 1):
        _, low, high = bounds((up, size - up, size), (0, 0, 157 - size))
        held += float(binom.pmf(up, size, gaining)) * (low - 1e-9 <= truth <= high + 1e-9)
    assert held >= 0.92


def test_bounds_turn_with_the_difference_and_one_stratum_is_none() -> None:
    there = bounds((2, 40, 60), (5, 1, 200))
    back = bounds((40, 2, 60), (1, 5, 200))
    assert back == pytest.approx((-there[0], -there[2], -there[1]), abs=1e-6)
    assert there[1] < there[0] < there[2] < 0
    assert bounds((7, 41, 260)) == pooled(7, 41, 260)


def test_strata_that_do_not_cut_the_answers_are_refused() -> None:
    with pytest.raises(HarnessError, match="do not cut"):
        strata.stratified_difference(np.ones(30), np.zeros(30), [10, 10])
