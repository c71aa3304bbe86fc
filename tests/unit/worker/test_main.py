"""The worker's side of its protocol: run folders from a file, answers and a heartbeat, an end with its reader."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import worker
from harness.worker import answers as answering
from harness.worker.answers import Answers
from tests.fake_machine import Bench

WORDS = [sys.executable, "-m", "harness.worker", "here", "--folders"]


@pytest.fixture
def endless(bench: Bench, tmp_path: Path) -> Path:
    """A file with the run folder of a job that never ends."""
    bench.methods({"stuck": {"recipes": {"fake": {"fail": "hang"}}}})
    bench.sweep(method=["stuck"], timeout=1)
    bench.run()
    (job,) = bench.results.glob("runs/*-b-*/job.json")
    folder = tmp_path / "again"
    folder.mkdir()
    content = json.loads(job.read_text("utf-8"))
    content["inputs"][0]["path"] = str(bench.configs.parent / "model")
    content["out"] = str(tmp_path / "out" / "b-1")
    (folder / "job.json").write_text(json.dumps(content), "utf-8")
    listed = tmp_path / "listed"
    listed.write_text(f"{folder}\n", "utf-8")
    return listed


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Workers that were started; none outlives the test."""
    found: list[subprocess.Popen[str]] = []
    yield found
    for one in found:
        one.kill()
        one.wait()
        if one.stdout is not None:
            one.stdout.close()


def until(file: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"{file} did not come"
        time.sleep(0.02)


def test_a_worker_ends_with_whoever_reads_its_answers(endless: Path, started: list[subprocess.Popen[str]]) -> None:
    process = subprocess.Popen([*WORDS, str(endless)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    started.append(process)
    until(endless.parent / "again" / worker.HEARTBEAT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=20) != 0


def test_a_worker_whose_answers_go_to_a_file_lives_on(endless: Path, started: list[subprocess.Popen[str]]) -> None:
    with open(endless.with_name("said"), "w", encoding="utf-8") as said:
        process = subprocess.Popen([*WORDS, str(endless)], stdout=said, text=True, start_new_session=True)
    started.append(process)
    until(endless.parent / "again" / worker.HEARTBEAT)
    time.sleep(1.5)
    assert process.poll() is None


def test_the_heart_beats_while_a_job_runs_and_what_is_answered_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "BEAT_SECONDS", 0.5)
    answers = Answers(io.StringIO())
    answers.say(ready=True)
    with answering.alive(tmp_path, answers):
        beats = {int((tmp_path / worker.HEARTBEAT).read_text("utf-8"))}
        answers.say(begin="a")
        end = time.monotonic() + 30
        while len(beats) < 3 and time.monotonic() < end:
            answers.progress("a", 0.5, "some")
            time.sleep(0.03)
            beats.add(int((tmp_path / worker.HEARTBEAT).read_text("utf-8")))
        answers.say(done="a")
    assert len(beats) >= 3
    assert 1 in beats
    assert not (tmp_path / worker.HEARTBEAT).exists()
    kept = [next(iter(json.loads(line))) for line in (tmp_path / worker.ANSWERS).read_text("utf-8").splitlines()]
    assert kept[0] == "begin"
    assert kept[-1] == "done"
    assert 1 <= kept.count("progress") <= 8


def test_a_folder_that_cannot_be_written_stops_neither_heart_nor_answers(tmp_path: Path) -> None:
    answers = Answers(io.StringIO())
    with answering.alive(tmp_path / "nowhere", answers):
        answers.say(begin="a")


@pytest.mark.parametrize("words", [["here"], [], ["--folders"], ["here", "--folders"], ["here", "nowhere", "listed"]])
def test_a_worker_says_what_it_must_be_given(words: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "harness.worker", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 1
    assert "--folders FILE" in ran.stderr


@pytest.mark.parametrize("content", [None, '"unfinished', "\\udcff"], ids=["none", "broken", "no text"])
def test_a_file_of_folders_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    listed = tmp_path / "listed"
    if content is not None:
        listed.write_bytes(content.encode() if "u" in content[:3] and content[0] == '"' else b"\xff\xfe")
    ran = subprocess.run([*WORDS, os.fspath(listed)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert "listed cannot be read" in ran.stderr
    assert "Traceback" not in ran.stderr
