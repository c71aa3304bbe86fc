"""A queue folder under kill -9: of a worker, of the command, of both; clocks and heartbeats that lie; nothing is lost, nothing run twice."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from harness.worker.queue_layout import DONE, FAILED, TAKEN, WAITING, WORKERS
from harness.worker.queue_take import taken_batches
from tests.conftest import ROOT
from tests.fake_machine import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]
Found = TypeVar("Found")
PROBES = {
    "generation": {"prompt": 8, "output": 8, "warmup": 0, "repetitions": 1},
}


class Yard:
    """A bench whose sweep runs through a queue folder, and the processes that do it."""

    def __init__(self, bench: Bench, queue: Path) -> None:
        self.bench, self.queue = bench, queue
        self.log = queue.with_suffix(".log")
        (queue / WAITING).mkdir(parents=True)
        self.started: list[subprocess.Popen[str]] = []

    def worker(self, *words: str) -> subprocess.Popen[str]:
        return self._start([sys.executable, "-m", "tests.queue_worker", str(self.queue), *words])

    def command(self, *words: str) -> subprocess.Popen[str]:
        places = ["--configs", str(self.bench.configs), "--results", str(self.bench.results)]
        run = [sys.executable, "-m", "harness", "run", "s", "--executor", f"folder={self.queue}"]
        return self._start([*run, *places, *words])

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        with self.log.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, text=True)
        self.started.append(process)
        return process

    def workers_known(self, count: int) -> None:
        self.until(lambda: len(list((self.queue / WORKERS).glob("*.beat"))) >= count)

    def until(self, true: Callable[[], Found | None], seconds: float = 90) -> Found:
        end = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < end, self.said
            time.sleep(0.02)
        return found

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def running(self, kind: str) -> Path | None:
        """A run folder of a kind whose job has begun and not come to an outcome."""
        for log in (self.bench.results / "runs").glob(f"*-{kind}-*/log.txt"):
            if not (log.parent / "outcome.json").exists():
                return log.parent
        return None

    def finish(self) -> None:
        """Let a command come to its end."""
        assert self.command().wait(timeout=200) == 0, self.said

    def outcomes(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text("utf-8")) for path in (self.bench.results / "runs").glob("*/outcome.json")]

    def jobs(self) -> Counter[tuple[str, str, int]]:
        """How often each job came out well."""
        return Counter(
            (one["job"]["kind"], one["job"]["key"], one["job"]["round"])
            for one in self.outcomes()
            if one["status"] == "ok"
        )

    def check(self, jobs: int) -> None:
        """Hold what is there against what must be: each job once, on disk and in the database, and an empty queue."""
        done = self.jobs()
        assert len(done) == jobs, self.said
        assert set(done.values()) == {1}, self.said
        frame = self.bench.frame({"status": "ok"}, ["run"])
        assert frame["run"].nunique() == jobs
        left = [path.name for place in (WAITING, TAKEN, DONE, FAILED) for path in (self.queue / place).iterdir()]
        assert left == []
        assert not list((self.bench.results / "artifacts").glob("*.partial*"))


@pytest.fixture
def yard(bench: Bench, tmp_path: Path) -> Iterator[Yard]:
    bench.methods(
        {"a": {"recipes": {"fake": {"seconds": 0.3}}}, "b": {"recipes": {"fake": {"noise": 0.1, "seconds": 0.3}}}}
    )
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    bench.sweep(
        method=["a", "b"],
        engine={"fake": {"open_seconds": 1.0}},
        rounds=2,
        precision=None,
        probes={**PROBES, "perplexity": text},
    )
    found = Yard(bench, tmp_path / "queue")
    yield found
    for process in found.started:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                one.kill()
        process.wait(timeout=30)


JOBS = 2 + 2 + 2 * 2
"""Builds, perplexities, and two rounds of speed of two methods."""


def test_two_workers_run_a_sweep_through_a_queue_and_find_what_one_process_finds(yard: Yard, tmp_path: Path) -> None:
    for _ in range(2):
        yard.worker()
    yard.workers_known(2)
    yard.finish()
    yard.check(JOBS)
    other = Bench(tmp_path / "other")
    for name in ("methods.yaml", "sweeps/s.yaml", "models.yaml"):
        (other.configs / name).write_bytes((yard.bench.configs / name).read_bytes())
    other.run()
    same = ["job_key", "metric", "slice", "value"]
    kinds = {"kind": "quality", "status": "ok"}
    here, there = (one.frame(kinds, same).sort_values(same).reset_index(drop=True) for one in (yard.bench, other))
    assert len(here)
    assert here.equals(there)


@pytest.mark.parametrize("kind", ["b", "q", "s"])
def test_a_worker_that_is_killed_costs_nothing(yard: Yard, kind: str) -> None:
    first = yard.worker()
    yard.workers_known(1)
    command = yard.command()
    yard.until(lambda: yard.running(kind))
    first.kill()
    first.wait()
    yard.worker()
    assert command.wait(timeout=200) == 0, yard.said
    yard.check(JOBS)
    assert "taken over from" in yard.said


@pytest.mark.parametrize("kind", ["b", "q", "s"])
def test_a_command_that_is_killed_is_continued_and_its_batches_are_not_handed_over_twice(yard: Yard, kind: str) -> None:
    yard.worker()
    yard.workers_known(1)
    command = yard.command()
    folder = yard.until(lambda: yard.running(kind))
    command.kill()
    command.wait()
    yard.finish()
    yard.check(JOBS)
    assert (folder / "outcome.json").exists(), "what was on its way was waited for"


def test_what_came_out_while_no_command_ran_is_taken_in(yard: Yard) -> None:
    worker = yard.worker()
    yard.workers_known(1)
    command = yard.command()
    yard.until(lambda: yard.running("q"))
    command.kill()
    command.wait()
    yard.until(lambda: not taken_batches(yard.queue) and not list((yard.queue / WAITING).glob("*.jsonl")))
    worker.terminate()
    worker.wait(timeout=60)
    before = set((yard.bench.results / "runs").glob("*/outcome.json"))
    yard.worker()
    yard.finish()
    yard.check(JOBS)
    assert all(path.exists() for path in before)


def test_a_command_and_its_worker_that_are_both_killed_lose_nothing(yard: Yard) -> None:
    worker = yard.worker()
    yard.workers_known(1)
    command = yard.command()
    yard.until(lambda: yard.running("q"))
    for process in (command, worker):
        process.kill()
        process.wait()
    again = yard.command()
    yard.until(lambda: "batches that an earlier command handed over" in yard.said)
    yard.worker()
    assert again.wait(timeout=200) == 0, yard.said
    yard.check(JOBS)


def test_a_worker_whose_heart_stops_while_it_lives_loses_its_batch_and_goes_on_with_others(yard: Yard) -> None:
    first = yard.worker()
    yard.workers_known(1)
    command = yard.command()
    yard.until(lambda: yard.running("q"))
    first.send_signal(signal.SIGSTOP)
    second = yard.worker()
    yard.until(lambda: "taken over from" in yard.said)
    first.send_signal(signal.SIGCONT)
    assert command.wait(timeout=200) == 0, yard.said
    yard.check(JOBS)
    assert "is not this worker's any more" in yard.said
    assert first.poll() is None
    assert second.poll() is None


@pytest.mark.parametrize("shift", [3600, -3600], ids=["ahead", "behind"])
def test_a_worker_whose_clock_differs_by_an_hour_is_neither_dead_nor_wrong(yard: Yard, shift: int) -> None:
    yard.worker("--still", "30")
    yard.worker("--clock", str(shift), "--still", "30")
    yard.workers_known(2)
    yard.finish()
    yard.check(JOBS)
    assert "taken over" not in yard.said
    started = [one["started"][:13] for one in yard.outcomes()]
    assert len(set(started)) > 1, "both had something to do"
    yard.finish()  # rounds of a second session count as later, whatever the clocks said
    frame = yard.bench.frame({"metric": "decode_tps"}, ["session", "counts_from"]).sort_values("counts_from")
    assert len(frame) == 8
    sessions = list(dict.fromkeys(frame["session"]))
    assert list(frame["session"]) == [sessions[0]] * 4 + [sessions[1]] * 4


RACE = """
import os, sys, time
from pathlib import Path
from harness.worker.queue_layout import DONE, name_of
from harness.worker.queue_take import take
queue, me = Path(sys.argv[1]), sys.argv[2]
(queue / me).touch()
while not (queue / "go").exists():
    time.sleep(0.001)
while (taken := take(queue, me)) is not None:
    print(name_of(taken))
    os.rename(taken, queue / DONE / name_of(taken))
"""


def test_workers_that_race_for_four_hundred_batches_take_each_once(tmp_path: Path) -> None:
    for name in (WAITING, TAKEN, DONE):
        (tmp_path / name).mkdir()
    for number in range(400):
        (tmp_path / WAITING / f"{number:03d}.jsonl").write_text("", "utf-8")
    words = [sys.executable, "-c", RACE, str(tmp_path)]
    racers = [subprocess.Popen([*words, f"w{n}"], cwd=ROOT, stdout=subprocess.PIPE, text=True) for n in range(4)]
    while not all((tmp_path / f"w{n}").exists() for n in range(4)):
        assert all(racer.poll() is None for racer in racers)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    said = [racer.communicate(timeout=100)[0].split() for racer in racers]
    assert Counter(name for names in said for name in names) == Counter(f"{n:03d}.jsonl" for n in range(400))
    assert sum(bool(names) for names in said) > 1, "it was a race"
    assert len(list((tmp_path / DONE).iterdir())) == 400
