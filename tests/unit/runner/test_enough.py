"""Fewer rounds where they agree: when a job stops, what it says, and what that does to its intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.numbers.intervals import mean_interval
from harness.plan.sweep import PRECISION
from harness.runner.enough import Rounds
from harness.runner.opened import Event
from tests.fake_machine import Bench

KEY = ("key", "here")


def rounds(**metrics: list[float]) -> Rounds:
    found = Rounds()
    for name, values in metrics.items():
        for number, value in enumerate(values):
            found.add(KEY, number, name, value)
    return found


def test_three_rounds_that_agree_are_enough_and_say_how_well() -> None:
    found = rounds(decode_tps=[100.0, 100.05, 99.95], ttft=[0.01, 0.01, 0.01])
    assert found.enough(KEY, 0.002, 5) == "stopped after 3 of 5 rounds: they agree within ±0.12% (precision 0.20%)"
    value, low, _ = mean_interval(np.log([100.0, 100.05, 99.95]))
    assert low is not None
    assert found.half_width(KEY) == (3, pytest.approx(math.exp(value - low) - 1))


@pytest.mark.parametrize("metrics", [
    {"decode_tps": [100.0, 100.0]},
    {"decode_tps": [100.0, 100.05, 99.95], "ttft": [0.010, 0.011, 0.010]},
    {"decode_tps": [100.0, 103.0, 97.0]},
    {"decode_tps": [100.0, 100.05, 99.95], "ttft": [0.01, 0.01]},
    {},
])  # fmt: skip
def test_two_rounds_or_any_metric_that_differs_are_not_enough(metrics: dict[str, list[float]]) -> None:
    assert rounds(**metrics).enough(KEY, 0.002, 5) is None


def test_what_is_measured_beside_the_work_holds_nobody_up_and_memory_alone_counts_for_itself() -> None:
    beside = rounds(decode_tps=[100.0, 100.0, 100.0], load_seconds=[1.0, 2.0, 3.0], peak_rss_bytes=[1e8, 2e8, 3e8])
    assert beside.enough(KEY, 0.002, 5)
    assert rounds(peak_rss_bytes=[1e8, 2e8, 3e8]).enough(KEY, 0.002, 5) is None
    assert rounds(peak_rss_bytes=[1e8, 1e8, 1e8]).enough(KEY, 0.002, 5)


def test_without_precision_every_round_runs() -> None:
    assert rounds(decode_tps=[100.0, 100.0001, 100.0]).enough(KEY, 0.0, 5) is None


@pytest.mark.parametrize("deviation", [0.003, 0.007, 0.02])
def test_stopping_early_seldom_happens_by_chance_and_costs_the_intervals_little(deviation: float) -> None:
    """Between processes throughput differs by 0.7 % and more; 95 % intervals must still cover after some stopped early."""
    draws = np.random.default_rng(3).normal(0, deviation, (2000, 5))
    covered, stopped = 0, 0
    for logs in draws:
        found = Rounds()
        for number, log in enumerate(logs):
            found.add(KEY, number, "decode_tps", math.exp(log))
            if found.enough(KEY, PRECISION, 5):
                break
        stopped += number < 4
        _, low, high = mean_interval(logs[: number + 1])
        assert low is not None
        assert high is not None
        covered += low <= 0 <= high
    assert covered / len(draws) > 0.91
    assert stopped / len(draws) < (0.16 if deviation < 0.007 else 0.03)


def test_a_sweep_that_says_so_stops_early_and_tells_it_in_the_session(bench: Bench) -> None:
    probes = {"generation": {"prompt": 8, "output": 8, "warmup": 0, "repetitions": 1}}
    bench.sweep(method="fp32", rounds=5, precision="99%", probes=probes, engine={"fake": {"step_seconds": 0.03}})
    events = bench.run()
    told = [event.text for event in events if event.what == "enough"]
    assert len(told) == 2
    assert all(text.startswith("stopped after 3 of 5 rounds") for text in told)
    with bench.opened() as (_, opened):
        rows = opened.database.frame({"metric": "decode_tps"}, ["round"])
    assert sorted(rows["round"]) == [0, 1, 2]
    record = next((bench.results / "sessions").glob("*.json")).read_text("utf-8")
    assert record.count("stopped after 3 of 5 rounds") == 2


def test_a_session_that_was_cut_off_knows_what_its_rounds_gave(bench: Bench) -> None:
    probes = {"generation": {"prompt": 8, "output": 8, "warmup": 0, "repetitions": 1}}
    bench.sweep(method="fp32", rounds=5, precision="99%", probes=probes, engine={"fake": {"step_seconds": 0.03}})

    class Stop(Exception):
        pass

    def stop(event: Event) -> None:
        if event.what == "done" and event.job and event.job.round == 2:
            raise Stop

    with pytest.raises(Stop):
        bench.run(stop)
    events = bench.run()
    speed = [event.what for event in events if event.job and event.job.kind == "speed"]
    assert speed == ["known"] * 3 + ["enough"] * 2
