"""kill -9 of the runner or a worker at seeded moments, then the same command again: nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.files import PARTIAL, STAMP
from harness.core.identity import file_sha256, files_below
from harness.store.database import Database
from tests.fake_machine import Bench

SPEED = ["decode_tps", "ttft", "e2e_latency"]
PHASES = ("build", "seal", "ingest", "measure")
REAL_METHODS = {
    "fp32": {"recipes": {"ort-genai": {"precision": "fp32"}}},
    "int4": {"recipes": {"ort-genai": {"precision": "int4"}}},
}


class Killed:
    """One results folder, the command that fills it, and the moments at which it was killed."""

    def __init__(self, bench: Bench, results: Path, seed: int, reach: float) -> None:
        self.bench, self.results = bench, results
        self.random = random.Random(seed)
        self.reach = reach
        self.hits: Counter[tuple[str, str]] = Counter()

    def command(self) -> subprocess.Popen[bytes]:
        words = [
            sys.executable,
            "-m",
            "harness",
            "run",
            "s",
            "--configs",
            str(self.bench.configs),
            "--results",
            str(self.results),
        ]
        with open(self.log, "ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log)

    def finish(self) -> None:
        """Let a command come to its end."""
        assert self.command().wait(timeout=300) == 0, self.log.read_text("utf-8")[-3000:]

    @property
    def log(self) -> Path:
        return self.results.with_suffix(".log")

    def kill_once(self, phase: str, whom: str) -> bool:
        """Start the command and kill it or its worker in a phase; tells whether the command came to its end."""
        met = {"build": self._building, "seal": self._sealed, "ingest": self._written, "measure": self._measuring}[
            phase
        ]()
        process = self.command()
        while process.poll() is None:
            if met():
                time.sleep(self.random.uniform(0, self.reach if phase in {"build", "measure"} else 0.005))
                victim = process.pid if whom == "runner" else self._worker(process.pid)
                if victim is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
                    self.hits[phase, whom] += 1
                    break
            time.sleep(0.001)
        return process.wait(timeout=300) == 0

    @staticmethod
    def _worker(runner: int) -> int | None:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(runner).children():
                if "harness.worker" in child.cmdline():
                    return child.pid
        return None

    def _building(self) -> Callable[[], bool]:
        return lambda: any((self.results / "artifacts").glob(f"*{PARTIAL}-*"))

    def _sealed(self) -> Callable[[], bool]:
        before = self._sealed_names()
        return lambda: bool(self._sealed_names() - before)

    def _sealed_names(self) -> set[str]:
        folder = self.results / "artifacts"
        return (
            {path.name for path in folder.iterdir() if path.is_dir() and PARTIAL not in path.name}
            if folder.is_dir()
            else set()
        )

    def _written(self) -> Callable[[], bool]:
        before = set((self.results / "runs").glob("*/outcome.json"))
        return lambda: bool(set((self.results / "runs").glob("*/outcome.json")) - before)

    def _measuring(self) -> Callable[[], bool]:
        before = set((self.results / "runs").glob("[qs]-*/log.txt")) | set(
            (self.results / "runs").glob("*-[qs]-*/log.txt")
        )
        return lambda: bool(set((self.results / "runs").glob("*-[qs]-*/log.txt")) - before)


def facts(results: Path) -> tuple[Any, Any]:
    """Rows and hashes that must not depend on how often anybody was killed."""
    with Database.open(results / "bench.db") as database:
        rows = database.frame(
            {"status": "ok"},
            ["job_key", "environment", "round", "kind", "metric", "slice", "n", "value", "artifact_content"],
        )
    columns = ["job_key", "environment", "round", "metric", "slice"]
    counted = rows.groupby(columns, dropna=False).size()
    quality = rows[rows.kind == "quality"].set_index(columns)["value"].sort_index()
    artifacts = rows[rows.metric == "artifact_bytes"].set_index("job_key")["artifact_content"].sort_index()
    return (counted, quality, artifacts), sorted(
        path.name for path in (results / "artifacts").iterdir() if path.is_dir()
    )


def check(bench: Bench, tmp_path: Path, kills: int, reach: float, seed: int) -> Counter[tuple[str, str]]:
    """Kill at `kills` seeded moments, always going on in the same folder until a command comes to its end.

    Each folder is then held against that of an uninterrupted command, and the next moment finds an empty one.
    """
    whole = Killed(bench, tmp_path / "whole", 0, reach)
    whole.finish()
    wholes = [whole]
    order = random.Random(seed)
    hits: Counter[tuple[str, str]] = Counter()
    moments = [(phase, whom) for phase in PHASES for whom in ("runner", "worker")]
    trial = Killed(bench, tmp_path / "killed-0", seed, reach)
    for number in range(4 * kills):
        if sum(hits.values()) >= kills:
            break
        if number % len(moments) == 0:
            order.shuffle(moments)
        before = sum(trial.hits.values())
        ended = trial.kill_once(*moments[number % len(moments)])
        hits += Counter() if sum(trial.hits.values()) == before else Counter([moments[number % len(moments)]])
        if ended:
            compare(trial, wholes)
            trial = Killed(bench, tmp_path / f"killed-{number + 1}", seed + number, reach)
    trial.finish()
    compare(trial, wholes)
    return hits


def other_files(one: Killed, two: Killed) -> list[str]:
    """Name the files of two folders' artifacts whose bytes differ."""
    listed = [{str(p.relative_to(k.results)): p for p in files_below(k.results / "artifacts")} for k in (one, two)]
    names = sorted(set(listed[0]) | set(listed[1]))
    stamps = [name for name in names if name.endswith(STAMP)]  # they hold times
    return [
        name
        for name in names
        if name not in stamps
        and not all(name in found and file_sha256(found[name]) == file_sha256(listed[0][name]) for found in listed)
    ]


def undisturbed(trial: Killed, wholes: list[Killed]) -> Killed:
    """Find the uninterrupted folder whose artifacts are the trial's, byte for byte.

    A builder that gives other bytes now and then would be blamed on a kill otherwise, so one more uninterrupted command may
    be asked.
    """
    if other_files(wholes[0], trial) and len(wholes) == 1:
        wholes.append(Killed(trial.bench, wholes[0].results.with_name("whole-again"), 0, 0))
        wholes[1].finish()
    differ = {whole.results.name: other_files(whole, trial) for whole in wholes}
    for name, files in differ.items():
        if files:
            print(f"{trial.results.name} and {name} differ in {files}")
    assert [] in differ.values(), f"no uninterrupted command gave these artifacts: {differ}"
    return next(whole for whole in wholes if not differ[whole.results.name])


def compare(trial: Killed, wholes: list[Killed]) -> None:
    (expected_rows, expected_quality, expected_artifacts), expected_folders = facts(undisturbed(trial, wholes).results)
    (counted, quality, artifacts), folders = facts(trial.results)
    assert folders == expected_folders, "no half artifact, no other one"
    assert artifacts[~artifacts.index.duplicated()].equals(expected_artifacts), "the same hashes"
    assert quality.equals(expected_quality), "quality is there once, with the same values"
    assert set(counted.index) == set(expected_rows.index), "no result lost"
    measured = counted.index.get_level_values("metric").isin(SPEED)
    assert (counted[measured] == 1).all(), "no finished speed job measured twice"
    assert counted.max() <= 1 + sum(trial.hits.values()), "at most the running job is repeated"


@pytest.mark.timeout(280)
@pytest.mark.slow
def test_killing_fakes_at_seeded_moments_loses_and_doubles_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.methods(
        {"a": {"recipes": {"fake": {"seconds": 0.3}}}, "b": {"recipes": {"fake": {"noise": 0.1, "seconds": 0.3}}}}
    )
    bench.sweep(method=["a", "b"], engine={"fake": {"open_seconds": 0.2}})
    hits = check(bench, tmp_path, kills=4, reach=0.3, seed=11)  # at every change of a file: tests/test_storm.py
    assert sum(hits.values()) == 4


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_session_cut_off_after_two_of_five_rounds_is_continued_not_restarted(bench: Bench, tmp_path: Path) -> None:
    bench.methods({"a": {"recipes": {"fake": {}}}, "b": {"recipes": {"fake": {"noise": 0.1}}}})
    probes = {"generation": {"prompt": 8, "output": 8, "warmup": 0, "repetitions": 1}}
    bench.sweep(method=["a", "b"], engine={"fake": {"step_seconds": 0.05}}, probes=probes, rounds=5, precision=None)
    trial = Killed(bench, tmp_path / "cut", 0, 0)
    process = trial.command()
    while len(list((trial.results / "runs").glob("*-s-*/outcome.json"))) < 2 * 2 or trial._worker(process.pid) is None:
        assert process.poll() is None, trial.log.read_text("utf-8")
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    trial.finish()
    with Database.open(trial.results / "bench.db") as database:
        rows = database.frame({"metric": "decode_tps"}, ["method", "round", "session", "run"])
    assert sorted(zip(rows.method, rows["round"].astype(int), strict=True)) == [(m, r) for m in "ab" for r in range(5)]
    assert rows.session.nunique() == 1
    assert "continuing interrupted session" in trial.log.read_text("utf-8")


def real_sweep(bench: Bench, *, verify: bool = True) -> None:
    """Let a machine run the shipped model on ONNX Runtime: two builds, a reference, quality, and two rounds of speed."""
    from harness.reference import model_folder

    bench.methods(REAL_METHODS)
    bench.model(model_folder())
    text = {"tokens": 600, "window": 256, "stride": 256, "text": "reference", "reference": {"method": "fp32"}}
    speed = {"prompt": 16, "output": 16, "warmup": 1, "repetitions": 2}
    probes = {"kl_divergence": text, "generation": speed}
    bench.sweep(method=["fp32", "int4"], engine="ort-genai", rounds=2, verify=verify, probes=probes)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_killing_real_engines_at_eight_seeded_moments_loses_and_doubles_nothing(bench: Bench, tmp_path: Path) -> None:
    real_sweep(bench, verify=False)  # with it, it is the benchmark
    hits = check(bench, tmp_path, kills=8, reach=2.0, seed=100)
    assert sum(hits.values()) == 8
    assert {phase for phase, _ in hits} == set(PHASES)
    assert {whom for _, whom in hits} == {"runner", "worker"}
