"""Comparisons of rounds by their definitions, at the borders where another way of comparing begins."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import stats

from harness.numbers import rounds
from harness.numbers.rounds import Round


def sitting(*values: float, first: int = 0, paces: tuple[float, ...] = ()) -> list[Round]:
    """Rounds whose orders leave room for another sitting's rounds between them."""
    return [
        Round(number, first + 2 * number, value, paces[number] if paces else None)
        for number, value in enumerate(values)
    ]


def correlated(correlation: float, count: int = 6) -> tuple[list[Round], list[Round]]:
    """Two sittings in turns, of which the logarithms have exactly this correlation."""
    draw = np.random.default_rng(1)
    one, noise = draw.standard_normal((2, count))
    one = (one - one.mean()) / one.std()
    noise -= noise.mean()
    noise -= one * (noise @ one) / (one @ one)
    other = correlation * one + math.sqrt(1 - correlation**2) * noise / noise.std()
    return sitting(*np.exp(0.02 * one)), sitting(*np.exp(0.02 * other), first=1)


@pytest.mark.parametrize(
    ("correlation", "count", "paired"),
    [(0.79, 6, False), (0.81, 6, True), (0.99, 5, True), (0.99, 4, False), (-0.9, 6, False)],
)
def test_rounds_in_turns_are_paired_from_five_and_a_correlation_of_eight_tenths_on(
    correlation: float, count: int, paired: bool
) -> None:
    one, other = correlated(correlation, count)
    logs = np.log([[each.value for each in side] for side in (one, other)])
    assert rounds._correlation(*logs) == pytest.approx(np.corrcoef(*logs)[0, 1]) == pytest.approx(correlation)
    assert rounds.are_paired(one, other) is paired
    apart = rounds.difference(one, other, "s")
    values, others = (np.array([each.value for each in side]) for side in (one, other))
    expected = stats.sem(values - others) if paired else math.hypot(stats.sem(values), stats.sem(others))
    assert (apart.value, apart.error, apart.paired) == (
        pytest.approx(values.mean() - others.mean()),
        pytest.approx(expected),
        paired,
    )
    welch = stats.ttest_ind(values, others, equal_var=False).df
    assert apart.degrees == pytest.approx(count - 1 if paired else welch)
    ratio = rounds.ratio(one, other, "s")
    error = stats.sem(logs[0] - logs[1]) if paired else math.hypot(stats.sem(logs[0]), stats.sem(logs[1]))
    assert (ratio.value, ratio.error, ratio.at_pace) == (
        pytest.approx(values.mean() / others.mean()),
        pytest.approx(error),
        False,
    )
    if paired:
        quantile = stats.t.ppf(0.975, count - 1)
        assert (ratio.low, ratio.high) == pytest.approx(
            (ratio.value * math.exp(-quantile * error), ratio.value * math.exp(quantile * error)), rel=1e-4
        )
        assert (apart.low, apart.high) == pytest.approx(
            (apart.value - quantile * expected, apart.value + quantile * expected), rel=1e-3
        )


@pytest.mark.parametrize(("orders", "numbers", "interleaved"), [
    ([(0, 1), (2, 3), (4, 5)], [0, 1, 2], True), ([(1, 0), (3, 2), (4, 5)], [0, 1, 2], True), ([(0, 2), (1, 3), (4, 5)], [0, 1, 2], False),
    ([(0, 1), (1, 3), (4, 5)], [0, 1, 2], False), ([(0, 1), (2, 3), (4, 5)], [0, 1, 1], False),
])  # fmt: skip
def test_each_round_is_over_before_the_next_begins(
    orders: list[tuple[int, int]], numbers: list[int], interleaved: bool
) -> None:
    one, other = (
        [Round(number, pair[side], 1.0) for number, pair in zip(numbers, orders, strict=True)] for side in (0, 1)
    )
    assert rounds.are_interleaved(one, other) is interleaved
    assert not rounds.are_interleaved(one, other[:2])
    assert rounds.are_interleaved(one[::-1], other) is interleaved


@pytest.mark.parametrize(("share", "sharper"), [(0.599, True), (0.601, False)])
def test_one_pace_is_taken_where_it_spreads_less_than_six_tenths(share: float, sharper: bool) -> None:
    moved = (-1.0, 0.0, 1.0)
    values, paces = (tuple(math.exp(size * one) for one in moved) for size in (0.05, 0.05 * share))
    both = [sitting(*values, paces=paces), sitting(*values, first=1, paces=paces)]
    assert rounds.are_sharper_at_pace(both) is sharper
    assert rounds.pooled(both) == pytest.approx(0.05 * (share if sharper else 1))
    found = rounds.ratio(*both, "s")
    assert found.at_pace is sharper
    assert found.error == pytest.approx(0.05 * (share if sharper else 1) * math.sqrt(2 / 3))
    assert rounds.ratio(*both, "s", at_pace=not sharper).at_pace is not sharper
    assert [each.value for each in rounds.at_one_pace(both[0])] == list(paces)
    assert not rounds.are_sharper_at_pace([both[0][:2], both[1]])
    assert not rounds.are_sharper_at_pace([both[0], sitting(*values, paces=(*paces[:2], 0.0))])
    assert not rounds.are_sharper_at_pace([both[0], sitting(*values[:2], 0.0, paces=paces)])
    assert not rounds.are_sharper_at_pace([both[0], sitting(*values)])


def test_pooled_spread_counts_degrees_and_not_rounds() -> None:
    one, other = [1.0, 2.0, 4.0], [3.0, 3.0, 6.0, 6.0, 3.0]
    squares = sum(np.log(side).var(ddof=1) * (len(side) - 1) for side in (one, other))
    assert rounds.pooled([sitting(*one), sitting(*other)]) == pytest.approx(math.sqrt(squares / 6))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([2.0], None),
        ([2.0, 0.0], None),
        ([2.0, -1.0], None),
        ([1.0, math.e], math.sqrt(0.5)),
        ([1.0, math.e, math.e**2], 1.0),
    ],
)
def test_spread_is_the_deviation_of_logarithms(values: list[float], found: float | None) -> None:
    assert rounds.spread(values) == (None if found is None else pytest.approx(found))


@pytest.mark.parametrize("count", [3, 5, 12])
def test_the_smallest_change_is_that_of_two_quantiles(count: int) -> None:
    degrees = 2 * count - 3
    quantiles = stats.t.ppf(0.975, degrees) + stats.t.ppf(0.9, degrees)
    assert rounds.smallest_change(0.03, count) == pytest.approx(
        math.exp(quantiles * 0.03 * math.sqrt(2 / count)) - 1, rel=1e-4
    )


def test_three_rounds_have_an_interval_and_what_is_not_positive_has_no_ratio() -> None:
    assert rounds.LEAST == 3
    assert rounds.summary([1.0, 1.1, 1.2], "s")[1] is not None
    zero = rounds.ratio(sitting(0.0, 1.0, 2.0), sitting(1.0, 2.0, 3.0), "s")
    assert (zero.value, zero.low, zero.error, zero.paired, zero.at_pace) == (0.5, None, None, False, False)
    assert rounds.ratio(sitting(1.0, 2.0, 3.0), sitting(0.0, 1.0, 2.0), "s").low is None
    assert rounds.difference(sitting(-1.0, 0.0, 1.0), sitting(0.0, 1.0, 2.0), "s").low is not None
    same = rounds.ratio(sitting(2.0, 2.0, 2.0), sitting(1.0, 1.0, 1.0), "s")
    assert (same.value, same.low, same.high, same.error, same.degrees) == (2.0, 2.0, 2.0, 0.0, 1.0)
    assert rounds._correlation([1.0, 1.0], [1.0, 2.0]) == 0.0


@pytest.mark.parametrize(("values", "unit", "mean"), [
    ([1.0, 3.0], "tok/s", 1.5), ([1.0, 3.0], "s", 2.0), ([0.0, 3.0], "tok/s", 1.5), ([1.0, 3.0], "B", 2.0), ([1.0, 3.0], "/sx", 2.0),
])  # fmt: skip
def test_rates_have_the_harmonic_mean_where_all_are_positive(values: list[float], unit: str, mean: float) -> None:
    assert rounds.mean(values, unit) == pytest.approx(mean)


def test_means_and_exponentials_stay_floats() -> None:
    largest = sys.float_info.max
    assert rounds._average([largest] * 3) == pytest.approx(largest)
    assert rounds._average([largest, -largest, largest]) == pytest.approx(largest / 3)
    assert rounds._exp(1000.0) == math.exp(700.0)
    assert rounds._exp(699.0) == math.exp(699.0)


def test_what_is_measured_by_rounds() -> None:
    assert not rounds.is_over_rounds("artifact_bytes"), "a size is no matter of a process"
    assert rounds.is_over_rounds("own.x", "measured")
    assert not rounds.is_over_rounds("unheard")


def test_an_interval_of_which_one_end_is_beyond_a_float_is_none() -> None:
    value, low, high = rounds.summary([1e-200, 1.0, 1e200], "s")
    assert math.isfinite(value)
    assert (low, high) == (None, None)


def test_equal_values_of_two_sides_that_are_not_paired_have_no_error_and_are_told_unpaired() -> None:
    one, other = (
        (rounds.Round(1, place, place) for place in (0, 1)),
        (rounds.Round(1, place, place) for place in (9, 8)),
    )
    assert rounds._error_between(list(one), list(other), [1.0, 1.0], [2.0, 2.0]) == (0.0, 1.0, False)
