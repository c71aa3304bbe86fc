"""A queue folder: batches taken by rename, by whoever is first, each once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.worker import queue_layout as batches
from harness.worker import queue_process as processes
from harness.worker.queue_folder import serve_queue
from harness.worker.queue_take import take
from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.unit.worker.queues import hanging


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
