"""A loss put into measured numbers: as large as it says, by the path of all numbers, and told as what it is."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from harness.comparing.comparison import ComparedNumber
from harness.comparing.evidence import student
from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate
from harness.core.errors import HarnessError
from harness.core.metric import METRICS, Direction
from harness.night.canary import ScoredJob, loss_of
from harness.night.injected import (
    better_of,
    loss_in_numbers,
    slower,
    speed_in_numbers,
    worse_items,
    worse_number,
    would_be_found,
)
from harness.night.judging import NightFound
from harness.night.record import NightCanary
from harness.numbers import documents
from harness.numbers.pairing import Items
from tests.unit.runner.test_choosing import job

GATE = Gate({
    "speed": Margin(0.05, relative=True), "perplexity": Margin(0.01, relative=True), "kl_divergence": Margin(0.002, relative=False), "fraction": Margin(0.01, relative=False),
    "choice_logprob": Margin(0.02, relative=False),
})  # fmt: skip
AWAITING = NightCanary(kind="speed", found=False, injected="numbers", said="no engine can carry it")
FAMILY = 20


def timed(
    error: float = 0.005, change: float = 0.3, name: str = "p", metric: str = "decode_tps", left: str = ""
) -> NightFound:
    if left:
        return NightFound(ComparedNumber("", METRICS[metric], "higher", (1.0, 1.0), why=left, disturbed=True), name)
    made = ChangeEstimate(change, student(change, error, 20), "rounds", log=True, error=error, degrees=20)
    return NightFound(ComparedNumber("", METRICS[metric], METRICS[metric].better, (1.0, 1.0), made), name)


@pytest.mark.parametrize(("metric", "way"), [("decode_tps", -1), ("ttft", 1)])
def test_a_number_is_slowed_by_one_and_a_half_margins_whatever_it_was(metric: str, way: int) -> None:
    found = slower(timed(metric=metric).number, GATE).estimate
    assert found is not None
    assert found.value == pytest.approx(way * 1.5 * math.log(1.05))
    low, high = found.bounds(0.05)
    assert (high - low) / 2 == pytest.approx(2.086 * 0.005, rel=1e-3)
    assert (low + high) / 2 == pytest.approx(found.value)


def test_a_slowdown_is_found_where_tonights_noise_lets_it_be_seen() -> None:
    found = speed_in_numbers(AWAITING, [timed()], GATE, 1, FAMILY)
    assert (found.found, found.name, found.size) == (True, "p", "1.5 margins of decode")
    loud = speed_in_numbers(AWAITING, [timed(error=0.05)], GATE, 1, FAMILY)
    assert (loud.found, loud.skipped) == (False, False)
    assert loud.said.startswith("it is not called worse: -7.")
    assert (found.awaits_numbers, loud.awaits_numbers) == (False, False)


def test_the_seed_draws_the_series_and_decode_comes_first() -> None:
    some = [timed(name=name, metric=metric) for name in "abc" for metric in ("ttft", "decode_tps")]
    found = [speed_in_numbers(AWAITING, some, GATE, seed, FAMILY) for seed in range(20)]
    assert {one.name for one in found} == set("abc")
    assert {one.size for one in found} == {"1.5 margins of decode"}


@pytest.mark.parametrize("some", [[], [timed(left="2 whole blocks")]])
def test_a_night_without_a_number_proves_nothing_and_is_not_broken(some: list[NightFound]) -> None:
    found = speed_in_numbers(AWAITING, some, GATE, 1, FAMILY)
    assert (found.found, found.skipped, found.awaits_numbers) == (False, True, False)
    assert ("another process used the machine (2 whole blocks)" in found.said) is bool(some)


# ---------------------------------------------------------------- quality


def scored(metric: str, items: Items, value: float, better: Direction = "lower") -> ScoredJob:
    return ScoredJob(job("q", "quality", "fp16", ("b",), group="g"), metric, better, value, lambda: items)


def texts(count: int, metric: str = "perplexity", each: int = 40) -> ScoredJob:
    draw = np.random.default_rng(7)
    level = 1.4 if metric == "perplexity" else 0.01
    sums = np.stack([draw.gamma(40, level / 40, size=count) * each, np.full(count, float(each))], axis=1)
    return scored(metric, Items(documents=sums), documents.value_of(sums, metric))


def answers(count: int, share: float = 0.7) -> ScoredJob:
    right = (np.arange(count) < share * count).astype(float)
    return scored("lm_eval.acc", Items(right), float(right.mean()), "higher")


@pytest.mark.parametrize("one", [texts(300), texts(300, "kl_divergence"), answers(2000)])
def test_items_are_worse_by_what_was_asked(one: ScoredJob) -> None:
    lost = loss_of(one, GATE)
    found = worse_number(one, lost, random.Random(3))
    assert found.estimate is not None
    way = -1 if one.better == "higher" else 1
    assert found.estimate.value == pytest.approx(way * lost, rel=0.05)
    assert one.items() is not worse_items(one, one.items(), lost, random.Random(3))


def test_other_items_lose_unequally_and_as_much_on_average() -> None:
    draw = np.random.default_rng(1)
    samples = draw.normal(-1, 0.5, size=3000)
    one = scored("choice_logprob", Items(samples), float(samples.mean()), "higher")
    moved = np.asarray(worse_items(one, one.items(), 0.03, random.Random(2)).samples) - samples
    assert moved.mean() == pytest.approx(-0.03, rel=0.1)
    assert moved.std() == pytest.approx(0.03, rel=0.1)
    assert (samples == one.items().samples).all(), "what was measured stays"


@pytest.mark.parametrize(("one", "found"), [
    (texts(49), False),  # no interval below 50 documents
    (texts(300), True),
    (texts(300, "kl_divergence"), True),
    (answers(100), False),  # two answers of a hundred
    (answers(2000), True),
    (scored("perplexity", Items(), 4.0), False),
    (scored("top1_agreement", Items(documents=np.ones((60, 2))), 1.0, "higher"), False),
])  # fmt: skip
def test_where_it_could_be_found_is_computed(one: ScoredJob, *, found: bool) -> None:
    assert would_be_found(one, loss_of(one, GATE) or 0.01, GATE, random.Random(1), FAMILY) is found


def test_a_loss_in_numbers_is_drawn_of_what_no_engine_carries() -> None:
    few, many = answers(100), answers(2000)
    assert loss_in_numbers([texts(300), few], GATE, random.Random(1), FAMILY) is None
    assert loss_in_numbers([texts(300), few, many], GATE, random.Random(1), FAMILY) is many


def test_a_number_whose_items_are_not_kept_is_told() -> None:
    with pytest.raises(HarnessError, match="nothing is kept into which a loss of perplexity"):
        worse_number(scored("perplexity", Items(), 4.0), 0.1, random.Random(1))


def test_which_way_is_better_stands_beside_a_number_or_with_its_metric() -> None:
    assert [better_of("higher", "own.x"), better_of("None", "ttft"), better_of("", "lm_eval.acc")] == [
        "higher",
        "lower",
        "higher",
    ]
    assert replace(answers(10), better="none").better == "none"
