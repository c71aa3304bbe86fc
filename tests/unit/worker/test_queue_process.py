"""The process of a batch: its limits, and its end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.worker import queue_layout as batches
from harness.worker import queue_process as processes


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
