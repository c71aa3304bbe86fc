"""`harness compare A B --live` as a person meets it; rounds are of an engine that computes nothing."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from harness.commands import disk
from harness.commands.live import budget_of
from harness.commands.machine import plan_sweep
from harness.core.errors import HarnessError
from harness.runner.live import live_plan
from harness.runner.loop import execute
from harness.runner.session import drawn
from tests.fake_machine import Bench, Said, Say

LIVE = ("fp32", "int8", "--live", "--sweep", "s", "--disturbed", "--where", "metric=decode_tps", "--json")
WIDE = "margins: {speed: 100000 %}\n"
"""Within which everything is the same, however busy the machine is."""


def sweep(bench: Bench, **rest: Any) -> None:
    (bench.configs / "gate.yaml").write_text(WIDE, "utf-8")
    generation = {"batch": 1, "prompt": 8, "output": 8, "warmup": 1, "repetitions": 2}
    bench.sweep(method=["fp32", "int8"], probes={"generation": generation}, **rest)


def compared(say: Say, bench: Bench, *words: str) -> Said:
    """Call `compare` with the configs of a bench."""
    return say(bench, "compare", *words, "--configs", str(bench.configs))


def speed_runs(bench: Bench) -> Any:
    columns = ["run", "session", "round", "method", "notes", "order"]
    return bench.frame({"kind": "speed", "metric": "decode_tps"}, columns).sort_values("order")


def test_a_killed_comparison_is_continued_and_ends_with_its_verdict(bench: Bench, say: Say) -> None:
    sweep(bench)
    with bench.opened() as (planned, opened):
        draw = partial(live_plan, planned.plan, ("fp32", "int8"), "method", {})
        plan, name = drawn(bench.results, "s", draw, datetime.now(UTC))
        with closing(execute(plan, opened, name=name)) as events:
            for event in events:
                if event.what == "done" and event.job and event.job.kind == "speed" and event.job.round == 1:
                    break  # in the middle of the first block
    before = speed_runs(bench)
    said = compared(say, bench, *LIVE)
    found, runs = json.loads(said.out), speed_runs(bench)
    assert said.code == found["exit_code"] == 0
    assert [one["verdict"] for one in found["comparisons"]] == ["same"]
    assert "anytime-valid over 2 blocks" in found["comparisons"][0]["interval"]
    assert "stopped: every number has its verdict" in found["notes"]
    assert "continuing interrupted session" in said.err
    assert len(before) == 3
    assert list(runs["run"][:3]) == list(before["run"]), "what ran counts"
    assert len(runs) == 8
    assert set(runs["session"]) == {name}, "which draws the sides that begin"
    order = list(runs["method"])
    assert all(order[start : start + 4] == order[start : start + 4][::-1] for start in (0, 4))
    assert all(any(note.code == "live" for note in notes) for notes in map(_notes, runs["notes"]))
    later = compared(say, bench, "fp32", "int8", "--disturbed", "--where", "metric=decode_tps", "--json")
    assert json.loads(later.out)["comparisons"] == found["comparisons"], "a later call says the same of these rounds"


def _notes(text: str) -> Any:
    from harness.store.sittings import notes_of

    return notes_of(text)


def test_a_budget_that_is_too_small_gives_no_verdict_and_exits_3(bench: Bench, say: Say) -> None:
    sweep(bench)
    said = compared(say, bench, *LIVE, "--budget", "0.1s")
    found = json.loads(said.out)
    assert (said.code, found["comparisons"]) == (3, [])
    assert "1 whole blocks of rounds; 2 are needed" in found["missing"][0]["why"]
    assert "stopped: the budget of 0.1 s is used" in found["notes"]
    assert len(speed_runs(bench)) == 4


def test_a_side_that_fails_ends_it_and_exits_2(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "broken"])
    said = compared(say, bench, "fp32", "broken", "--live", "--sweep", "s")
    assert said.code == 2
    assert "broken in here cannot be measured" in said.err


@pytest.mark.parametrize(("words", "said"), [
    (("fp32", "int3", "--live", "--sweep", "s"), "does not measure the speed of two methods or two environments int3"),
    (("fp32", "fp32", "--live", "--sweep", "s"), "both sides are fp32; name two"),
    (("fp32", "int8", "--live", "--sweep", "s", "--budget", "soon"), "a budget is a time above 0"),
    (("fp32", "int8", "--only", "model=toy"), "--only chooses what --live measures"),
])  # fmt: skip
def test_what_cannot_be_asked_is_told_and_exits_2(bench: Bench, say: Say, words: tuple[str, ...], said: str) -> None:
    sweep(bench)
    answer = compared(say, bench, *words)
    assert (answer.code, said in answer.err) == (2, True), answer.err


def test_budgets_are_read() -> None:
    assert [budget_of(text) for text in ("90s", "20m", "1.5 h")] == [90, 1200, 5400]
    with pytest.raises(HarnessError, match="as 90s, 20m or"):
        budget_of("0m")
    with pytest.raises(HarnessError, match="a budget is a time above 0"):
        budget_of(f"{'9' * 400}h")


def test_the_plan_of_the_sweep_is_left_as_it_was(bench: Bench) -> None:
    sweep(bench, rounds=3)
    plan = plan_sweep("s", bench.workspace).plan
    assert {job.precision for job in plan.jobs if job.kind == "speed"} != {-1.0}
    assert plan.live == ""


def test_what_cannot_fit_on_the_disk_is_refused_before_anything_runs(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(bench)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    said = compared(say, bench, *LIVE)
    assert said.code == 2
    assert "this cannot fit" in said.err
    assert not len(bench.frame({}, ["run"]))
