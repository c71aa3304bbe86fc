"""A candidate that is measured again: what stands, and what does not."""

from __future__ import annotations

import math

import pytest

from harness.numbers.night_evidence import NightEvidence, is_confirmed, is_within, joined
from harness.numbers.night_series import NightValue

CLEAR = NightEvidence(0.0, 0.005, 40, newest=(4.0, 4.0, 4.0), times=(1.0, 1.0, 1.0), within=1.0, p_needed=3e-6)
CLOSE = NightEvidence(0.0, 0.005, 60, newest=(2.5, 2.5, 2.5, 2.5), times=(1.0,) * 4, within=1.0, p_needed=3e-6)
"""Not shown at the gate's rate by what was measured once."""


def value(change: float, error: float = 0.005, times: int = 1) -> NightValue:
    return NightValue(change, error, times)


def test_a_change_stands_that_both_measurements_show() -> None:
    assert is_confirmed(value(0.02), value(0.02), margin=None, evidence=CLEAR)
    assert not is_confirmed(value(0.02), value(0.0), margin=None, evidence=CLOSE)
    assert not is_confirmed(value(0.02), value(-0.02), margin=None, evidence=CLEAR)


def test_fresh_rounds_add_what_they_are_worth() -> None:
    """The same second value confirms where a night's rounds are all that nights differ by, and adds nothing where they are nothing of it."""
    once = NightEvidence(**{**vars(CLOSE), "within": 0.0})
    strong = value(0.0225)
    assert is_confirmed(value(0.0125), strong, margin=None, evidence=CLOSE)
    assert not is_confirmed(value(0.0125), value(0.0125), margin=None, evidence=once)


def test_a_fall_is_judged_as_a_rise_is() -> None:
    fallen = NightEvidence(**{**vars(CLEAR), "newest": (-4.0, -4.0, -4.0)})
    assert is_confirmed(value(-0.02), value(-0.02), margin=None, evidence=fallen)
    assert not is_confirmed(
        value(-0.02), value(0.0), margin=None, evidence=NightEvidence(**{**vars(CLOSE), "newest": (-2.5,) * 4})
    )


def test_what_is_shown_to_be_within_the_margin_does_not_stand() -> None:
    assert not is_confirmed(value(0.02), value(0.02), margin=0.05, evidence=CLEAR)
    assert is_confirmed(value(0.02), value(0.02), margin=0.02, evidence=CLEAR)


def test_the_level_that_a_second_measurement_is_held_against_is_tonights() -> None:
    shifted = NightEvidence(**{**vars(CLEAR), "level": 0.1})
    assert is_confirmed(value(0.12), value(0.12), margin=None, evidence=shifted)
    assert not is_confirmed(
        value(0.12), value(0.1), margin=None, evidence=NightEvidence(**{**vars(CLOSE), "level": 0.1})
    )


def test_counted_numbers_must_be_counted_again() -> None:
    exact = NightEvidence(0.01, 0.0, 5)
    assert is_confirmed(value(0.03, 0.0), value(0.03, 0.0), margin=None, evidence=exact)
    assert not is_confirmed(value(0.03, 0.0), value(0.01, 0.0), margin=None, evidence=exact)
    assert not is_confirmed(value(0.03, 0.0), value(0.03, 0.0), margin=0.05, evidence=exact)
    assert is_confirmed(value(0.03, 0.0), value(0.03, 0.0), margin=0.01)
    assert not is_confirmed(value(0.03, 0.0), value(0.03, 0.0), margin=0.05)


@pytest.mark.parametrize(
    ("again", "stands"), [(-0.02, True), (-0.009, True), (-0.007, False), (0.02, False), (math.nan, False)]
)
def test_a_comparison_within_a_night_must_show_itself_again(again: float, *, stands: bool) -> None:
    assert is_confirmed(value(-0.02), value(again), margin=None) is stands


def test_a_comparison_that_both_measurements_show_to_be_within_the_margin_does_not_stand() -> None:
    assert is_confirmed(value(-0.02, 0.002), value(-0.02, 0.002), margin=0.02)
    assert not is_confirmed(value(-0.02, 0.002), value(-0.02, 0.002), margin=0.05)


def test_a_night_counts_as_all_its_measurements_together() -> None:
    both = joined(value(0.01, 0.004), value(0.03, 0.003))
    assert (both.change, both.times) == (pytest.approx(0.02), 2)
    assert both.error == pytest.approx(0.0025)
    thrice = joined(both, value(0.05, 0.003))
    assert (thrice.change, thrice.times) == (pytest.approx(0.03), 3)


def test_an_error_of_few_degrees_of_freedom_shows_less() -> None:
    """One-sided 5 % of Student's t with 5 degrees is at 2.015 errors, of a normal at 1.645."""
    first = NightValue(-0.1, 0.005, degrees=5)
    for errors, few, many in ((1.6, False, False), (1.9, False, True), (2.1, True, True)):
        again = NightValue(-errors * 0.01, 0.01, degrees=5)
        assert is_confirmed(first, again, margin=None) is few
        assert is_confirmed(first, value(again.change, 0.01), margin=None) is many
    assert is_within(0.0, 0.01, 0.017)
    assert not is_within(0.0, 0.01, 0.017, 5)
    assert joined(NightValue(0.0, 0.01, degrees=5), NightValue(0.0, 0.01, degrees=5)).degrees == pytest.approx(10)
    assert joined(first, value(-0.1, 1e-9)).degrees == pytest.approx(5)
    assert math.isinf(joined(value(0.0), value(0.0)).degrees)


def test_within_a_margin() -> None:
    assert is_within(0.01, 0.001, 0.02)
    assert not is_within(0.01, 0.01, 0.02)
    assert is_within(-0.02, 0.0, 0.02)
    assert not is_within(0.0, 0.0, None)
