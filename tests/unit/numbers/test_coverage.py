"""The coverage benchmark in small: on made-up documents, and that it would tell bounds that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.numbers import documents
from tests.benchmarks import coverage


def scores(size: int = 400) -> Any:
    """Make skewed documents in the columns of the benchmark's scores."""
    draw = np.random.default_rng(4)
    counts = np.ceil(draw.lognormal(4.0, 0.6, size))
    nll = draw.lognormal(0.3, 0.4, size) * counts
    kl4 = draw.lognormal(-3.0, 0.8, size) * counts
    columns = (counts, nll, nll * 1.001, nll + kl4, kl4 / 50, kl4, counts * 0.99, counts - np.ceil(kl4))
    return np.stack(columns, axis=1)


@pytest.fixture
def everything_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FEWEST", 10)


@pytest.mark.usefixtures("everything_shown")
@pytest.mark.parametrize("place", [0, 5])
def test_the_benchmark_finds_the_promise_kept(place: int) -> None:
    statistic = coverage.STATISTICS[place]
    line = coverage.measured("made up", scores(), statistic, 60, 150)
    assert line.promised == 0.90
    assert line.covered >= 0.88
    assert 0.8 < line.width < coverage.WIDEST


@pytest.mark.usefixtures("everything_shown")
def test_swapped_and_shrunken_bounds_are_told() -> None:
    right = coverage.STATISTICS[5]

    def wrong(change: Any) -> coverage.Line:
        made = coverage.Statistic(right.name, right.value, lambda table: change(*right.interval(table)))
        return coverage.measured("made up", scores(), made, 60, 100)

    assert not wrong(lambda low, high: (high, low)).holds
    assert not wrong(lambda low, high: (low + 0.3 * (high - low), high - 0.3 * (high - low))).holds
    assert not wrong(lambda low, high: (-high, -low)).holds
    assert not wrong(lambda low, high: (low - (high - low), high + (high - low))).holds, "too wide is told, too"
