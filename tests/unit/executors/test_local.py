"""The executor `local`: what its processes say, how they end, and that nothing of them is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.core.registry import load
from harness.core.spec import Status
from harness.executors import EXECUTORS
from harness.executors import local as executor
from harness.executors.record import Batch, BatchJob, Executor, ExecutorOptions, Handle
from harness.worker.answer import Answer

Start = Callable[..., tuple[Executor, Handle]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a batch of two jobs whose worker is a shell script."""
    begun: list[tuple[Executor, Handle]] = []

    def started(script: str, limit: float | None = None) -> tuple[Executor, Handle]:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        python.chmod(0o755)
        jobs = []
        for run in ("r0", "r1"):
            (tmp_path / run).mkdir()
            jobs.append(BatchJob(run, tmp_path / run, limit))
        opened: Executor = load(EXECUTORS, "executor", "local")(ExecutorOptions(pythons={"here": python}))
        begun.append((opened, opened.submit(Batch("here", tuple(jobs)))))
        return begun[-1]

    yield started
    for opened, handle in begun:
        opened.cancel(handle)


def heard(opened: Executor, handle: Handle, seconds: float = 20) -> list[Answer]:
    """All that is said until the batch is over."""
    found: list[Answer] = []
    end = time.monotonic() + seconds
    while not found or found[-1].what != "ended":
        assert time.monotonic() < end, found
        for other, answer in opened.poll([handle], 0.2):
            assert other is handle
            found.append(answer)
    return found


def says(*lines: str) -> str:
    return "\n".join(f"echo '{line}'" for line in lines)


DONE = ('{"begin": "r0", "now": 1}', '{"done": "r0", "status": "ok", "now": 2, "spans": {"open": 0.5}}')
BOTH = (*DONE, '{"begin": "r1", "now": 3}', '{"done": "r1", "status": "failed", "now": 4}', '{"closed": 0.1}')


def test_answers_come_in_order_and_the_end_last_and_what_is_no_answer_is_left_out(start: Start) -> None:
    found = heard(*start(says("a library speaks", "[1]", '{"done": 3}', '{"done": "r0", "status": "wow"}', *BOTH)))
    assert [(one.what, one.run) for one in found] == [
        ("begin", "r0"), ("done", "r0"), ("begin", "r1"), ("done", "r1"), ("closed", ""), ("ended", ""),
    ]  # fmt: skip
    assert [one.status for one in found if one.what == "done"] == [Status.OK, Status.FAILED]
    assert found[1].spans == {"open": 0.5}
    assert found[-1].status is None


def test_a_worker_that_dies_answers_for_the_job_that_it_was_at(start: Start) -> None:
    *_, end = heard(*start(says(*DONE) + "\necho so it goes >&2\nexit 3"))
    assert (end.run, end.status, end.text) == ("r1", Status.FAILED, "the worker exited with code 3: so it goes")


def test_an_exit_with_0_in_the_middle_of_a_job_is_a_death_too(start: Start) -> None:
    *_, end = heard(*start(says(DONE[0])))
    assert (end.run, end.status) == ("r0", Status.FAILED)


def test_a_worker_that_says_that_it_ends_leaves_the_rest_without_an_answer(start: Start) -> None:
    *_, end = heard(*start(says(*DONE, '{"closed": 0.0}')))
    assert (end.run, end.status) == ("", None)


def test_a_job_that_outlives_its_limit_ends_with_all_that_it_started(start: Start, tmp_path: Path) -> None:
    opened, handle = start(f"{says(DONE[0])}\nsleep 600 &\necho $! > {tmp_path}/child\nsleep 600", limit=1.0)
    *_, end = heard(opened, handle)
    assert (end.run, end.status) == ("r0", Status.TIMEOUT)
    assert end.text.startswith("took longer than its time limit of 1 s")
    assert 1.0 <= end.seconds < 10
    assert not _lives(int((tmp_path / "child").read_text("utf-8")))


def test_a_process_that_does_not_end_after_its_last_job_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "CLOSE_SECONDS", 0.5)
    *_, end = heard(*start(f"{says(*BOTH)}\nsleep 600"))
    assert (end.run, end.status) == ("", None)


def test_a_worker_whose_output_a_child_of_it_holds_open_is_over_all_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "KILLED_SECONDS", 0.5)
    *_, end = heard(*start("sleep 600 &\nexit 7"))
    assert (end.status, end.text) == (
        Status.FAILED,
        "the worker exited with code 7: its output was left open by a child of it",
    )


def test_what_is_cancelled_is_gone_and_says_nothing_any_more(start: Start, tmp_path: Path) -> None:
    opened, handle = start(f"{says(DONE[0])}\necho $$ > {tmp_path}/child\nsleep 600")
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text("utf-8"):
        time.sleep(0.05)
    opened.cancel(handle)
    assert not _lives(int((tmp_path / "child").read_text("utf-8")))
    assert opened.poll([handle], 0.1) == []
    opened.cancel(handle)  # once more says nothing


def test_an_environment_that_is_not_on_this_machine_is_none() -> None:
    opened: Executor = load(EXECUTORS, "executor", "local")(ExecutorOptions())
    assert (opened.describe("cuda"), opened.here, opened.slots) == (None, True, 1)


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and pid != os.getpid()
