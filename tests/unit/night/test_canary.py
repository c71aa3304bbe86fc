"""The canary: drawn by the night's seed, as large as the gate says, and of nothing that cannot carry it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from harness.comparing.gate import Gate, Margin
from harness.core.spec import Input
from harness.engines import CANARY
from harness.night.canary import CanaryPair, ScoredJob, can_be_slowed, drawn_order, quality_canary, speed_canary
from harness.numbers.pairing import Items
from harness.plan.expand import PlannedJob
from harness.runner.live import LivePair
from tests.unit.runner.test_choosing import job

GATE = Gate(
    {
        "speed": Margin(0.05, relative=True),
        "perplexity": Margin(0.01, relative=True),
        "kl_divergence": Margin(0.002, relative=False),
    }
)


def timed(name: str, engine: str = "fake", **rest: Any) -> PlannedJob:
    one = job(name, "speed", "fp16", ("b",), **({"group": f"{name}#0"} | rest))
    return replace(one, spec=one.spec.model_copy(update={"engine": engine, "probe": "generation"}), check="c")  # type: ignore[call-arg]


def pair(name: str, engine: str = "fake") -> LivePair:
    return LivePair(name, (timed(f"{name}-a", engine),), (timed(f"{name}-b", engine),))


PAIRS = [pair(name) for name in "abcdefgh"]


def located(item: Input) -> Input:
    return item.model_copy(update={"path": "/there"})


def drawn(pairs: list[LivePair], seed: int = 1, gate: Gate = GATE) -> CanaryPair:
    found = speed_canary(pairs, gate, random.Random(seed), located)
    assert isinstance(found, CanaryPair)
    return found


def test_a_slowdown_is_one_and_a_half_margins_of_the_rate_and_stands_on_the_baseline() -> None:
    found = drawn(PAIRS[:1])
    honest, worse = found.pair.before[0], found.pair.after[0]
    assert honest.environment == worse.environment
    assert (honest.needs, honest.check, worse.needs) == ((), None, ())
    assert all(item.path == "/there" for item in worse.inputs)
    options = worse.spec.engine_options  # type: ignore[union-attr]
    assert (worse.spec.engine, options["engine"]) == (CANARY, "fake")  # type: ignore[union-attr]
    assert 1 / (1 + options["slower"]) == pytest.approx(1 - 0.075)
    assert worse.key != honest.key
    assert worse.id != honest.id
    assert worse.group.endswith("#0")
    assert worse.group != honest.group


def test_the_seed_draws_the_series() -> None:
    names = {drawn(PAIRS, seed).pair.name for seed in range(30)}
    assert len(names) > 4
    assert drawn(PAIRS, 3).pair.name == drawn(PAIRS, 3).pair.name


def test_programs_of_others_carry_none_and_a_gate_without_a_margin_neither() -> None:
    assert {drawn([*PAIRS, pair("p", "program")], seed).pair.name for seed in range(30)} <= set("abcdefgh")
    assert [can_be_slowed(one) for one in (pair("a"), pair("p", "program"))] == [True, False]
    assert "no series runs on an engine" in str(speed_canary([pair("p", "program")], GATE, random.Random(1), located))
    assert "no margin of speed" in str(speed_canary(PAIRS, Gate(), random.Random(1), located))


def scored(probe: str, value: float, name: str = "fp16", items: Items | None = None, metric: str = "") -> ScoredJob:
    one = job("q", "quality", name, ("b",), group="g")
    one = replace(one, spec=one.spec.model_copy(update={"engine": "fake", "probe": probe}))  # type: ignore[call-arg]
    return ScoredJob(one, metric or probe, "lower", value, lambda: items or Items())


def lost_by(
    jobs: list[ScoredJob], gate: Gate = GATE, seed: int = 1, is_found: Any = lambda one, lost: True
) -> CanaryPair | str:
    return quality_canary(jobs, gate, random.Random(seed), located, is_found)


@pytest.mark.parametrize(("probe", "value", "option", "wanted"), [
    ("perplexity", 4.0, "lost", 0.0148886),
    ("kl_divergence", 0.1, "moved", 0.003),
])  # fmt: skip
def test_a_loss_of_quality_is_as_large_as_the_gate_says(probe: str, value: float, option: str, wanted: float) -> None:
    found = lost_by([scored(probe, value)])
    assert isinstance(found, CanaryPair)
    options = found.pair.after[0].spec.engine_options  # type: ignore[union-attr]
    assert options[option] == pytest.approx(wanted, rel=1e-5)
    assert found.metrics == (probe,)


def test_quality_that_no_known_loss_can_be_put_on_says_so() -> None:
    accuracy = scored("lm_eval", 0.5, metric="lm_eval.acc")
    for jobs in ([accuracy], []):
        assert "no series of quality is a perplexity or kl_divergence" in str(lost_by(jobs))


def test_a_share_of_nothing_is_no_canary() -> None:
    """A KL divergence of the reference itself is 0, and so are five percent of it: such a canary could never be found."""
    share = Gate({"kl_divergence": Margin(0.05, relative=True)})
    none, some = scored("kl_divergence", 0.0), scored("kl_divergence", 0.1)
    assert "give the margin as a plain number" in str(lost_by([none], share))
    assert isinstance(lost_by([none, some], share), CanaryPair)


def test_it_is_drawn_of_those_in_which_it_could_be_found_and_their_absence_is_told() -> None:
    jobs = [scored("perplexity", 4.0, name) for name in "abcdef"]

    def is_found(one: ScoredJob, lost: float) -> bool:
        return one.name.split()[1] in "be" and lost == pytest.approx(0.06)

    drawn = {str(lost_by(jobs, seed=seed, is_found=is_found).pair.name).split()[1] for seed in range(30)}
    assert drawn == {"b", "e"}
    said = str(lost_by(jobs, is_found=lambda one, lost: False))
    assert said.startswith(
        "a loss of 1.5 margins could be found in none of 6 series of perplexity and kl_divergence, as tiny a fake perplexity"
    )


def test_what_was_not_reached_comes_first_and_the_seed_orders_the_rest() -> None:
    orders = {tuple(one.name for one in drawn_order(PAIRS, seed, ["f", "c"])) for seed in range(20)}
    assert len(orders) > 10
    assert all(set(order[:2]) == {"c", "f"} for order in orders)
    assert drawn_order(PAIRS, 5) == drawn_order(PAIRS[::-1], 5), "the same whatever the plan's order"
