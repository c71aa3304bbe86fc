"""Questions that a pair and TensorRT-LLM's unpaired rule need, held against drawn answers and the rule's own formula."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import accuracy_power
from tests.benchmarks.accuracy_power import Pair, pair_of, quality_table, theta, unpaired_questions


def drawn(n: int, seed: int, lost: float = 0.06, gained: float = 0.04) -> tuple[np.ndarray, np.ndarray]:
    """Draw answers of two models, of which the second loses and gains some."""
    dice = np.random.default_rng(seed).random(n)
    first = dice < 0.5
    second = (dice < 0.5 - lost) | (dice > 1 - gained)
    return first, second


def test_the_half_width_is_how_far_drawn_differences_scatter() -> None:
    pairs = [pair_of(*drawn(2000, seed)) for seed in range(400)]
    scatter = np.std([pair.difference for pair in pairs])
    assert np.mean([pair.half_width for pair in pairs]) == pytest.approx(1.96 * scatter, rel=0.1)
    covered = [abs(pair.difference - -2.0) <= pair.half_width for pair in pairs]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_with_as_many_questions_as_are_named_the_half_width_is_the_wanted_one() -> None:
    pair = Pair(1000, 60, 40)
    many = pair.questions(0.5)
    assert Pair(many, round(many * 0.06), round(many * 0.04)).half_width == pytest.approx(0.5, rel=1e-3)
    assert pair.difference == -2.0


def test_the_interval_of_the_questions_holds_those_that_are_needed() -> None:
    needed = 1e4 * (0.1 - 0.02**2) * (1.96 / 0.5) ** 2
    bounds = [pair_of(*drawn(300, seed)).questions_between() for seed in range(400)]
    assert 0.93 <= np.mean([few <= needed <= many for few, many in bounds]) < 1


@pytest.mark.parametrize(
    "pair", [Pair(100, 0, 0), Pair(100, 1, 0), Pair(100, 40, 60), Pair(100, 0, 100), Pair(285, 7, 21)]
)
def test_the_interval_of_the_questions_holds_what_is_printed(pair: Pair) -> None:
    few, many = pair.questions_between()
    assert 0 <= few <= pair.questions() <= many or pair.only_second == 100
    assert few < many or pair.only_second == 100


def test_where_no_answer_differs_something_is_still_not_known() -> None:
    assert Pair(100, 0, 0).half_width == pytest.approx(1.96 * (3 / 100 / 100) ** 0.5 * 100, rel=1e-3)


def test_the_unpaired_rule_is_tensorrt_llms() -> None:
    from scipy.stats import norm

    expected = -(norm.ppf(0.05) + norm.ppf(0.2)) * (2 * 50**2 / 4096) ** 0.5
    assert theta(4096) == pytest.approx(expected, rel=1e-12)
    assert (theta(4096) / (1.959964 * (2 * 50**2 / 4096) ** 0.5)) ** 2 == pytest.approx(1.61, abs=0.005)
    assert theta(unpaired_questions(0.5)) == pytest.approx(0.5, rel=1e-4)


def test_the_table_says_what_half_a_point_costs_and_whether_that_is_a_third(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = drawn(2000, 1)
    assert quality_table({"fp32": first, "int4": second}, {"fp32": 30.0, "int4": 10.0})
    said = capsys.readouterr().out
    pair = pair_of(first, second)
    assert f"{pair.questions() * 0.02:,.0f} s of processor for the pair" in said
    few, many = pair.questions_between()
    assert f"({pair.questions():,} questions, {few:,} to {many:,})" in said
    assert f"{unpaired_questions() * 0.02:,.0f} s unpaired" in said
    other = np.random.default_rng(7).random(2000) < 0.5
    assert not quality_table({"fp32": first, "int4": other}, {"fp32": 30.0, "int4": 10.0})
    assert accuracy_power.SHARE == 1 / 3
