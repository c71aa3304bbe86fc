"""What replayed nights are made of, and that the committed record is of this code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.night.judging import CREEPS
from harness.numbers.nights import nights_needed
from tests.benchmarks import night_canary, night_noise, night_replay, night_rules, nights
from tests.benchmarks.live_pool import POOL
from tests.benchmarks.night_replay import FALSE_ALARMS, POWER, SERIES, Step

CHAIN = "chain, correlation 0.3"
RECORD = POOL.with_name("nights.txt")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night_replay, "SERIES", 8)
    monkeypatch.setattr(night_replay, "NIGHTS", 60)


def test_noise_of_our_rounds_has_a_deviation_of_one_either_way() -> None:
    for name, pool in night_noise.aa_pools().items():
        assert np.sqrt(np.mean(pool**2)) == pytest.approx(1.0)
        some = night_noise.drawn(name, 4000, np.random.default_rng(1), ordered=True)
        assert np.mean(some) == pytest.approx(0.0, abs=0.06)
        assert np.std(some) == pytest.approx(1.0, abs=0.08)
    assert len(night_noise.aa_pools()) == 3


def test_made_chains_resemble_the_night_before_and_second_measurements_do_not() -> None:
    draw = np.random.default_rng(2)
    chain, apart = (night_noise.drawn(CHAIN, 5000, draw, ordered=ordered) for ordered in (True, False))
    assert np.corrcoef(chain[1:], chain[:-1])[0, 1] == pytest.approx(0.3, abs=0.05)
    assert np.corrcoef(apart[1:], apart[:-1])[0, 1] == pytest.approx(0.0, abs=0.05)


@pytest.mark.usefixtures("small")
def test_a_second_measurement_draws_anew_what_it_is_said_to() -> None:
    kept, fresh = (night_replay.fleet([1], 0.01, within, names=[CHAIN]) for within in (0.0, 1.0))
    there = np.isfinite(kept.values)
    np.testing.assert_allclose(kept.values[there], kept.again[there])
    there = np.isfinite(fresh.values)
    assert np.std((fresh.values - fresh.again)[there]) == pytest.approx(0.01 * math.sqrt(2), rel=0.15)
    assert there.mean() < 0.97, "some nights were not measured"


def test_a_step_stays_and_a_creep_comes_slowly() -> None:
    np.testing.assert_allclose(Step(0, 3, 0.1).at(6), [0, 0, 0, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(Step(0, 1, 0.1, 4).at(6), [0, 0.025, 0.05, 0.075, 0.1, 0.1])


@pytest.mark.usefixtures("small")
def test_a_replay_calls_a_step_once_and_nothing_else() -> None:
    step = Step(3, 50, 0.05)
    some = night_replay.fleet([5], 0.003, 1.0, [step], [CHAIN])
    found = night_replay.replay(some, [step])
    assert [row for row, _ in found.pages] == [3]
    assert night_replay.nights_until(some, step, found.pages[0][1]) <= 2
    assert found.candidates >= 1


def test_changes_are_of_series_of_their_own() -> None:
    steps, creeps = nights.changes(5)
    assert len({one.series for one in (*steps, *creeps)}) == len(steps) + len(creeps) == 50
    assert {round(abs(one.size), 3) for one in steps} == {0.03, 0.01}


def test_other_rules_see_what_they_are_made_for_and_page_once_for_nights_in_a_row() -> None:
    steady = np.zeros(40)
    fallen = np.where(np.arange(40) >= 20, -0.2, 0.0)
    gone = np.where(np.arange(40) % 7 == 3, np.nan, fallen)
    for rule in night_rules.RULES.values():
        assert night_rules.pages(rule, steady) == []
        assert night_rules.pages(rule, fallen)[0] in (20, 21, 22)
        assert len(night_rules.pages(rule, fallen)) == 1
        assert night_rules.pages(rule, gone)[0] >= 20


def test_a_canary_is_called_and_its_absence_is_not() -> None:
    import random

    real = night_canary.live_blocks.quieter_pool("int4")
    size = -night_canary.TIMES * night_canary.MARGIN
    assert all(night_canary.is_called(real, size, random.Random(seed)) for seed in range(3))
    assert not any(night_canary.is_called(real, 0.0, random.Random(seed)) for seed in range(3))


def test_the_record_is_of_this_code_and_of_these_pools() -> None:
    told = RECORD.read_text("utf-8")
    for size in nights.SIZES:
        counts = [nights_needed(sd, size, false_alarms=FALSE_ALARMS / SERIES, power=POWER) for sd in nights.DEVIATIONS]
        assert (
            f"change of {size:.0%} at {POWER:.0%} power, by sd between nights: "
            + ", ".join(f"{sd:.1%}: {count}" for sd, count in zip(nights.DEVIATIONS, counts, strict=True))
            in told
        )
    for name, pool in night_noise.aa_pools().items():
        assert f"{name}: {len(pool)} nights" in told
    assert f"--seed {nights.JUDGED}" in told


def test_the_record_at_a_gate_is_of_what_matters_to_a_history() -> None:
    told = POOL.with_name("nights_gate.txt").read_text("utf-8")
    assert f"a margin of 5.0%, of which 1/{CREEPS} matters to the history" in told
    assert f"--seed {nights.JUDGED} --only {nights.PROMISED:g} --gate 0.05" in told


@pytest.mark.usefixtures("small")
def test_a_gate_leaves_out_what_is_shown_to_matter_to_nobody() -> None:
    step = Step(3, 40, 0.002)
    some = night_replay.fleet([5], 0.0002, 1.0, [step], [CHAIN])
    assert [row for row, _ in night_replay.replay(some, [step]).pages] == [3]
    assert night_replay.replay(some, [step], math.log1p(0.05)).pages == []
    assert [row for row, _ in night_replay.replay(some, [step], math.log1p(0.01)).pages] == [3]


@pytest.mark.usefixtures("small")
def test_a_comparison_within_a_night_calls_what_is_beyond_the_margin_and_nothing_that_is_common_to_all() -> None:
    step = Step(3, 50, -0.08)
    some = night_replay.fleet([5], 0.003, 1.0, [step], [CHAIN])
    called = night_replay.within_nights(some, math.log1p(0.05))
    assert {row for row, _ in called} == {3}
    assert {night for _, night in called} <= set(range(50, 60))
    assert len(called) >= 5
    assert night_replay.within_nights(night_replay.fleet([5], 0.003, 1.0, (), [CHAIN]), math.log1p(0.05)) == []
