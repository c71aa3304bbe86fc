"""Shares of answers: bounds that hold for few and for no discordant ones."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from scipy.stats import multinomial

from harness.core.errors import HarnessError
from harness.numbers import proportions, strata


def test_wilson_stays_within_bounds_and_matches_a_known_case() -> None:
    assert proportions.wilson(0, 10)[:2] == (0.0, 0.0)
    assert proportions.wilson(10, 10)[2] == 1.0
    share, low, high = proportions.wilson(15, 50)
    assert (share, round(low or 0, 3), round(high or 0, 3)) == (0.3, 0.191, 0.438)
    with pytest.raises(HarnessError, match="3 successes of 2"):
        proportions.wilson(3, 2)


def test_no_discordant_answer_of_157_leaves_about_two_points_to_either_side() -> None:
    value, low, high = proportions.paired_difference(0, 0, 157)
    assert value == 0
    assert (low, high) == pytest.approx((-0.019, 0.019), abs=5e-4)


def test_bounds_lie_around_the_difference_and_turn_with_it() -> None:
    for gained, lost in ((1, 0), (3, 1), (20, 40), (0, 12)):
        value, low, high = proportions.paired_difference(gained, lost, 200)
        assert low < value < high
        turned = proportions.paired_difference(lost, gained, 200)
        assert turned == pytest.approx((-value, -high, -low), abs=1e-6)


def test_many_discordant_answers_come_near_the_normal_interval() -> None:
    value, low, high = proportions.paired_difference(300, 200, 5000)
    error = np.sqrt(500 - 100**2 / 5000) / 5000
    assert (low, high) == pytest.approx((value - 1.96 * error, value + 1.96 * error), abs=2e-4)


def test_all_answers_may_be_discordant() -> None:
    assert proportions.paired_difference(5, 0, 5)[2] == 1.0
    with pytest.raises(HarnessError, match="do not fit"):
        proportions.paired_difference(3, 3, 5)


difference = functools.cache(proportions.paired_difference)


@pytest.mark.parametrize("discordant", range(6))
def test_differences_with_up_to_five_discordant_answers_are_covered(discordant: int) -> None:
    """Exact: every outcome of 157 answers, weighed by its probability; all splits into gained and lost."""
    for gained in range((discordant + 1) // 2, discordant + 1):
        chances = (gained / 157, (discordant - gained) / 157)
        truth, share = chances[0] - chances[1], 0.0
        for one, other in itertools.product(range(14), range(14 if chances[1] else 1)):
            chance = multinomial.pmf([one, other, 157 - one - other], 157, [*chances, 1 - sum(chances)])
            if chance > 1e-5:
                _, low, high = difference(one, other, 157)
                share += float(chance) * (low <= truth <= high)
        assert share >= 0.94, (gained, discordant - gained)


def stratified(shares: list[float], sizes: list[int], draws: int = 500) -> tuple[float, float, float]:
    """Return coverage, and the mean width of the stratified interval and of a pooled one."""
    draw, truth = np.random.default_rng(0), np.average(shares, weights=sizes)
    hits, width, pooled = 0, 0.0, 0.0
    for _ in range(draws):
        right = np.concatenate([draw.random(size) < share for share, size in zip(shares, sizes, strict=True)])
        _, low, high = strata.stratified_share(right.astype(float), sizes)
        _, least, most = proportions.wilson(int(right.sum()), right.size)
        assert low is not None
        assert high is not None
        hits += low <= truth <= high
        width, pooled = width + high - low, pooled + (most or 0) - (least or 0)
    return hits / draws, width / draws, pooled / draws


@pytest.mark.parametrize(
    ("shares", "sizes"), [([1.0, 1.0, 0.35], [139, 157, 104]), ([0.1, 0.9] * 10, [12] * 20), ([0.5] * 5, [30] * 5)]
)
def test_strata_are_combined_as_strata(shares: list[float], sizes: list[int]) -> None:
    share, width, pooled = stratified(shares, sizes)
    assert 0.92 <= share <= 0.99
    assert width <= pooled * 1.001
    if max(shares) - min(shares) > 0.5:
        assert width < 0.75 * pooled


def test_strata_without_a_wrong_answer_still_have_an_interval() -> None:
    share, low, high = strata.stratified_share([1.0] * 80, [40, 40])
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(proportions.wilson(80, 80)[1], abs=2e-3)


def test_a_mean_over_strata_takes_no_uncertainty_from_their_differences() -> None:
    draw = np.random.default_rng(2)
    parts = [draw.normal(center, 1.0, 40) for center in (-10.0, 0.0, 10.0)]
    value, low, high = strata.stratified_mean(np.concatenate(parts), [40, 40, 40])
    assert low is not None
    assert high is not None
    assert value == pytest.approx(np.concatenate(parts).mean())
    assert high - low == pytest.approx(2 * 1.98 / np.sqrt(120), rel=0.2)


def test_too_few_questions_have_no_interval_and_odd_strata_are_refused() -> None:
    assert strata.stratified_mean([1.0] * 19, [19]) == (1.0, None, None)
    with pytest.raises(HarnessError, match="do not cut"):
        strata.stratified_mean(np.ones(30), [10, 10])


def test_lone_questions_of_many_strata_share_a_variance() -> None:
    _, low, high = strata.stratified_mean(np.arange(40.0), [1] * 10 + [30])
    assert low is not None
    assert high is not None
    assert low < 19.5 < high
