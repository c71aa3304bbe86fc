"""Statistics of samples, held against their definitions."""

from __future__ import annotations

import math

import pytest

from harness.numbers.sample_statistics import over_processes, statistic_of

SAMPLES = [[1.0, 2.0], [4.0, 9.0]]
"""Mean 4, squares of the deviations 9 + 4 + 0 + 25."""


@pytest.mark.parametrize(("stat", "value"), [
    ("min", 1.0), ("max", 9.0), ("mean", 4.0), ("stdev", math.sqrt(38 / 3)), ("p0", 1.0), ("p50", 3.0), ("p90", 7.5), ("p100", 9.0),
])  # fmt: skip
def test_samples_of_any_shape_have_a_statistic(stat: str, value: float) -> None:
    assert statistic_of(SAMPLES, stat) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("samples", "stat", "value"), [
    ([], "mean", None), ([], "stdev", None), ([3.0], "stdev", None), ([3.0, 5.0], "stdev", math.sqrt(2)), ([3.0], "p99", 3.0),
])  # fmt: skip
def test_too_few_samples_have_none(samples: list[float], stat: str, value: float | None) -> None:
    assert statistic_of(samples, stat) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(("stat", "value"), [("min", 2.0), ("max", 9.0), ("mean", 5.0), ("p50", 5.0), ("stdev", 5.0)])
def test_rounds_are_combined_by_what_the_statistic_is(stat: str, value: float) -> None:
    assert over_processes(stat, [4.0, 2.0, 9.0]) == value
