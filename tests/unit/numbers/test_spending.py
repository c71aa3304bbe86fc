"""What looks may spend together: against another integral, and against looks that are simulated."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from harness.numbers.blocks import LOOKS, SHARES
from harness.numbers.spending import UNKNOWN, chance_of_any, spent


@pytest.mark.parametrize(("one", "other"), [(0.01, 0.01), (0.2, 0.001), (1e-6, 1e-5)])
def test_two_looks_are_wrong_as_often_as_their_plane_says(one: float, other: float) -> None:
    first, then = (float(norm.isf(level / 2)) for level in (one, other))
    like = math.sqrt(4 / 9)
    plane = multivariate_normal(mean=[0, 0], cov=[[1, like], [like, 1]], abseps=1e-13, releps=1e-9)
    both = plane.cdf([-first, -then]) + plane.cdf([-first, np.inf]) - plane.cdf([-first, then])
    assert chance_of_any([one, other], [4, 9]) == pytest.approx(one + other - 2 * both, rel=1e-5)
    assert chance_of_any([one], [4]) == one


@pytest.mark.parametrize("alpha", [1e-9, 1e-4, 0.005, 0.01, 0.05, 0.25])
def test_what_is_spent_gives_the_level_and_is_never_more_than_looks_that_are_strangers_may(alpha: float) -> None:
    found = spent(alpha, LOOKS, SHARES)
    assert chance_of_any([found * share for share in SHARES], LOOKS) == pytest.approx(UNKNOWN * alpha, rel=5e-3)
    assert UNKNOWN * alpha <= found < alpha * len(LOOKS)


def test_more_is_spent_at_a_higher_level_and_no_look_ever_gets_a_whole() -> None:
    found = [spent(alpha, LOOKS, SHARES) for alpha in (1e-300, 1e-15, 1e-9, 1e-3, 0.01, 0.3, 0.6, 1.0)]
    assert all(one < other for one, other in itertools.pairwise(found))
    assert found[-1] * max(SHARES) < 1


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("known", [True, False], ids=["known variance", "estimated variance"])
def test_simulated_looks_are_wrong_at_the_level(alpha: float, known: bool) -> None:
    """20,000 sequences of blocks of four, three degrees of freedom a block, less one."""
    draw, turns, looks = np.random.default_rng(11), 20_000, np.asarray(LOOKS)
    values = draw.normal(size=(turns, LOOKS[-1], 4)).astype(np.float32)
    changes = (values[..., 1] + values[..., 2] - values[..., 0] - values[..., 3]) / 2
    squares = ((values - values.mean(2, keepdims=True)) ** 2).sum(2)
    means = changes.cumsum(1)[:, looks - 1] / looks
    rest = squares.cumsum(1)[:, looks - 1] - looks * means**2
    levels = spent(alpha, LOOKS, SHARES) * np.asarray(SHARES)
    error = np.sqrt((1 if known else rest / (3 * looks - 1)) / looks)
    edges = norm.isf(levels / 2) if known else student.isf(levels / 2, 3 * looks - 1)
    wrong = float((abs(means) > edges * error).any(1).mean())
    noise = math.sqrt(alpha * (1 - alpha) / turns)
    assert wrong == pytest.approx(alpha * (UNKNOWN if known else 1), abs=3 * noise)
