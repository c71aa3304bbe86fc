"""Workers that die, and batches that others take over."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core import heartbeat
from harness.worker import queue_layout as batches
from harness.worker import queue_process as processes
from harness.worker import queue_take, queue_watch
from harness.worker.queue_take import take
from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.unit.worker.queues import hanging, until

WORKER = [sys.executable, "-m", "harness.worker", "here", "--queue"]


@pytest.mark.slow
def test_a_killed_workers_child_ends_and_another_takes_its_batch_over(queue: Path, bench: Bench) -> None:
    hanging(queue, bench, "a@b.jsonl", None)
    first = subprocess.Popen([*WORKER, str(queue)], cwd=ROOT)
    until(lambda: list((queue / "runs" / "r0").glob("heartbeat")), 60)
    children = psutil.Process(first.pid).children(recursive=True)
    assert children
    first.kill()
    first.wait(timeout=30)
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children), 10)
    (taken,) = queue_take.taken_batches(queue)
    assert taken.name.startswith("a@b.jsonl@")
    job = queue / "runs" / "r0" / "job.json"
    job.write_text(json.dumps(json.loads(job.read_text("utf-8")) | {"timeout_seconds": 4}), "utf-8")
    for number in (0, 1):  # what a build that was cut off leaves
        left = queue / "out" / f"b-{number}.partial-r{number}"
        left.mkdir(parents=True, exist_ok=True)
        (left / "half").touch()
    script = "import sys; from pathlib import Path; from harness.worker import queue_folder, queue_watch; queue_watch.STILL_SECONDS = 2.0\n"
    script += "print(queue_folder.serve_queue(Path(sys.argv[1]), 'here', exit_when_idle=True).run)"
    second = subprocess.run(
        [sys.executable, "-c", script, str(queue)], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    assert second.stdout.strip() == "1"
    statuses = [json.loads((queue / "runs" / n / "outcome.json").read_text("utf-8"))["status"] for n in ("r0", "r1")]
    assert statuses == ["timeout", "ok"]
    assert not list((queue / "out").rglob("half"))
    assert {path.name for path in (queue / batches.DONE).iterdir()} == {"a@b.jsonl", "a@b.jsonl.said"}
    assert '"taken_over_from"' in (queue / batches.DONE / "a@b.jsonl.said").read_text("utf-8")


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_kills_its_child_and_puts_its_batch_back(queue: Path, bench: Bench) -> None:
    hanging(queue, bench, "a.jsonl", None)
    worker = subprocess.Popen([*WORKER, str(queue)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    until(lambda: list((queue / "runs" / "r0").glob("heartbeat")), 60)
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(signal.SIGTERM)
    assert "told to end; what this worker had taken is in 'waiting' again" in worker.communicate(timeout=30)[1]
    assert worker.returncode == 2
    assert not any(child.is_running() and child.status() != "zombie" for child in children)
    assert {path.name for path in (queue / batches.WAITING).iterdir()} == {"a.jsonl", "a.jsonl.said"}
    assert not list((queue / batches.TAKEN).iterdir())
    assert not list((queue / batches.WORKERS).glob("*.beat"))


@pytest.mark.slow
def test_the_worker_of_a_killed_command_ends(queue: Path) -> None:
    script = "import sys; from pathlib import Path; from harness.executors import process\n"
    script += "process.serve_queue(Path(sys.executable), 'here', Path(sys.argv[1]), exit_when_idle=False)"
    command = subprocess.Popen([sys.executable, "-c", script, str(queue)], cwd=ROOT)
    until(lambda: list((queue / batches.WORKERS).glob("*.beat")), 60)
    workers = psutil.Process(command.pid).children(recursive=True)
    command.kill()
    command.wait(timeout=30)
    until(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers), 20)
    assert not list((queue / batches.WORKERS).glob("*.beat"))


@pytest.fixture
def watch(queue: Path, monkeypatch: pytest.MonkeyPatch) -> queue_watch.QueueWatch:
    for name in (batches.WORKERS, batches.FAILED):
        (queue / name).mkdir()
    (queue / batches.TAKEN / "x@y.jsonl@other-1").write_text("", "utf-8")
    (queue / batches.TAKEN / "x@y.jsonl@other-1.said").write_text("so far\n", "utf-8")
    monkeypatch.setattr(queue_watch, "STILL_SECONDS", 0.3)
    return queue_watch.QueueWatch(queue, "me-2")


def test_a_worker_whose_number_rises_keeps_its_batch(queue: Path, watch: queue_watch.QueueWatch) -> None:
    beat = queue / batches.WORKERS / "other-1.beat"
    for count in range(6):
        beat.write_text(f"{count}\n", "utf-8")
        assert watch.taken_over() is None
        assert watch.unsure == (count == 0), "one look says nothing, two do"
        time.sleep(0.1)


def test_a_batch_is_taken_over_once_and_told(queue: Path, watch: queue_watch.QueueWatch) -> None:
    taken = queue / batches.TAKEN
    (queue / batches.WORKERS / "other-1.beat").write_text("7\n", "utf-8")
    assert watch.taken_over() is None
    assert watch.unsure
    time.sleep(0.35)
    assert watch.taken_over() == taken / "x@y.jsonl@me-2.again"
    said = (taken / "x@y.jsonl@me-2.again.said").read_text("utf-8")
    assert said.startswith("so far\n")
    assert json.loads(said.splitlines()[1])["taken_over_from"] == "other-1"
    assert {path.name for path in taken.iterdir()} == {"x@y.jsonl@me-2.again", "x@y.jsonl@me-2.again.said"}
    third = queue_watch.QueueWatch(queue, "third-3")
    assert third.taken_over() is None
    time.sleep(0.35)
    assert third.taken_over() is None, "it would end a third worker"
    assert not list(taken.iterdir())
    assert {path.name for path in (queue / batches.FAILED).iterdir()} == {"x@y.jsonl", "x@y.jsonl.said"}
    assert "in the hands of two workers" in (queue / batches.FAILED / "x@y.jsonl.said").read_text("utf-8")


def test_jobs_that_have_an_outcome_are_not_run_again(queue: Path) -> None:
    run = queue / "runs" / "r0"
    run.mkdir(parents=True)
    for name in ("job.json", "outcome.json"):
        (run / name).write_text("{}", "utf-8")
    (queue / batches.WAITING / "a@b.jsonl").write_text('"runs/r0"\n', "utf-8")
    for name in (batches.DONE, batches.FAILED):
        (queue / name).mkdir()
    taken = take(queue, "me")
    assert taken is not None
    processes.run_batch(queue, taken, "here", None)  # type: ignore[arg-type]
    assert (queue / batches.DONE / "a@b.jsonl").is_file()
    assert {path.name for path in run.iterdir()} == {"job.json", "outcome.json"}


@pytest.mark.timeout(30)
def test_a_disk_that_hangs_does_not_hold_a_heartbeat_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, written = threading.Event(), list[bytes]()

    class Hanging(io.BytesIO):
        """A file of which every writing but the first hangs."""

        def write(self, data: Any) -> int:
            written.append(data)
            return 0 if len(written) == 1 else int(hangs.wait(20))

    removed: list[Path] = []
    monkeypatch.setattr(heartbeat, "open", lambda *_, **__: Hanging(), raising=False)
    monkeypatch.setattr(Path, "unlink", removed.append)
    monkeypatch.setattr(heartbeat, "GONE_SECONDS", 0.1)
    with heartbeat.beating(Path("nowhere"), 0.01):
        until(lambda: len(written) == 2, 5)
    assert len(written) == 2
    assert removed == [], "that would hang, too"
    hangs.set()
