"""Blocks that are looked at while they run: what every look holds, and what drift does to it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import wilcoxon

from harness.numbers import blocks
from harness.numbers.blocks import LOOKS, SHARES, Block
from harness.numbers.intervals import student_t_at
from harness.numbers.spending import spent

ABBA = np.array([1, -1, -1, 1])


def block(values: Any) -> Block:
    return Block((values[0], values[3]), (values[1], values[2]))


def test_the_shares_of_the_looks_are_the_whole_level_and_the_looks_stand_apart_by_little() -> None:
    assert math.fsum(SHARES) == pytest.approx(1)
    assert len(SHARES) == len(LOOKS)
    assert all(1 < after / before <= 1.5 for before, after in itertools.pairwise(LOOKS))


def test_no_look_below_two_blocks_and_none_beyond_what_ran() -> None:
    some = [block(np.random.default_rng(1).normal(size=4)) for _ in range(7)]
    assert [one.blocks for one in blocks.looks(some)] == [2, 3, 4, 6]
    assert blocks.looks(some[:1]) == []


def test_the_first_look_is_the_randomized_block_design_by_least_squares() -> None:
    values = np.random.default_rng(2).normal(size=(2, 4))
    found = blocks.looks([block(one) for one in values])[0]
    design = np.zeros((8, 3))
    design[:4, 0] = design[4:, 1] = 1
    design[:, 2] = np.tile(-ABBA / 2, 2)  # after less before
    solved, (rest,), *_ = np.linalg.lstsq(design, values.ravel(), rcond=None)
    error = math.sqrt(rest / 5 * np.linalg.inv(design.T @ design)[2, 2])
    assert (found.value, found.error, found.degrees) == (pytest.approx(solved[2]), pytest.approx(error), 5)
    half = student_t_at(5, spent(0.01, LOOKS, SHARES) * SHARES[0]) * error
    assert found.interval(0.01) == pytest.approx((solved[2] - half, solved[2] + half))


def test_an_even_drift_and_the_level_of_a_block_fall_out_of_the_difference() -> None:
    level = [block(0.1 * np.arange(4) + 5 * number - 0.05 * ABBA / 2) for number in range(3)]
    assert [one.change for one in level] == pytest.approx([0.05] * 3)
    assert blocks.looks(level)[-1].value == pytest.approx(0.05)


def test_what_every_look_holds_narrows_as_they_come_and_widens_with_the_level() -> None:
    found = blocks.looks([block(one) for one in np.random.default_rng(3).normal(0, 0.01, (34, 4))])
    widths = [np.diff(blocks.interval(found[: number + 1], 0.05))[0] for number in range(len(found))]
    assert widths == sorted(widths, reverse=True)
    levels = [np.diff(blocks.interval(found, alpha))[0] for alpha in (0.2, 0.05, 0.01, 1e-4, 1e-9)]
    assert levels == sorted(levels)


def noise(kind: str, draw: np.random.Generator, size: tuple[int, int]) -> Any:
    """Draw rounds in the order in which they ran."""
    count = size[0], size[1] * 4
    if kind == "normal":
        return draw.normal(size=count)
    if kind == "heavy":
        return draw.standard_t(2, size=count)
    if kind == "skewed":
        return np.exp(1.2 * draw.normal(size=count))
    if kind == "bursts":
        return (
            draw.normal(size=count)
            + 4 * np.repeat(draw.random((size[0], size[1] * 4 // 6 + 1)) < 0.2, 6, axis=1)[:, : count[1]]
        )
    steps = draw.normal(size=count)
    for place in range(1, count[1]):
        steps[:, place] += 0.9 * steps[:, place - 1]
    return steps


@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed", "bursts", "drifting"])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_stopping_at_whatever_look_shows_a_difference_is_wrong_at_most_at_the_level(kind: str, alpha: float) -> None:
    """The same twice, in the order of a block drawn anew each time; wrong at any look counts. 1,500 sequences of 20 blocks."""
    draw = np.random.default_rng([7, len(kind)])
    turns, most = 1500, 20
    values = noise(kind, draw, (turns, most)).reshape(turns, most, 4)
    wrong = 0
    for sequence in values:
        some = [block(one if draw.random() < 0.5 else one[[1, 0, 3, 2]]) for one in sequence]
        low, high = blocks.interval(blocks.looks(some), alpha)
        wrong += not low <= 0 <= high
    assert wrong / turns <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / turns)


def test_signed_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(4).normal(0.3, 1, 16)
    for alpha in (0.2, 0.05, 0.01, 0.001):
        least, walsh = blocks._least_rank(16, alpha), blocks._walsh(values)
        for end, beyond in ((walsh[least - 1], -1e-9), (walsh[-least], 1e-9)):
            assert wilcoxon(values - end - beyond, method="exact").pvalue <= alpha
            assert wilcoxon(values - end + beyond, method="exact").pvalue > alpha


def test_ranks_keep_one_wild_process_from_deciding() -> None:
    draw = np.random.default_rng(6)
    some = [block(one) for one in draw.normal(0, 0.01, (11, 4)) - 0.05 * ABBA / 2]
    wild = [*some[:-1], Block((some[-1].before[0] - 1.0, some[-1].before[1]), some[-1].after)]
    for found in (some, wild):
        low, high = blocks.interval(blocks.looks(found), 0.01)
        assert 0.02 < low < blocks.estimate(blocks.looks(found)) < high < 0.08


def test_what_is_within_a_margin_stays_so_at_every_higher_level_though_an_early_look_lay_far_off() -> None:
    """Verdicts find the least level at which something is shown by halving: an early look must not turn it round again."""
    draw = np.random.default_rng(8)
    early = [block(one - 0.2 * ABBA) for one in draw.normal(0, 0.1, (3, 4))]
    found = blocks.looks([*early, *(block(one) for one in draw.normal(0, 0.01, (42, 4)))])
    ends = [blocks.interval(found, alpha) for alpha in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9, 0.9999)]
    inside = [-0.05 < low <= high < 0.05 for low, high in ends]
    assert inside == sorted(inside)
    assert inside[-1]
    assert max(one.interval(0.9999)[0] for one in found) > min(one.interval(0.9999)[1] for one in found), (
        "they disagree"
    )


def test_an_interval_at_a_higher_level_lies_in_that_at_a_lower_one_also_where_looks_disagree() -> None:
    draw, disagreed = np.random.default_rng(12), 0
    for _ in range(40):
        level = np.repeat(draw.normal(0, 1, 8), 2)[:, None]
        found = blocks.looks([block(one) for one in draw.normal(0, 0.3, (16, 4)) - level * ABBA])
        levels = [10 ** (-4 + place / 5) for place in range(20)] + [0.99, 0.999, 0.9999]
        ends = [blocks.interval(found, alpha) for alpha in levels]
        for (low, high), (inner, outer) in itertools.pairwise(ends):
            assert low - 1e-5 <= inner <= outer <= high + 1e-5
        disagreed += ends[-1][0] == ends[-1][1]
    assert disagreed > 10


def test_each_look_is_the_first_at_three_tenths_more_blocks_and_gets_a_share_that_falls_as_its_place() -> None:
    assert all(after == math.ceil(1.3 * before) for before, after in itertools.pairwise(LOOKS))
    for place, share in enumerate(SHARES, start=1):
        assert share / SHARES[0] == pytest.approx(place**-0.85)


def test_the_sums_of_three_ranks_have_the_chances_that_one_counts_by_hand() -> None:
    assert blocks._rank_tail(3) == pytest.approx([1 / 8, 2 / 8, 3 / 8, 5 / 8, 6 / 8, 7 / 8, 1.0])
