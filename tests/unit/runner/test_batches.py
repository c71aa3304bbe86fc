"""Batches in flight: what may run side by side, what waits, and that the order in which they end changes nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from harness.commands.machine import open_workspace, plan_sweep
from harness.core.spec import Status
from harness.executors.record import Batch
from harness.runner.loop import execute
from harness.runner.opened import Event
from harness.worker.answer import Answer
from tests.fake_machine import Bench
from tests.in_process import InProcess


def run(bench: Bench, inside: InProcess, *, slots: int = 1, here: bool = True) -> list[Event]:
    """Run the bench's sweep with an executor of this process."""
    with ExitStack() as stack:
        planned = plan_sweep("s", bench.workspace)
        opened = replace(open_workspace(planned, stack), executor=inside.executor(slots=slots, here=here))
        return list(execute(planned.plan, opened))


def values(bench: Bench) -> dict[Any, Any]:
    """All that was found whose value does not depend on a clock."""
    frame = bench.frame({"status": "ok"}, ["job_key", "round", "metric", "slice", "value", "kind"])
    kept = frame[(frame.kind == "quality") | frame.metric.isin(["artifact_bytes", "weights_bytes"])]
    return {(row.job_key, row.round, row.metric, row.slice): row.value for row in kept.itertuples()}


def kinds(batch: Batch) -> set[str]:
    return {json.loads((job.folder / "job.json").read_text("utf-8"))["kind"] for job in batch.jobs}


@pytest.mark.parametrize("here", [True, False])
def test_the_loop_runs_a_sweep_with_an_executor_of_another_kind_and_finds_the_same(
    bench: Bench, here: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Bench(tmp_path_factory.mktemp("other"))
    for one in (bench, other):
        one.sweep(method=["fp32", "int8", "int4"], rounds=2)
    serial, beside = InProcess(), InProcess()
    run(bench, serial)
    events = run(other, beside, slots=4, here=here)
    assert serial.most == 1
    assert beside.most > 1
    assert Counter(event.status for event in events if event.what == "done") == {"ok": 3 + 3 + 6}
    assert [event.done for event in events if event.what == "done"] == list(range(1, 13))
    assert len(values(bench)) == len(values(other)) > 0
    assert sorted(values(bench).values()) == sorted(values(other).values())


def test_what_is_timed_runs_beside_nothing_and_rounds_keep_their_order(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8", "int4"], rounds=3, precision=None)
    inside = InProcess()
    seen: list[tuple[set[str], set[str]]] = []

    def submit(batch: Batch) -> Any:
        seen.append((kinds(batch), {kind for other in inside._live.values() for kind in kinds(other)}))
        return inside.submit(batch)

    with ExitStack() as stack:
        planned = plan_sweep("s", bench.workspace)
        executor = replace(inside.executor(slots=8), submit=submit)
        list(execute(planned.plan, replace(open_workspace(planned, stack), executor=executor)))
    assert all(not beside for own, beside in seen if own & {"speed", "build"})
    assert any(beside == {"quality"} for own, beside in seen if own == {"quality"})
    rounds = bench.frame({"metric": "decode_tps"}, ["round", "started"]).sort_values("started")["round"]
    assert list(rounds) == sorted(rounds)


def test_a_job_waits_for_what_it_reads_although_there_is_room(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    inside = InProcess()
    run(bench, inside, slots=8, here=False)
    places = {}
    for number, batch in enumerate(inside.batches):
        for job in batch.jobs:
            record = json.loads((job.folder / "job.json").read_text("utf-8"))
            places[record["kind"], record["labels"]["method"]] = number
    for method in ("fp32", "int8"):
        assert places["build", method] < places["quality", method] < places["speed", method]


def test_what_is_in_flight_is_cancelled_where_the_command_ends_early(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    inside = InProcess()
    with ExitStack() as stack:
        planned = plan_sweep("s", bench.workspace)
        opened = replace(open_workspace(planned, stack), executor=inside.executor())
        going = execute(planned.plan, opened)
        assert next(going).what == "session"
        inside.script = lambda batch: [Answer("begin", run=batch.jobs[0].run)]
        live = inside._live
        inside._live = type("Kept", (dict,), {"pop": lambda self, name, *_: self.get(name)})(live)
        assert next(going).what == "begin"
        going.close()
    assert inside.cancelled == ["b1"]


def test_a_job_whose_worker_dies_is_tried_once_more_and_what_was_behind_it_goes_on(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    inside, died = InProcess(), list[str]()

    def script(batch: Batch) -> list[Answer]:
        if not died:
            died.append(batch.jobs[0].run)
            return [Answer("ended", run=died[0], heard=time.monotonic(), text="so it goes", status=Status.FAILED)]
        return inside._ran(batch)

    inside.script = script
    events = run(bench, inside, slots=2)
    (again,) = [event for event in events if event.what == "again"]
    assert (again.run, again.text) == (died[0], "so it goes; tried once more")
    assert Counter(event.status for event in events if event.what == "done") == {"ok": 6}


def test_a_job_whose_outcome_is_there_though_nobody_said_so_is_taken_in(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    inside = InProcess()
    inside.script = lambda batch: inside._ran(batch)[-1:]
    events = run(bench, inside)
    assert Counter(event.status for event in events if event.what == "done") == {"ok": 3}
