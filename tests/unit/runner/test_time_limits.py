"""Nothing waits without end: silent jobs, questions on standard input, limits by history."""

from __future__ import annotations

import json
import math

import pytest

from tests.fake_machine import Bench
from tests.unit.runner.events import states_of


def test_a_hanging_job_becomes_a_timeout(bench: Bench) -> None:
    bench.sweep(method=["stuck"], timeout=2)
    became = states_of(bench.run())
    assert became["stuck build"] == "timeout"
    assert bench.frame({"status": "timeout"}, ["reason"])["reason"].iloc[0] == (
        "took longer than its time limit of 2 s; `timeout` in the sweep allows more"
    )


def test_a_job_that_is_silent_for_long_is_told_of_with_the_end_of_its_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.runner import flight

    monkeypatch.setattr(flight, "QUIET_SECONDS", 1.0)
    bench.sweep(method=["stuck"], timeout=4)
    events = bench.run()
    quiet = [event for event in events if event.what == "quiet"]
    assert len(quiet) >= 2, "and again after each further such time"
    assert quiet[0].text.startswith("nothing heard for 0.0166667 min, 0 min after it began; its log")
    assert states_of(events)["stuck build"] == "timeout"


def test_whoever_asks_on_standard_input_gets_nothing_and_none_of_our_lines(bench: Bench) -> None:
    bench.methods({"asks": {"recipes": {"fake": {"fail": "ask"}}}, "fp32": {"recipes": {"fake": {}}}})
    bench.sweep(method=["asks", "fp32"], timeout=60)
    became = states_of(bench.run())
    assert became["asks build"] == "failed"
    assert became["fp32 build"] == "ok", "the lines after it are still ours"
    assert "EOF" in bench.frame({"method": "asks", "kind": "build"}, ["reason"])["reason"].iloc[0]


def test_without_a_time_limit_a_job_may_take_many_times_what_it_took_before() -> None:
    from harness.runner.records import LEAST_LIMIT, LONGEST, TIMES_USUAL, limit_of

    assert limit_of(None, None) == LONGEST
    assert limit_of(None, 10.0) == LEAST_LIMIT
    assert limit_of(None, 1000.0) == 1000.0 * TIMES_USUAL
    assert limit_of(7.0, 1000.0) == 7.0
    assert limit_of(math.inf, 1000.0) is None, "timeout: null"


def test_the_limit_by_history_reaches_the_worker(bench: Bench) -> None:
    from harness.runner.records import LONGEST

    bench.sweep(method=["fp32"])
    bench.run()
    jobs = [json.loads(path.read_text("utf-8")) for path in bench.results.glob("runs/*/job.json")]
    assert {job["timeout_seconds"] for job in jobs} == {LONGEST}
    bench.run()
    again = [json.loads(path.read_text("utf-8")) for path in bench.results.glob("runs/*-s-*/job.json")]
    assert {job["timeout_seconds"] for job in again} == {LONGEST, 3600.0}
