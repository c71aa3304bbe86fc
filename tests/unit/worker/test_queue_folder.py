"""A queue folder: batches taken by rename, by whoever is first, each once."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core import heartbeat
from harness.core.errors import HarnessError
from harness.worker import queue_layout as batches
from harness.worker import queue_process as processes
from harness.worker import queue_take, queue_watch
from harness.worker.queue_folder import serve_queue
from harness.worker.queue_take import take
from tests.conftest import ROOT
from tests.fake_machine import Bench


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    folder = tmp_path / "queue"
    for name in (batches.WAITING, batches.TAKEN):
        (folder / name).mkdir(parents=True)
    return folder


def filled(queue: Path, bench: Bench, count: int) -> dict[str, Path]:
    """Put so many batches of one quality job each into a queue; batch to run folder."""
    bench.sweep(method=["fp32"])
    bench.run()
    (ran,) = bench.results.glob("runs/*-q-*")
    job = json.loads((ran / "job.json").read_text("utf-8"))
    for item in job["inputs"]:
        item["path"] = str(bench.results / "artifacts" / f"b-{item['id'][:12]}")
    found = {}
    for number in range(count):
        folder = queue / "runs" / f"r{number}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps({**job, "run": folder.name}), "utf-8")
        found[f"{number:02d}.jsonl"] = folder
        (queue / batches.WAITING / f"{number:02d}.jsonl").write_text(f"{json.dumps(f'runs/{folder.name}')}\n", "utf-8")
    return found


def test_two_workers_share_the_batches_and_each_is_run_once(queue: Path, bench: Bench) -> None:
    folders = filled(queue, bench, 5)
    words = [sys.executable, "-m", "harness.worker", "here", "--queue", str(queue), "--exit-when-idle"]
    workers = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sum(int(text.split()[0]) for text in said) == 5
    assert {path.name for path in (queue / batches.DONE).glob("*.jsonl")} == set(folders)
    for folder in folders.values():
        outcome = json.loads((folder / "outcome.json").read_text("utf-8"))
        assert outcome["status"] == "ok"
        answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text("utf-8").splitlines()]
        assert sum("begin" in answer for answer in answers) == 1
    described = [json.loads(path.read_text("utf-8")) for path in (queue / batches.WORKERS).glob("*.json")]
    assert len(described) == 2
    assert all(one["environment"]["name"] == "here" for one in described)
    assert not list((queue / batches.WORKERS).glob("*.beat")), "they are over"
    assert not list((queue / batches.TAKEN).iterdir())


def test_a_batch_whose_process_did_not_come_to_its_end_is_told_apart(queue: Path) -> None:
    (queue / batches.WAITING / "a.jsonl").write_text('"nowhere"\n', "utf-8")
    served = serve_queue(queue, "here", exit_when_idle=True)
    assert (served.said, served.code) == ("1 batches run; 1 failed: their last words are in 'failed'", 1)
    assert "nowhere cannot be written" in (queue / batches.FAILED / "a.jsonl.said").read_text("utf-8")


@pytest.mark.parametrize("name", [sys.executable, ""])
def test_the_command_says_how_many_failed_and_exits_with_1_whatever_python_runs_them(
    queue: Path, tmp_path: Path, name: str
) -> None:
    (queue / batches.WAITING / "a.jsonl").write_text('"nowhere"\n', "utf-8")
    (queue / batches.WAITING / "b.jsonl").write_text("", "utf-8")
    if name:  # another path of it: that runs in a process of its own
        (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
        (tmp_path / "configs").mkdir()
        (tmp_path / "python").write_text(f'#!/bin/sh\nexec "{name}" "$@"\n', "utf-8")
        (tmp_path / "python").chmod(0o755)
        (tmp_path / "configs" / "environments.yaml").write_text("here: {python: ./python}\n", "utf-8")
    words = [sys.executable, "-P", "-m", "harness", "worker", "here", "--queue", str(queue), "--exit-when-idle"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env=variables)
    assert (ran.returncode, ran.stdout) == (1, "2 batches run; 1 failed: their last words are in 'failed'\n"), (
        ran.stderr
    )


def hanging(queue: Path, bench: Bench, name: str, limit: float | None) -> None:
    """Put a batch into a queue whose first job hangs, with this limit, and whose second does not."""
    bench.methods({"stuck": {"recipes": {"fake": {"fail": "hang"}}}, "fp32": {"recipes": {"fake": {}}}})
    bench.sweep(
        method=["stuck", "fp32"],
        timeout=1,
        probes={"perplexity": {"window": 64, "stride": 32, "tokens": 64, "text": str(bench.text)}},
    )
    bench.run()
    lines = []
    for place, ran in enumerate(
        sorted(bench.results.glob("runs/*-b-*"), key=lambda path: "hang" not in (path / "job.json").read_text("utf-8"))
    ):
        job = json.loads((ran / "job.json").read_text("utf-8"))
        job |= {
            "run": f"r{place}",
            "out": str(queue / "out" / f"b-{place}"),
            "timeout_seconds": limit if place == 0 else 60,
        }
        job["inputs"][0]["path"] = str(bench.configs.parent / "model")
        folder = queue / "runs" / f"r{place}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        lines.append(json.dumps(f"runs/r{place}"))
    (queue / batches.WAITING / name).write_text("\n".join(lines), "utf-8")


def test_a_job_that_outlives_its_limit_costs_itself_alone(
    queue: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging(queue, bench, "a.jsonl", 2)
    monkeypatch.setattr(processes, "LOOK_SECONDS", 0.2)
    served = serve_queue(queue, "here", exit_when_idle=True)
    assert (served.said, served.code) == ("1 batches run; 1 jobs are not ok: the reasons are in their outcome.json", 1)
    late, after = (json.loads((queue / "runs" / name / "outcome.json").read_text("utf-8")) for name in ("r0", "r1"))
    assert (late["status"], late["written_by"]) == ("timeout", "runner")
    assert late["reason"] == "took longer than its time limit of 2 s; `timeout` in the sweep allows more"
    assert late["environment"]["name"] == "here"
    assert late["seconds"] >= 2
    assert after["status"] == "ok"
    assert {path.name for path in (queue / batches.DONE).iterdir()} == {"a.jsonl", "a.jsonl.said"}
    assert not list((queue / batches.TAKEN).iterdir())


def test_what_another_worker_took_first_is_left_and_what_is_no_batch_stays(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = queue / batches.WAITING
    for name in ("a.jsonl", "b.jsonl", "notes.txt"):
        (waiting / name).write_text("", "utf-8")
    (waiting / "linked.jsonl").symlink_to(waiting / "notes.txt")
    (waiting / "folder.jsonl").mkdir()
    rename = os.rename

    def slower(source: Path, target: Path) -> None:
        if source.name == "a.jsonl":
            source.unlink()
        rename(source, target)

    monkeypatch.setattr(os, "rename", slower)
    taken = take(queue, "me")
    assert taken is not None
    assert taken.name == "b.jsonl@me"
    assert take(queue, "me") is None
    assert {path.name for path in waiting.iterdir()} == {"notes.txt", "linked.jsonl", "folder.jsonl"}


def test_a_folder_that_is_no_queue_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="is no queue folder: it has no folder 'waiting'; make one"):
        serve_queue(tmp_path, "here")


def test_the_file_for_a_scheduler_in_the_documentation_types_what_is_run_here() -> None:
    text = (ROOT / "results" / "README.md").read_text("utf-8")
    (line,) = [one for one in text.splitlines() if one.startswith("    .venv/")]
    assert line.split()[1:] == ["worker", "cuda", "--queue", "queue", "--exit-when-idle"]


# ---------------------------------------------------------------- workers that die


def until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


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
    job.write_text(json.dumps(json.loads(job.read_text("utf-8")) | {"timeout_seconds": 1}), "utf-8")
    script = "import sys; from pathlib import Path; from harness.worker import queue_folder, queue_watch; queue_watch.STILL_SECONDS = 2.0\n"
    script += "print(queue_folder.serve_queue(Path(sys.argv[1]), 'here', exit_when_idle=True).run)"
    second = subprocess.run(
        [sys.executable, "-c", script, str(queue)], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    assert second.stdout.strip() == "1"
    statuses = [json.loads((queue / "runs" / n / "outcome.json").read_text("utf-8"))["status"] for n in ("r0", "r1")]
    assert statuses == ["timeout", "ok"]
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


def test_a_job_without_a_limit_has_one(tmp_path: Path) -> None:
    assert processes.QueuedJob(tmp_path, None).limit == processes.LONGEST_SECONDS


def _child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let a batch's process be this code, which says what a worker says and does not end."""
    monkeypatch.setattr(processes, "WORKER", (sys.executable, "-c", f"import time; {code}; time.sleep(60)"))
    monkeypatch.setattr(processes, "LOOK_SECONDS", 0.1)


def _serve(queue: Path) -> processes.Ended:
    taken = queue / batches.TAKEN / "a.jsonl@me"
    taken.write_text("", "utf-8")
    with batches.beside(taken, ".said").open("ab") as out:
        return processes._served(queue, "here", taken, [processes.QueuedJob(queue / "runs" / "r0", None)], out)


@pytest.mark.timeout(30)
def test_a_process_that_does_not_end_after_its_last_job_is_ended_and_told(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _child(monkeypatch, 'print(\'{"done": "r0", "status": "ok"}\', flush=True)')
    monkeypatch.setattr(processes, "CLOSE_SECONDS", 0.3)
    assert _serve(queue) == processes.Ended(code=0)
    said = (queue / batches.TAKEN / "a.jsonl@me.said").read_text("utf-8").splitlines()
    assert json.loads(said[0]) == {"done": "r0", "status": "ok"}
    assert json.loads(said[1])["why"] == "it did not end within 0.3 s after its last job"


@pytest.mark.timeout(30)
def test_a_job_whose_file_cannot_be_read_has_a_limit(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _child(monkeypatch, "print('not json', flush=True)")
    monkeypatch.setattr(processes, "LONGEST_SECONDS", 0.3)
    ended = _serve(queue)
    assert (ended.late, ended.seconds >= 0.3) == (0, True)


@pytest.mark.timeout(30)
def test_a_worker_whose_batch_was_taken_over_ends_its_process(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _child(monkeypatch, f"import os; os.unlink({str(queue / batches.TAKEN / 'a.jsonl@me')!r})")
    with pytest.raises(processes.Lost):
        _serve(queue)


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


@pytest.mark.timeout(30)
def test_a_batch_that_was_taken_over_while_its_process_came_to_its_end_is_left_to_the_other(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, other = queue / batches.TAKEN / "a.jsonl@me", queue / batches.TAKEN / "a.jsonl@you.again"
    taken.write_text('"runs/r0"\n', "utf-8")
    rename = f"import os; os.rename({str(taken)!r}, {str(other)!r}); os.rename({str(taken) + '.said'!r}, {str(other) + '.said'!r})"
    monkeypatch.setattr(processes, "WORKER", (sys.executable, "-c", rename))
    (queue / batches.DONE).mkdir()
    with pytest.raises(processes.Lost):
        processes.run_batch(queue, taken, "here", None)  # type: ignore[arg-type]
    assert other.exists()
    assert not list((queue / batches.DONE).iterdir())
