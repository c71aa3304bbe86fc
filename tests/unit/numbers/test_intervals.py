from __future__ import annotations

import math

import pytest

from harness.core.errors import HarnessError
from harness.numbers import intervals


def test_student_t_matches_the_printed_tables() -> None:
    printed = {
        1: 12.706,
        2: 4.303,
        5: 2.571,
        10: 2.228,
        11: 2.201,
        15: 2.131,
        20: 2.086,
        30: 2.042,
        60: 2.000,
        120: 1.980,
    }
    for degrees, value in printed.items():
        assert intervals.student_t(degrees) == pytest.approx(value, abs=6e-4)
    assert intervals.student_t(10**6) == pytest.approx(1.95996, abs=1e-4)


def test_a_mean_carries_students_interval() -> None:
    value, low, high = intervals.mean_interval([1.0, 2.0, 3.0])
    assert value == 2.0
    assert low == pytest.approx(2 - 4.3027 / math.sqrt(3))
    assert high == pytest.approx(2 + 4.3027 / math.sqrt(3))


def test_one_sample_has_no_interval() -> None:
    assert intervals.mean_interval([4.0]) == (4.0, None, None)


def test_samples_that_are_missing_or_not_numbers_are_refused() -> None:
    with pytest.raises(HarnessError, match="no samples"):
        intervals.mean_interval([])
    with pytest.raises(HarnessError, match="sample 1 of 3 is not finite"):
        intervals.mean_interval([0.0, math.nan, 0.0])
    with pytest.raises(HarnessError, match="beyond a float"):
        intervals.exponential(1e6)


@pytest.mark.parametrize("degrees", [40, 60, 120])
def test_beyond_ten_degrees_only_the_fourth_term_of_the_expansion_is_left_out(degrees: int) -> None:
    """Abramowitz and Stegun, 26.7.5, with its fourth term: what is left is below two fifth powers."""
    from scipy.special import ndtri, stdtrit

    z = float(ndtri(0.975))
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    left = float(stdtrit(degrees, 0.975)) - intervals.student_t(degrees) - fourth / degrees**4
    assert abs(left) < 2 / degrees**5
