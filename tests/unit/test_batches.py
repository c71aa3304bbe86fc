"""A queue folder: batches taken by rename, by whoever is first, each once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import batches
from harness.batches import serve_queue, take
from harness.core.errors import HarnessError
from tests.conftest import ROOT
from tests.fake_box import Bench


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
    assert serve_queue(queue, "here", exit_when_idle=True) == 1
    assert "nowhere cannot be written" in (queue / batches.FAILED / "a.jsonl.said").read_text("utf-8")


def test_a_job_that_outlives_its_limit_costs_itself_alone(
    queue: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
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
            "timeout_seconds": 2 if place == 0 else 60,
        }
        job["inputs"][0]["path"] = str(bench.configs.parent / "model")
        folder = queue / "runs" / f"r{place}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        lines.append(json.dumps(f"runs/r{place}"))
    (queue / batches.WAITING / "a.jsonl").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(batches, "LOOK_SECONDS", 0.2)
    assert serve_queue(queue, "here", exit_when_idle=True) == 1
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
    rename = batches.os.rename

    def slower(source: Path, target: Path) -> None:
        if source.name == "a.jsonl":
            source.unlink()
        rename(source, target)

    monkeypatch.setattr(batches.os, "rename", slower)
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
