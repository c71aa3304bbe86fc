"""JudgedSides over estimates whose truth is known: their words, their rates, and what could have been seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.comparing.evidence import of_rounds, student
from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate, adjusted, judge, limits
from harness.numbers.rounds import Round

GATE = Gate(false_alarms=0.01, false_same=0.05, power=0.8)


def estimate(value: float, error: float, degrees: float = 1e6) -> ChangeEstimate:
    return ChangeEstimate(value, student(value, error, degrees), "Student's")


def word(value: float, error: float, margin: float | None = 1.0, better: str = "higher") -> str:
    return judge([(estimate(value, error), margin, better)], GATE)[0].word  # type: ignore[list-item]


@pytest.mark.parametrize(("value", "error", "better", "said"), [
    (-5.0, 1.0, "higher", "worse"), (-5.0, 1.0, "lower", "better"), (5.0, 1.0, "higher", "better"), (5.0, 1.0, "lower", "worse"),
    (0.1, 0.1, "higher", "same"), (0.1, 1.0, "higher", "cannot tell"), (-2.0, 1.0, "higher", "cannot tell"),
    (-0.5, 0.1, "higher", "same"), (5.0, 1.0, "none", "cannot tell"),
])  # fmt: skip
def test_a_verdict_follows_from_interval_margin_and_direction(
    value: float, error: float, better: str, said: str
) -> None:
    assert word(value, error, better=better) == said


def test_a_missing_difference_is_not_the_same_and_without_a_margin_nothing_is() -> None:
    assert word(0.0, 2.0) == "cannot tell"
    assert word(0.0, 0.001, margin=None) == "cannot tell"


def test_p_is_that_of_the_normal_where_degrees_are_many() -> None:
    found = judge([(estimate(1.959964, 1.0), 1.0, "higher")], GATE)[0]
    assert found.p == pytest.approx(0.05, rel=2e-3)
    assert found.interval == pytest.approx((0.0, 2 * 1.959964), abs=1e-3)


def test_p_of_the_same_is_the_larger_of_two_one_sided_tests() -> None:
    from scipy.stats import norm

    found = judge([(estimate(0.3, 0.5), 1.0, "higher")], GATE)[0]
    assert found.p_same == pytest.approx(norm.sf((1.0 - 0.3) / 0.5), rel=5e-3)


def test_one_small_p_among_many_comparisons_is_no_alarm() -> None:
    many = [(estimate(value, 1.0), 1.0, "higher") for value in (-2.7, *np.linspace(-1, 1, 19))]
    assert word(-2.7, 1.0) == "worse"
    assert judge(many, GATE)[0].word == "cannot tell"  # type: ignore[arg-type]
    assert adjusted([0.01, 0.02, 0.03]) == pytest.approx([0.03, 0.03, 0.03])
    assert adjusted([]) == []


def test_counted_numbers_take_no_part_in_the_correction_and_need_no_p() -> None:
    counted = ChangeEstimate(0.5, lambda _: (0.5, 0.5), "counted", exact=True)
    found = judge([(counted, 0.1, "lower"), (counted, 1.0, "lower"), (estimate(-2.7, 1.0), 1.0, "higher")], GATE)
    assert [one.word for one in found] == ["worse", "same", "worse"]


def test_margins_are_taken_on_the_estimates_scale() -> None:
    ratio = ChangeEstimate(0.0, lambda _: (0.0, 0.0), "", log=True)
    assert limits(Margin(0.05, relative=True), ratio, 1000.0) == pytest.approx(math.log(1.05))
    assert limits(Margin(50, relative=False), ratio, 1000.0) == pytest.approx(math.log(1.05))
    assert limits(Margin(0.01, relative=True), estimate(0, 1), -5.0) == pytest.approx(0.05)
    assert limits(None, ratio, 1.0) is None


def test_the_smallest_change_is_found_with_the_power_that_is_said() -> None:
    draw, error, degrees = np.random.default_rng(11), 1.0, 14.0
    smallest = judge([(estimate(0.0, error, degrees), 1.0, "higher")], GATE)[0].smallest
    found = 0
    for _ in range(400):
        spread = math.sqrt(draw.chisquare(degrees) / degrees)
        value = -smallest + draw.normal()
        _, high = student(value, spread, degrees)(GATE.false_alarms)
        found += high < 0
    assert 0.74 < found / 400 < 0.92, f"{smallest:.2f} standard errors"


@pytest.mark.slow
def test_of_many_calls_without_a_difference_few_alarm_and_of_all_that_are_apart_by_the_margin_few_are_the_same() -> (
    None
):
    draw = np.random.default_rng(7)

    def side(mean: float) -> list[Round]:
        return [Round(place, place, float(np.exp(mean + 0.02 * draw.normal()))) for place in range(8)]

    alarms = same = 0
    for _ in range(600):
        calm = [(of_rounds((side(0.0), side(0.0)), "tok/s"), math.log(1.05), "higher") for _ in range(4)]
        apart = [(of_rounds((side(0.0), side(-math.log(1.05))), "tok/s"), math.log(1.05), "higher")]
        alarms += bool({"worse", "better"} & {one.word for one in judge(calm, GATE)})  # type: ignore[arg-type]
        same += judge(apart, GATE)[0].word == "same"  # type: ignore[arg-type]
    assert alarms / 600 < 0.025
    assert same / 600 < 0.075
