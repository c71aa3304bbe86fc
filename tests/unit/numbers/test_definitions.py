"""Intervals held against the equations that define them, and against scipy where it has the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from harness.core.errors import HarnessError
from harness.numbers import intervals, proportions, rounds, sessions, strata

Z = float(stats.norm.ppf(0.975))


# ---------------------------------------------------------------- Student


@pytest.mark.parametrize(("quantile", "chance"), [(intervals.student_t, 0.975), (rounds.student_t90, 0.9)])
@pytest.mark.parametrize("degrees", [*range(1, 14), 20, 50, 1000])
def test_quantiles_of_student_are_right_to_the_first_term_left_out(
    quantile: object, chance: float, degrees: int
) -> None:
    """Up to 10 degrees four digits are printed; beyond, Cornish and Fisher's series ends before n ** -4, or before n ** -3."""
    z = float(stats.norm.ppf(chance))
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160 / degrees**4
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / degrees**3
    left_out = fourth if chance == 0.975 else third
    allowed = 6e-5 if degrees <= 10 else 1.5 * abs(left_out) + 1e-9
    assert quantile(degrees) == pytest.approx(stats.t.ppf(chance, degrees), abs=allowed)  # type: ignore[operator]


@pytest.mark.parametrize(("degrees", "alpha"), [(7.0, 0.01), (12.5, 0.05), (3.0, 0.2), (12.5, 0.01)])
def test_a_level_or_degrees_of_ones_own_are_those_of_scipy(degrees: float, alpha: float) -> None:
    assert intervals.student_t_at(degrees, alpha) == pytest.approx(stats.t.ppf(1 - alpha / 2, degrees), rel=1e-9)
    assert intervals.student_t_at(7.0, 0.05) == intervals.student_t(7)


def test_between_whole_degrees_a_quantile_is_read_in_one_over_the_degrees() -> None:
    at = {1: 12.0, 2: 6.0, 3: 4.0, 4: 3.0}.__getitem__  # 12 / degrees, so that every place between is 12 / degrees, too
    for degrees in (1.0, 1.5, 2.0, 2.4, 3.7):
        assert rounds._between(at, degrees) == pytest.approx(12 / degrees, rel=1e-12)
    assert rounds._between(at, 0.6) == 12.0


def test_two_samples_have_an_interval_and_their_shape_does_not_count() -> None:
    assert intervals.mean_interval([[1.0], [3.0]]) == pytest.approx((2.0, 2 - 12.7062, 2 + 12.7062))
    with pytest.raises(HarnessError, match=r"sample 2 of 4 is not finite \(inf\)"):
        intervals.mean_interval([[0.0, 1.0], [math.inf, math.nan]])
    assert intervals.exponential(2.0) == math.exp(2.0)


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(("found", "n"), [(1, 10), (9, 10), (15, 50), (0.25, 0.5), (7.3, 12.9), (1, 1000), (2, 4)])
def test_wilsons_ends_are_the_shares_one_score_away(found: float, n: float) -> None:
    share, low, high = proportions.wilson(found, n)
    assert share == found / n
    for end, side in ((low, 1), (high, -1)):
        assert end is not None
        assert (share - end) / math.sqrt(end * (1 - end) / n) == pytest.approx(side * Z, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_wilson_of_none_and_of_all(n: int) -> None:
    beside = Z**2 / (n + Z**2)
    assert proportions.wilson(0, n) == (0.0, 0.0, pytest.approx(beside, rel=1e-9))
    assert proportions.wilson(n, n) == (1.0, pytest.approx(1 - beside, rel=1e-9), 1.0)


@pytest.mark.parametrize(("found", "n"), [(0, 0), (-1, 5), (6, 5), (1, -3)])
def test_counts_that_make_no_share_are_refused(found: int, n: int) -> None:
    for make in (proportions.wilson, proportions.share):
        with pytest.raises(HarnessError, match=f"{found} successes of {n} make no share"):
            make(found, n)


@pytest.mark.parametrize(("found", "n"), [(1, 2), (1, 10), (3, 10), (9, 10), (30, 200)])
def test_a_share_ends_where_six_tenths_of_what_was_found_leave_the_tail(found: int, n: int) -> None:
    share, low, high = proportions.share(found, n)
    assert share == found / n
    assert low is not None
    assert high is not None
    above, below = stats.binom(n, low), stats.binom(n, high)
    assert below.cdf(found - 1) + 0.6 * below.pmf(found) == pytest.approx(0.025, abs=1e-6)
    assert above.sf(found) + 0.6 * above.pmf(found) == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize("n", [1, 5, 300])
def test_a_share_of_none_or_all_ends_where_fifty_two_hundredths_leave_the_tail(n: int) -> None:
    end = 1 - (0.025 / 0.52) ** (1 / n)  # 0.52 (1 - p) ** n = 0.025
    assert proportions.share(0, n) == (0.0, 0.0, pytest.approx(end, abs=1e-8))
    assert proportions.share(n, n) == (1.0, pytest.approx(1 - end, abs=1e-8), 1.0)


# ---------------------------------------------------------------- differences of shares


def tail_at(delta: float, gained: int, lost: int, n: int, share: float) -> float:
    """P(fewer net gains than found) and a share of P(as many), by summing all outcomes at the likeliest chances for a difference."""
    least, most = max(0.0, -delta), (1 - delta) / 2

    def unlikely(losing: float) -> float:
        return -float(
            stats.multinomial.logpmf(
                [gained, lost, n - gained - lost], n, [losing + delta, losing, 1 - delta - 2 * losing]
            )
        )

    losing = float(minimize_scalar(unlikely, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x)
    found = 0.0
    for down in range(n + 1):
        here = stats.binom.pmf(down, n, losing)
        up = stats.binom(n - down, min((losing + delta) / (1 - losing), 1.0))
        found += here * (up.cdf(gained - lost + down - 1) + share * up.pmf(gained - lost + down))
    return float(found)


@pytest.mark.parametrize(("gained", "lost", "n", "alpha"), [
    (3, 1, 20, 0.05), (1, 3, 20, 0.05), (0, 4, 12, 0.05), (7, 7, 30, 0.05), (11, 2, 14, 0.05), (5, 0, 40, 0.01), (3, 6, 25, 0.2),
    (1, 0, 1000, 0.05),
])  # fmt: skip
def test_a_difference_ends_where_six_tenths_of_what_was_found_leave_the_tail(
    gained: int, lost: int, n: int, alpha: float
) -> None:
    value, low, high = proportions.paired_difference(gained, lost, n, alpha)
    assert value == (gained - lost) / n
    assert tail_at(high, gained, lost, n, 0.6) == pytest.approx(alpha / 2, abs=2e-5)
    assert tail_at(-low, lost, gained, n, 0.6) == pytest.approx(alpha / 2, abs=2e-5)


@pytest.mark.parametrize("n", [3, 60])
def test_no_discordant_answer_ends_where_fifty_two_hundredths_leave_the_tail(n: int) -> None:
    _, low, high = proportions.paired_difference(0, 0, n)
    assert high == pytest.approx(
        1 - (0.025 / 0.52) ** (1 / n), abs=1e-6
    )  # nothing is lost at the likeliest chances: a share of none
    assert low == pytest.approx(-high)


def test_differences_at_the_ends_of_what_there_is() -> None:
    assert proportions.paired_difference(3, 1, 20, alpha=1.6) == pytest.approx((0.1, 0.1, 0.1), abs=1e-9)
    assert proportions.paired_difference(4, 0, 5, alpha=1e-10)[2] == pytest.approx(1.0)
    assert proportions.paired_difference(1, 0, 1)[::2] == (1.0, 1.0)
    assert proportions.paired_difference(0, 2, 2)[:2] == (-1.0, -1.0)


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 0, 0), (-1, 2, 5), (2, -1, 5), (3, 3, 5)])
def test_counts_that_do_not_fit_are_refused(gained: int, lost: int, n: int) -> None:
    with pytest.raises(HarnessError, match=f"{gained} and {lost} discordant of {n} answers do not fit together"):
        proportions.paired_difference(gained, lost, n)


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(0, 0, 1.0), (1, 5, 14 / 64), (5, 1, 14 / 64), (3, 3, 1.0), (0, 6, 2 / 64)]
)
def test_mcnemars_p_is_exact(gained: int, lost: int, p: float) -> None:
    assert proportions.mcnemar(gained, lost) == pytest.approx(p, rel=1e-12)


# ---------------------------------------------------------------- strata


def test_a_stratified_share_is_wilsons_at_the_effective_number() -> None:
    right = [1.0] * 9 + [0.0] * 1 + [1.0] * 3 + [0.0] * 17
    share, low, high = strata.stratified_share(right, [10, 0, 20])
    shares = (10 / 12, 4 / 22)  # one more of each kind of answer
    middle = (10 * shares[0] + 20 * shares[1]) / 30
    variance = (11 * shares[0] * (1 - shares[0]) + 21 * shares[1] * (1 - shares[1])) / 900
    effective = middle * (1 - middle) / variance
    assert effective > 30
    assert (share, low, high) == pytest.approx(proportions.wilson(0.4 * effective, effective), rel=1e-12)


def test_the_effective_number_is_at_least_that_of_the_questions() -> None:
    right = [1.0, 0.0] * 5
    assert strata.stratified_share(right, [10]) == pytest.approx(proportions.wilson(5, 10), rel=1e-12)


def test_a_stratified_difference_is_narrowed_by_the_error_within_strata() -> None:
    one, other = np.repeat([1.0, 0.0, 0.0], [8, 2, 20]), np.repeat([0.0, 0.0, 1.0, 0.0], [8, 2, 4, 16])
    value, low, high = strata.stratified_difference(one, other, [10, 20])
    whole = proportions.paired_difference(8, 4, 30)
    within = (11 + 3 - 8**2 / 16) + (3 + 7 - 4**2 / 26)  # three more gained and lost in each
    narrower = math.sqrt(within / (14 + 10 - 4**2 / 42))
    expected = (whole[0], whole[0] - (whole[0] - whole[1]) * narrower, whole[0] + (whole[2] - whole[0]) * narrower)
    assert (value, low, high) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("discordant", "narrowed"), [(9, False), (10, True)])
def test_ten_discordant_answers_tell_how_strata_differ(discordant: int, narrowed: bool) -> None:
    one = np.repeat([1.0, 0.0], [discordant, 40 - discordant])
    found = strata.stratified_difference(one, np.zeros(40), [discordant, 40 - discordant])
    assert (found == proportions.paired_difference(discordant, 0, 40)) is not narrowed


def test_a_stratified_mean_has_welchs_degrees() -> None:
    parts = [np.array([1.0, 2.0, 4.0, 4.0]), np.arange(16.0)]
    value, low, high = strata.stratified_mean(np.concatenate(parts), [4, 16])
    terms = [part.size * part.var(ddof=1) / 400 for part in parts]
    degrees = math.floor(sum(terms) ** 2 / (terms[0] ** 2 / 3 + terms[1] ** 2 / 15))
    half = intervals.student_t(degrees) * math.sqrt(sum(terms))
    assert (value, low, high) == pytest.approx((131 / 20, 131 / 20 - half, 131 / 20 + half), rel=1e-12)
    assert strata.stratified_mean([3.0] * 20, [20]) == (3.0, 3.0, 3.0)
    middle, _, most = strata.stratified_mean([0.0, 100.0, *[0.0, 1e-6] * 9], [2, 18])
    assert most == pytest.approx(middle + 12.7062 * math.sqrt(2 * 5000 / 400), rel=1e-6), (
        "nearly all variance has one degree"
    )


@pytest.mark.parametrize(("counts", "cut"), [([1, 1, 18], [18, 2]), ([1, 19], [20]), ([1, 9, 10], [10, 10])])
def test_lone_questions_share_a_variance_or_join_the_first_stratum(counts: list[int], cut: list[int]) -> None:
    values = np.arange(20.0) ** 2
    moved = np.concatenate([values[2:], values[:2]]) if counts[1] == 1 else values
    assert strata.stratified_mean(values, counts) == pytest.approx(strata.stratified_mean(moved, cut), rel=1e-12)


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize(("known", "found"), [
    ([[1.0, 2.0, 3.0, 4.0]], (math.sqrt(2 * 5 / 3), 3)),  # squares of the deviations from 2.5: 5
    ([[1.0, 2.0], [3.0, 5.0], [7.0], []], (math.sqrt(2 * 2.5 / 2), 2)),
    ([[1.0, 2.0], [3.0], [4.0]], (1.0, 1)),
    ([[1.0, 2.0, 3.0]], None), ([[1.0], [2.0], [3.0], [4.0]], None),
])  # fmt: skip
def test_the_error_between_two_sessions_is_that_of_their_spread(
    known: list[list[float]], found: tuple[float, int] | None
) -> None:
    assert sessions.error(known, log=False) == (None if found is None else pytest.approx(found))
    raised = [[math.exp(value) for value in group] for group in known]
    assert sessions.error(raised, log=True) == (None if found is None else pytest.approx(found))


def test_a_session_is_beyond_from_students_quantile_on() -> None:
    known, limit = [[1.0, 2.0, 3.0, 4.0]], 3.1824 * math.sqrt(10 / 3)
    for side in (-1, 1):
        assert sessions.is_beyond(4.0, 4.0 + side * 0.999 * limit, known, log=False) is False
        assert sessions.is_beyond(4.0, 4.0 + side * 1.001 * limit, known, log=False) is True
    raised = [[math.exp(value) for value in known[0]]]
    assert sessions.is_beyond(3.0, 3.0 * math.exp(0.999 * limit), raised, log=True) is False
    assert sessions.is_beyond(3.0, 3.0 * math.exp(-1.001 * limit), raised, log=True) is True
