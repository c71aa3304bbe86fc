"""Evidence: each kind of number by the formulas of the numbers room, at any level."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.comparing import evidence
from harness.core.errors import HarnessError
from harness.numbers import blocks, pairing, rounds
from harness.numbers.blocks import Block
from harness.numbers.pairing import Items
from harness.numbers.rounds import Round


def sitting(values: list[float], order: int = 0) -> list[Round]:
    return [Round(place, 2 * place + order, value) for place, value in enumerate(values)]


ONE, OTHER = sitting([100.0, 104.0, 98.0, 101.0, 103.0]), sitting([95.0, 90.0, 96.0, 93.0, 91.0], 1)


def test_rounds_have_the_interval_that_tables_show() -> None:
    found, shown = evidence.of_rounds((ONE, OTHER), "tok/s"), rounds.ratio(OTHER, ONE, "tok/s")
    low, high = found.bounds(0.05)
    assert (math.exp(low), math.exp(high)) == pytest.approx((shown.low, shown.high), rel=2e-3)
    assert math.exp(found.value) == pytest.approx(shown.value)
    assert (found.error, found.degrees) == (shown.error, shown.degrees)


def test_a_lower_level_gives_a_wider_interval() -> None:
    found = evidence.of_rounds((ONE, OTHER), "tok/s")
    widths = [high - low for low, high in map(found.bounds, (0.2, 0.05, 0.01, 0.001, 1e-6))]
    assert widths == sorted(widths)


def test_answers_have_mcnemars_exact_p() -> None:
    before, after = np.r_[np.ones(190), np.zeros(10)], np.r_[np.ones(178), np.zeros(12), np.ones(2), np.zeros(8)]
    found = evidence.of_items("lm_eval.acc", (Items(before), Items(after)), (0.95, 0.9))
    assert found.value == pytest.approx(-0.05)
    assert found.p == pytest.approx(binomtest(2, 14, 0.5).pvalue)
    shown = pairing.paired_difference("lm_eval.acc", Items(after), Items(before))
    assert found.bounds(0.05) == (shown.low, shown.high)


def test_documents_widen_beyond_what_resamples_can_tell() -> None:
    draw = np.random.default_rng(3)
    counts = draw.integers(20, 60, 120).astype(float)
    before = np.stack([counts * draw.normal(2.0, 0.1, 120), counts], axis=1)
    after = before + np.stack([counts * draw.normal(0.01, 0.05, 120), np.zeros(120)], axis=1)
    values = tuple(float(np.exp(side[:, 0].sum() / counts.sum())) for side in (before, after))
    found = evidence.of_items("perplexity", (Items(documents=before), Items(documents=after)), (values[0], values[1]))
    ends = [found.bounds(alpha)[1] - found.value for alpha in (0.05, 0.01, 0.001, 1e-6)]
    assert ends == sorted(ends)
    assert ends[-1] < 4 * ends[0]


def test_sessions_are_the_unit_where_sides_are_of_two() -> None:
    found = evidence.of_sessions((100.0, 99.0), [[100.0, 101.0, 99.0, 100.5, 98.0, 102.0]])
    low, high = found.bounds(0.05)
    assert low < 0 < high
    with pytest.raises(HarnessError, match="different sessions, of which 3 are known and 5 are needed"):
        evidence.of_sessions((100.0, 99.0), [[100.0, 101.0]])


@pytest.mark.parametrize(("items", "values", "said"), [
    (([1.0, math.nan], [1.0, 1.0]), (1.0, 1.0), "not finite"),
    (([1.0, 0.0, 1.0], [1.0, 1.0]), (2 / 3, 1.0), "2 and 3 items do not pair"),
    (([1.0, 0.0], [1.0, 1.0]), (0.9, 1.0), "the samples do not give the number"),
    (([], [1.0]), (0.0, 1.0), "no samples"),
    (([0.5, 0.25], [0.25, 0.5]), (0.375, 0.375), "2 items are too few"),
])  # fmt: skip
def test_items_that_do_not_pair_say_why(
    items: tuple[list[float], list[float]], values: tuple[float, float], said: str
) -> None:
    with pytest.raises(HarnessError, match=said):
        evidence.of_items("lm_eval.acc", (Items(items[0]), Items(items[1])), values)


def test_documents_of_another_tokenizer_do_not_pair() -> None:
    sums = np.stack([np.full(60, 30.0), np.full(60, 15.0)], axis=1)
    other = np.stack([np.full(60, 30.0), np.full(60, 18.0)], axis=1)
    values = (math.exp(2.0), math.exp(30 / 18))
    with pytest.raises(HarnessError, match="measure both on the same text and tokens"):
        evidence.of_items("perplexity", (Items(documents=sums), Items(documents=other)), values)


def test_too_few_rounds_and_a_size_of_nothing_say_so() -> None:
    with pytest.raises(HarnessError, match="2 and 5 processes; 3 of each are needed"):
        evidence.of_rounds((ONE[:2], OTHER), "tok/s")
    with pytest.raises(HarnessError, match="a size of 0"):
        evidence.counted((0.0, 5.0))
    assert evidence.counted((100.0, 110.0)).value == pytest.approx(math.log(1.1))


def live(values: list[float], paces: list[float] | None = None) -> list[Round]:
    return [Round(n, n, value, None if paces is None else value * paces[n]) for n, value in enumerate(values)]


def test_rounds_that_ran_live_are_judged_by_whole_blocks_at_every_look() -> None:
    before, after = live([100.0, 101.0, 99.0, 100.5, 100.2]), live([90.0, 91.0, 89.0, 90.5])
    found = evidence.of_blocks((before, after))
    pairs = [math.log(a / b) for a, b in zip([90.0, 91.0, 89.0, 90.5], [100.0, 101.0, 99.0, 100.5], strict=True)]
    assert found.value == pytest.approx(sum(pairs) / 4), "the fifth round has no block"
    assert found.log
    assert "over 2 blocks" in found.how
    low, high = found.bounds(0.01)
    assert low < found.value < high < 0
    one, other = ([math.log(each.value) for each in side[:4]] for side in (before, after))
    some = [Block((one[at], one[at + 1]), (other[at], other[at + 1])) for at in (0, 2)]
    assert found.error == pytest.approx(blocks.spread(some) / math.sqrt(2))
    assert found.degrees == 5


def test_a_block_with_a_disturbed_round_counts_for_nothing_and_is_told() -> None:
    sides = live([100.0, 101.0, 50.0, 100.5, 99.0, 100.0]), live([90.0, 91.0, 89.0, 90.5, 90.0, 91.0])
    found = evidence.of_blocks(sides, {2})
    assert "over 2 blocks of two processes of each side (1 disturbed ones left out)" in found.how
    assert found.left_out == 1
    assert found.value == pytest.approx(
        evidence.of_blocks((sides[0][:2] + later(sides[0]), sides[1][:2] + later(sides[1]))).value
    )
    with pytest.raises(
        HarnessError, match="1 whole blocks of rounds, and 2 that other processes disturbed; --disturbed"
    ):
        evidence.of_blocks(sides, {2, 5})


def later(side: list[Round]) -> list[Round]:
    return [Round(each.round - 2, each.order, each.value) for each in side[4:]]


def test_blocks_are_held_at_one_pace_only_where_that_is_clearly_sharper() -> None:
    speed = [100.0, 130.0, 80.0, 120.0]
    steady = [1 / (value / 100) for value in speed]
    sharp = evidence.of_blocks((live(speed, steady), live([value * 0.9 for value in speed[::-1]], steady[::-1])))
    assert sharp.at_pace
    assert sharp.value == pytest.approx(math.log(0.9), abs=0.05)
    assert not evidence.of_blocks((live(speed, [1.0] * 4), live(speed[::-1], [1.0] * 4))).at_pace


def test_items_that_are_means_have_the_error_of_their_interval_and_others_none() -> None:
    draw = np.random.default_rng(4)
    before = draw.normal(size=30)
    after = before + draw.normal(0.1, 0.3, size=30)
    found = evidence.of_items("lm_eval.logprob", (Items(before), Items(after)), (before.mean(), after.mean()))
    assert found.error == pytest.approx(float(np.std(after - before, ddof=1)) / math.sqrt(30))
    assert found.degrees == 29
    low, high = found.bounds(0.05)
    assert (high - low) / 2 == pytest.approx(2.0452 * found.error, rel=1e-4)
    right = (draw.random(60) < 0.7).astype(float)
    counted = evidence.of_items("lm_eval.acc", (Items(right), Items(1 - right)), (right.mean(), 1 - right.mean()))
    assert counted.error is None
