"""The process is the unit: means, intervals and comparisons of rounds, held against scipy and against simulated sittings."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.core.metric import METRICS
from harness.numbers import rounds
from harness.numbers.rounds import Round


def sitting(*values: float, first: int = 0, step: int = 2) -> list[Round]:
    """Rounds whose orders leave room for another sitting's rounds between them."""
    return [Round(number, first + step * number, value) for number, value in enumerate(values)]


def test_a_rate_over_rounds_is_all_work_over_all_seconds() -> None:
    seconds = [2.0, 3.0, 5.0]
    rates = [100 / one for one in seconds]
    assert rounds.mean(rates, "tok/s") == pytest.approx(300 / sum(seconds), rel=1e-12)
    assert rounds.mean(seconds, "s") == pytest.approx(sum(seconds) / 3, rel=1e-12)
    assert 100 / rounds.mean(rates, "tok/s") == pytest.approx(rounds.mean(seconds, "s"))


def test_the_interval_is_students_between_rounds_on_the_log_scale() -> None:
    values = [98.0, 101.0, 103.0, 99.5, 100.2]
    value, low, high = rounds.summary(values, "tok/s")
    assert low is not None
    assert high is not None
    logs = np.log(values)
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) / math.sqrt(5)
    assert (low, high) == pytest.approx((value * math.exp(-half), value * math.exp(half)), rel=1e-4)
    assert low < value < high


def test_below_three_rounds_there_is_no_interval() -> None:
    for values in ([5.0], [5.0, 6.0]):
        assert rounds.summary(values, "s")[1:] == (None, None)
    pair = rounds.ratio(sitting(5.0, 6.0), sitting(5.0, 6.0, 7.0), "s")
    assert (pair.low, pair.high) == (None, None)
    assert rounds.difference(sitting(5.0, 6.0), sitting(5.0, 6.0, 7.0), "s").low is None


def test_rounds_that_are_not_all_positive_have_an_interval_on_their_own_scale() -> None:
    value, low, high = rounds.summary([0.0, 1.0, 2.0], "B")
    assert value == 1.0
    assert (low, high) == pytest.approx((1 - 4.3027 / math.sqrt(3), 1 + 4.3027 / math.sqrt(3)), rel=1e-4)


def test_the_ends_of_an_interval_are_never_swapped() -> None:
    draw = np.random.default_rng(3)
    for unit in ("tok/s", "s", "B"):
        for _ in range(50):
            one, other = (sitting(*draw.lognormal(3, 0.4, 5)) for _ in range(2))
            value, low, high = rounds.summary([each.value for each in one], unit)
            assert low is not None
            assert high is not None
            assert low < value < high
            for found in (rounds.ratio(one, other, unit), rounds.difference(one, other, unit)):
                assert found.low is not None
                assert found.high is not None
                assert found.low < found.value < found.high


def test_a_ratio_has_welchs_interval_on_logarithms() -> None:
    one, other = [10.0, 10.4, 9.8, 10.1], [20.0, 23.0, 21.0, 19.0, 22.0]
    found = rounds.ratio(sitting(*one), sitting(*other), "s")
    expected = stats.ttest_ind(np.log(one), np.log(other), equal_var=False).confidence_interval()
    half = (expected.high - expected.low) / 2
    assert found.value == pytest.approx(np.mean(one) / np.mean(other))
    assert found.low == pytest.approx(found.value * math.exp(-half), rel=1e-3)
    assert found.high == pytest.approx(found.value * math.exp(half), rel=1e-3)
    turned = rounds.ratio(sitting(*other), sitting(*one), "s")
    assert (turned.low, turned.high) == pytest.approx((1 / (found.high or 0), 1 / (found.low or 0)))


def test_a_difference_has_welchs_interval() -> None:
    one, other = [10.0, 10.4, 9.8, 10.1], [20.0, 23.0, 21.0, 19.0, 22.0]
    found = rounds.difference(sitting(*one), sitting(*other), "s")
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-3)


def test_rounds_are_paired_where_they_were_interleaved_and_drifted_together() -> None:
    drift = [1.0, 1.1, 1.25, 1.4, 1.3, 1.15]
    one = sitting(*(100 * part for part in drift))
    other = sitting(*(200 * part * (1 + 0.002 * (-1) ** place) for place, part in enumerate(drift)), first=1)
    found = rounds.ratio(one, other, "tok/s")
    assert found.paired
    logs = np.log([a.value / b.value for a, b in zip(one, other, strict=True)])
    half = stats.t.ppf(0.975, 5) * stats.sem(logs)
    assert found.low == pytest.approx(found.value * math.exp(-half), rel=1e-4)
    shuffled = rounds.ratio(one, other[::-1], "tok/s")
    assert (shuffled.low, shuffled.high) == pytest.approx((found.low, found.high))


def test_rounds_are_not_paired_that_ran_one_after_the_other_or_did_not_drift() -> None:
    drift = [1.0, 1.1, 1.25, 1.4, 1.3, 1.15]
    one = sitting(*(100 * part for part in drift), step=1)
    assert not rounds.ratio(one, sitting(*(200 * part for part in drift), first=6, step=1), "tok/s").paired
    assert not rounds.ratio(one[:4], sitting(*(200 * part for part in drift[:4]), first=1), "tok/s").paired
    still = [Round(number, 2 * number, value) for number, value in enumerate([1.0, 1.2, 1.0, 1.3, 1.1])]
    other = [Round(number, 2 * number + 1, value) for number, value in enumerate([2.2, 2.0, 2.4, 2.1, 2.0])]
    assert not rounds.ratio(still, other, "tok/s").paired


def test_quantiles_are_those_of_scipy() -> None:
    for degrees in (1, 2, 4, 8, 11, 14, 40):
        assert rounds.student_t90(degrees) == pytest.approx(stats.t.ppf(0.9, degrees), rel=2e-3)
    for degrees in (2.5, 4.7, 7.9, 13.3):
        found = rounds._between(rounds.student_t, degrees)
        assert found == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-2)


def test_huge_and_tiny_values_overflow_nothing() -> None:
    for unit in ("tok/s", "s"):
        for values in ([1e308, 1e308, 1.5e308], [5e-324, 1e308, 1.0], [-1e308, 1e308, 0.0]):
            value, low, high = rounds.summary(values, unit)
            assert math.isfinite(value)
            assert (low is None and high is None) or ((low or 0) <= value <= (high or 0))


def test_every_speed_and_memory_metric_is_over_rounds_and_no_other() -> None:
    for name, metric in METRICS.items():
        assert rounds.is_over_rounds(name) == (metric.kind in {"speed", "memory"})
    assert not rounds.is_over_rounds("lm_eval.acc")


# ---------------------------------------------------------------- coverage


def drawn(kind: str, shape: tuple[int, ...], draw: Any) -> Any:
    """Noise of mean zero: even, heavy-tailed, skewed, or mostly quiet with a slow process now and then."""
    if kind == "normal":
        return draw.standard_normal(shape)
    if kind == "heavy":
        return draw.standard_t(3, shape)
    if kind == "skewed":
        return draw.exponential(size=shape) - 1
    slow = np.where(draw.random(shape) < 0.1, 5 * draw.exponential(size=shape), 0.5 * draw.standard_normal(shape))
    return slow - 0.5


def drifting(shape: tuple[int, ...], still: float, draw: Any) -> Any:
    """A drift of variance 1 along the last axis: each step keeps `still` of the one before."""
    noise = draw.standard_normal((*shape[:-1], shape[-1] + 30))
    found = np.zeros_like(noise)
    for step in range(1, noise.shape[-1]):
        found[..., step] = still * found[..., step - 1] + math.sqrt(1 - still**2) * noise[..., step]
    return found[..., 30:]


@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed", "spikes"])
@pytest.mark.parametrize(("shared", "still"), [(0.0, 0.0), (0.5, 0.9), (0.9, 0.95)])
def test_ratios_of_rounds_cover_no_difference_under_skew_drift_and_tails(
    kind: str, shared: float, still: float
) -> None:
    """Two methods interleaved in one session, no difference between them: 95 % intervals must hold 1.

    1,500 pairs of five rounds; a coverage of 0.94 has a standard error of 0.006, so that 0.92 is three of them below.
    """
    draw = np.random.default_rng(20261128)
    pairs, count = 1500, 5
    common = drifting((pairs, 2 * count), still, draw)
    own = drawn(kind, (pairs, 2 * count), draw)
    values = np.exp(0.02 * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own))
    held = 0
    for row in values:
        found = rounds.ratio(sitting(*row[0::2]), sitting(*row[1::2], first=1), "tok/s")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 <= found.high
    assert held / pairs > 0.925


@pytest.mark.parametrize("count", [3, 5, 8])
@pytest.mark.parametrize(("machine", "gauge"), [(0.0, 0.3), (1.0, 0.0), (1.0, 1.0), (3.0, 0.3)])
def test_ratios_at_one_pace_cover_no_difference_whatever_the_pace_has_to_do_with_it(
    machine: float, gauge: float, count: int
) -> None:
    """Rounds of spread 2 %, a machine whose speed varies by a multiple of that, and a pace that tells it more or less well."""
    draw = np.random.default_rng(20261129)
    pairs, held, sharper, wide = 1500, 0, 0, 0.0
    own, moved, told = (draw.standard_normal((pairs, 2 * count)) for _ in range(3))
    values = np.exp(0.02 * (own + machine * moved))
    at_pace = np.exp(0.02 * (own + gauge * told))
    for row, paced in zip(values, at_pace, strict=True):
        both = [Round(place // 2, place, *pair) for place, pair in enumerate(zip(row, paced, strict=True))]
        found = rounds.ratio(both[0::2], both[1::2], "tok/s")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 <= found.high
        sharper += found.at_pace
        wide += math.log(found.high / found.low) / pairs
    assert held / pairs > 0.925
    if machine == 3:
        assert sharper / pairs > 0.8
        assert wide < 0.6 * 2 * stats.t.ppf(0.975, 2 * count - 2) * 0.02 * math.sqrt(10 * 2 / count)
    if machine == 0:
        assert sharper / pairs < 0.02


def test_rounds_of_which_some_have_no_pace_are_compared_as_they_passed() -> None:
    one = [Round(turn, 2 * turn, 100.0 + 9 * (turn % 2), 50.0 + turn / 99) for turn in range(5)]
    other = [Round(turn, 2 * turn + 1, 100.0 + 9 * (turn % 2), 50.0 + turn / 99) for turn in range(5)]
    assert rounds.ratio(one, other, "tok/s").at_pace
    other[2] = Round(2, 5, 100.0)
    found = rounds.ratio(one, other, "tok/s")
    assert not found.at_pace
    assert found.value == pytest.approx(
        rounds.mean([each.value for each in one], "tok/s") / rounds.mean([each.value for each in other], "tok/s")
    )


def test_pairing_pays_where_a_drift_is_shared() -> None:
    draw = np.random.default_rng(7)
    common = np.repeat(
        draw.standard_normal((400, 8)), 2, axis=1
    )  # what a round of both finds: a warm or a busy machine
    values = np.exp(0.02 * (math.sqrt(0.95) * common + math.sqrt(0.05) * draw.standard_normal((400, 16))))
    widths: list[float] = []
    alone: list[float] = []
    for row in values:
        one, other = sitting(*row[0::2]), sitting(*row[1::2], first=1)
        apart = [Round(each.round, each.order + 1000, each.value) for each in other]
        for kept, theirs in ((widths, other), (alone, apart)):
            found = rounds.ratio(one, theirs, "tok/s")
            kept.append(math.log((found.high or 0) / (found.low or 1)))
    assert np.median(widths) < 0.8 * np.median(alone)


def test_means_of_rounds_cover_the_long_run_mean() -> None:
    draw = np.random.default_rng(11)
    for kind, least in (
        ("normal", 0.935),
        ("heavy", 0.935),
        ("skewed", 0.84),
    ):  # five of them cannot tell more
        values = np.exp(0.03 * drawn(kind, (2000, 5), draw))
        truth = float(np.exp(0.03 * drawn(kind, (400_000,), draw)).mean())
        summaries = [rounds.summary(list(row), "s") for row in values]
        assert np.mean([(low or 0) <= truth <= (high or 0) for _, low, high in summaries]) > least


def test_the_smallest_change_is_seen_in_nine_of_ten_comparisons() -> None:
    draw = np.random.default_rng(5)
    for count in (3, 5, 8):
        change = rounds.smallest_change(0.02, count)
        quiet = np.exp(0.02 * draw.standard_normal((3000, 2, count)))
        seen = 0
        for one, other in quiet:
            found = rounds.ratio(sitting(*(one * (1 + change)), step=1), sitting(*other, first=99, step=1), "tok/s")
            seen += (found.low or 0) > 1
        assert 0.86 < seen / 3000 < 0.93


@pytest.mark.parametrize("unit", ["tok/s", "s", "B", ""])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_greatest_and_the_least_floats_have_a_mean(count: int, unit: str) -> None:
    for value in (sys.float_info.max, -sys.float_info.max, sys.float_info.min, 5e-324):
        assert rounds.summary([value] * count, unit)[0] == pytest.approx(value)


def test_the_process_is_the_unit_of_speed_and_of_what_was_measured_here_of_ones_own() -> None:
    assert rounds.is_over_rounds("decode_tps")
    assert rounds.is_over_rounds("own.latency")
    assert not rounds.is_over_rounds("own.latency", "reported"), "others' bounds are theirs"
    assert not rounds.is_over_rounds("perplexity")
