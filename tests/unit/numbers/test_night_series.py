"""Series of nights side by side: what is common to them falls out, odd nights hardly count, and scores are what Student's t says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.numbers.night_series import (
    AHEAD,
    COMMON_FROM,
    FAR,
    PAST,
    NightTable,
    NightValue,
    before,
    chance,
    limited_sum,
    medians,
    packed,
    scores,
    table_of,
    weights,
    width,
    without_common,
)

NOTHING = np.zeros(1)


def table(values: np.ndarray, error: float = 1.0) -> NightTable:
    return NightTable(tuple(map(str, range(len(values)))), values, np.full(values.shape, error), np.ones(values.shape))


def test_series_end_with_tonight_and_what_is_not_finite_was_not_measured() -> None:
    found = table_of(
        {"old": [NightValue(1.0, 0.1), None, NightValue(3.0, 0.3, 2)], "new": [NightValue(5.0, math.nan)], "none": []}
    )
    assert found.names == ("old", "new", "none")
    np.testing.assert_array_equal(found.values, [[1, np.nan, 3], [np.nan] * 3, [np.nan] * 3])
    np.testing.assert_array_equal(found.errors[0], [0.1, np.nan, 0.3])
    np.testing.assert_array_equal(found.times[0], [1, np.nan, 2])
    assert table_of({}).values.shape == (0, 0)


def test_medians_leave_out_what_was_not_measured() -> None:
    values = np.array([[3.0, np.nan, 1.0, 2.0], [np.nan, 4.0, np.nan, 6.0], [np.nan] * 4])
    np.testing.assert_array_equal(medians(values, 1), [2.0, 5.0, 0.0])
    np.testing.assert_array_equal(medians(values, 0), [3.0, 4.0, 1.0, 4.0])


def test_what_all_series_share_falls_out_and_what_one_has_alone_stays() -> None:
    draw = np.random.default_rng(1)
    noise = draw.normal(size=(40, 30)) * 0.001
    shared = np.cumsum(draw.normal(size=30)) * 0.05
    own = noise + draw.normal(size=(40, 1))
    own[7, 20:] += 0.02
    left, common = without_common(table(own + shared), [""] * 40)
    assert np.std(common[0] - shared) < 0.001
    assert left[7, 20:].mean() - left[7, :20].mean() == pytest.approx(0.02, abs=0.002)
    steady = np.delete(left, 7, axis=0)
    assert np.abs(steady[:, 20:].mean(1) - steady[:, :20].mean(1)).max() < 0.002


def test_groups_share_what_is_theirs_and_few_series_or_exact_ones_share_nothing() -> None:
    shared = np.linspace(0.0, 1.0, 10)
    values = np.tile(shared, (2 * COMMON_FROM - 1, 1))
    groups = ["many"] * COMMON_FROM + ["few"] * (COMMON_FROM - 1)
    left, _ = without_common(table(values), groups)
    assert np.abs(np.diff(left[:COMMON_FROM])).max() == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(left[COMMON_FROM:], values[COMMON_FROM:])
    np.testing.assert_array_equal(without_common(table(values, error=0.0), groups)[0], values)


def test_nights_on_which_hardly_anything_was_measured_have_nothing_in_common() -> None:
    values = np.zeros((8, 6))
    values[:, 3] = np.nan
    values[0, 3] = 9.0
    _, common = without_common(table(values), [""] * 8)
    np.testing.assert_array_equal(common, 0.0)


def test_measured_nights_move_to_the_end_in_order() -> None:
    np.testing.assert_array_equal(packed(np.array([[1.0, np.nan, 2.0, np.nan, 3.0]])), [[np.nan, np.nan, 1, 2, 3]])


def test_odd_nights_hardly_move_what_was_before() -> None:
    calm = np.random.default_rng(2).normal(size=(200, 50))
    odd = calm.copy()
    odd[:, 25] = 1000.0
    one, other = before(calm, np.zeros(200)), before(odd, np.zeros(200))
    assert np.mean(one.deviation) == pytest.approx(1.0, abs=0.03)
    assert np.mean(other.deviation) < 2.2
    assert np.abs(other.level - one.level).max() < FAR * 2 / 50
    assert set(other.nights) == {50}


def test_a_deviation_is_no_less_than_rounds_say_and_ties_have_one() -> None:
    assert before(np.array([[1.0, 1.0, 1.0, 1.0]]), np.array([0.2])).deviation[0] == 0.2
    assert before(np.array([[1.0] * 9 + [2.0]]), NOTHING).deviation[0] > 0


def test_nights_that_resemble_the_one_before_are_seen_and_others_are_not() -> None:
    draw = np.random.default_rng(3)
    chain = np.zeros((100, 80))
    for night in range(1, 80):
        chain[:, night] = 0.7 * chain[:, night - 1] + draw.normal(size=100)
    assert np.mean(before(chain[:, 20:], np.zeros(100)).likeness) > 0.4
    assert np.mean(before(draw.normal(size=(100, 60)), np.zeros(100)).likeness) < 0.05


def test_the_width_of_a_mean_is_that_of_a_chain() -> None:
    assert width(np.zeros(1), np.array([4.0]), np.array([8]))[0] == pytest.approx(math.sqrt(4 + 16 / 8))
    likeness, nights = 0.5, 6
    exact = sum(likeness ** abs(i - j) for i in range(nights) for j in range(nights))
    wide = width(np.array([likeness]), np.array([float(nights)]), np.array([10**12]))[0]
    assert wide == pytest.approx(math.sqrt(exact))


def test_one_night_alone_counts_no_more_than_its_neighbours_allow() -> None:
    one = np.ones((1, 3))
    assert limited_sum(np.array([[0.0, 0.0, 50.0]]), one)[0] == pytest.approx(AHEAD)
    assert limited_sum(np.array([[0.0, 0.0, -50.0]]), one)[0] == pytest.approx(-AHEAD)
    assert limited_sum(np.array([[6.0, 7.0, 6.5]]), one)[0] == pytest.approx(19.5)
    assert limited_sum(np.array([[20.0, 20.0, 0.0]]), one)[0] == pytest.approx(2 * PAST), "tonight is where it was"
    assert limited_sum(np.array([[40.0, 1.0]]), np.ones((1, 2)))[0] == pytest.approx(2 + AHEAD)


def test_a_night_that_was_measured_twice_is_worth_two_where_rounds_are_all_and_one_where_they_are_nothing() -> None:
    times = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(weights(times, np.array([1.0])), [[1, 2]])
    np.testing.assert_allclose(weights(times, np.array([0.0])), [[1, 1]])


@pytest.mark.parametrize(("known", "newest"), [(20, 3), (35, 7), (70, 14)])
def test_scores_of_normal_nights_pass_a_level_no_more_often_than_it_says(known: int, newest: int) -> None:
    values = np.random.default_rng([known, newest]).normal(size=(20000, known + newest))
    score, past = scores(values, np.ones(values.shape), np.zeros(len(values)), newest)
    p = chance(score, past.nights)
    for level in (0.1, 0.01, 0.001):
        share = float(np.mean(p <= level))
        assert level / 3 < share < 1.3 * level


def test_too_few_nights_have_no_score() -> None:
    score, _ = scores(np.array([[1.0, 2.0, 3.0, 4.0]]), np.ones((1, 4)), NOTHING, 2)
    assert np.isnan(score[0])
