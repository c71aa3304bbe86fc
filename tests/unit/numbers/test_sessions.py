"""Sessions of one thing differ without a cause: a change is one only where it is beyond that."""

from __future__ import annotations

import numpy as np
import pytest

from harness.numbers import sessions


def test_below_five_sessions_nothing_is_known() -> None:
    assert sessions.is_beyond(1.0, 9.0, [[1.0, 1.01, 1.02]], log=True) is None
    assert sessions.sessions([[1.0, 1.01, 1.02]]) == 4
    assert sessions.is_beyond(1.0, 9.0, [[1.0], [1.1], [1.2], [1.3]], log=True) is None  # groups of one show no spread
    assert sessions.is_beyond(1.0, 9.0, [[1.0, 1.01, 1.02, 0.99]], log=True) is True


def test_a_change_of_the_noise_is_none_and_a_larger_one_is_in_both_directions() -> None:
    known = [[100.0, 103.0, 98.0, 101.0]]
    assert sessions.is_beyond(100.0, 104.0, known, log=True) is False
    assert sessions.is_beyond(100.0, 120.0, known, log=True) is True
    assert sessions.is_beyond(100.0, 83.0, known, log=True) is True
    assert sessions.is_beyond(-1.0, 0.5, [[-1.0, 0.0, 1.0, 0.0]], log=False) is False


def test_the_session_on_trial_does_not_make_the_noise() -> None:
    quiet = [100.0, 100.1, 99.9, 100.0]
    assert sessions.is_beyond(100.0, 130.0, [quiet], log=True) is True


def test_a_step_between_two_series_is_no_spread() -> None:
    groups = [[100.0, 100.5, 99.5], [200.0, 201.0]]
    assert sessions.is_beyond(100.0, 200.0, groups, log=True) is True
    assert sessions.is_beyond(199.0, 201.5, groups, log=True) is False


@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed"])
@pytest.mark.parametrize("count", [5, 8, 20])
def test_equal_sessions_are_called_different_in_one_of_twenty(kind: str, count: int) -> None:
    draw = np.random.default_rng(count)
    noise = {
        "normal": draw.standard_normal, "heavy": lambda shape: draw.standard_t(3, shape),
        "skewed": lambda shape: draw.exponential(size=shape),
    }[kind]((3000, count))  # fmt: skip
    values = np.exp(0.03 * noise)
    wrong = [sessions.is_beyond(row[-2], row[-1], [row[:-1].tolist()], log=True) for row in values]
    assert np.mean(np.array(wrong, dtype=float)) < 0.08
