"""A storm over every change of a file that a small sweep makes, in runner and worker: killed there, or refused, and then again.

Python's own changes everywhere (tests/storm/sitecustomize.py); where strace may watch, system calls, those of SQLite among them (tests/storm/system_calls.py). After each strike
the same command must come to the same rows, hashes and folders as one that nothing happened to. Two strikes at a time, each in a folder of its own: six minutes on two cores, and as many again with STORM_ALL=1.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.fake_machine import Bench
from tests.storm import system_calls
from tests.storm.forked import LIMIT, Ended, Run, forks
from tests.test_kill import facts
from tests.watched import tracing

ROOT = Path(__file__).resolve().parents[1]
KILLED = {-9, 137}
SPEED = (
    "cpu_seconds_per_token", "decode_tps", "e2e_latency", "e2e_tps", "load_seconds", "peak_rss_bytes", "peak_rss_increment_bytes",
    "per_token_latency", "prefill_tps", "ttft",
)  # fmt: skip
RECOVERY = 25
"""Changes of files that recovery and the beginning of a session make at most, after the kills below."""
pytestmark = pytest.mark.slow
Strike = TypeVar("Strike")
whole = pytest.mark.skipif(
    not os.environ.get("STORM_ALL"), reason="STORM_ALL=1 runs it, too: it takes minutes that CI does not have"
)


@dataclass
class Sea:
    """A machine, and what an undisturbed command on it comes to."""

    bench: Bench
    folder: Path
    run: Run
    """Runs a command in a forked process."""
    calm: Any = None
    left: set[str] = field(default_factory=set)
    """What strikes left half made, by the last part of its name."""

    def command(
        self, results: Path, strike: str = "", *tracer: str, more: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, int]]:
        """Run the sweep to its end or to the strike; returns the exit code, all that it said, and how many changes there were."""
        words = ["run", "s", "--configs", str(self.bench.configs), "--results", str(results)]
        beside = self.folder / f"{results.name}-beside"
        state, temporary = (
            beside / "state",
            beside / "tmp",
        )  # a temporary folder of its own: speed waits for no other strike
        shutil.rmtree(beside, ignore_errors=True)
        state.mkdir(parents=True)
        temporary.mkdir()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "storm"), str(ROOT)])}
        environment |= {"STORM_STRIKE": strike, "STORM_FOLDER": str(results), "STORM_STATE": str(state)}
        environment |= {"HARNESS_CACHE": str(self.folder / "cache"), "TMPDIR": str(temporary), **(more or {})}
        code, said = self._traced(tracer, words, environment) if tracer else self.run(words, environment, self.folder)
        return code, said, {path.name: path.stat().st_size for path in state.iterdir()}

    def _traced(self, tracer: Sequence[str], words: Sequence[str], environment: dict[str, str]) -> Ended:
        """Start a command below a tracer, which sees it from its first call on; its names are the same each time."""
        ran = subprocess.run(
            [*tracer, sys.executable, "-m", "tests.storm.named", *words],
            capture_output=True, text=True, check=False, env=environment, timeout=LIMIT, cwd=self.folder,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr

    def changes(self) -> dict[str, int]:
        """Count the changes that each process makes where nothing happens; keeps what the command comes to."""
        code, said, found = self.command(self.folder / "calm", "runner 0 kill")
        assert code == 0, said
        assert min(found["runner"], found["worker"]) > 5, "the sweep changes files"
        self.calm = facts(self.folder / "calm")
        return found

    def weather(self, *strikes: str) -> str:
        """Strike commands one after another, then run the command undisturbed; returns what is wrong, or nothing."""
        results = self.folder / f"struck {' '.join(strikes)}".replace(" ", "-")
        try:
            for strike in strikes:
                code, said, found = self.command(results, strike)
                self.left |= {path.name.split(".")[-1] for path in results.rglob("*.partial*")}
                who, number, _ = strike.split()
                if "struck" not in found and strike == strikes[0] and found.get(who, 0) >= int(number):
                    return f"{strike}: nothing was struck: {code}: {said[-500:]}"
                if "Traceback" in said:
                    return f"{strikes}: a traceback: {said[-1500:]}"
                if strike.startswith("runner") and strike.endswith("kill") and "struck" in found and code not in KILLED:
                    return f"{strike}: not killed, but ended with {code}"
            return self.after(results, " and ".join(strikes))
        finally:
            shutil.rmtree(results, ignore_errors=True)

    def after(self, results: Path, strike: str) -> str:
        """Run the command undisturbed and hold what is there against what a command comes to that nothing happened to."""
        sessions = [json.loads(path.read_text("utf-8")) for path in (results / "sessions").glob("*.json")]
        speeds = [json.loads(path.read_text("utf-8"))["status"] for path in results.glob("runs/*-s-*/outcome.json")]
        over = any(one["finished"] for one in sessions) and "ok" in speeds  # all was on record: speed is measured anew
        code, said, _ = self.command(results)
        if code != 0 or "Traceback" in said:
            return f"{strike}: the next command ended with {code}: {said[-1500:]}"
        (counted, quality, artifacts), folders = facts(results)
        if over:
            speed = counted.index.get_level_values("metric").isin(SPEED)
            counted = counted.where(~speed, counted - 1)
        (calm_counted, calm_quality, calm_artifacts), calm_folders = self.calm
        if folders != calm_folders:
            return f"{strike}: artifacts {folders} instead of {calm_folders}"
        if not artifacts[~artifacts.index.duplicated()].equals(calm_artifacts):
            return f"{strike}: other hashes"
        if not counted.equals(calm_counted):
            return f"{strike}: lost or doubled rows: {counted.compare(calm_counted) if counted.index.equals(calm_counted.index) else counted}"
        if not quality.equals(calm_quality):
            return f"{strike}: other quality"
        left = [path.name for path in results.rglob("*.partial*")]
        return f"{strike}: left {left}" if left else ""


def wrong_of(strike: Callable[[Strike], str], strikes: Iterable[Strike]) -> list[str]:
    """Strike two at a time; returns what is wrong, in the order of the strikes."""
    with ThreadPoolExecutor(2) as pool:
        return [said for said in pool.map(strike, strikes) if said]


def small_sweep(bench: Bench, text: str = "") -> None:
    """Let a machine build once, and measure quality and speed once, with fakes."""
    probes = {
        "perplexity": {"window": 64, "stride": 32, "tokens": 128, "text": text or str(bench.text)},
        "generation": {"prompt": 8, "output": 4, "warmup": 0, "repetitions": 1},
    }
    bench.sweep(method=["fp32"], probes=probes)


@pytest.fixture
def sea(bench: Bench, tmp_path: Path) -> Iterator[Sea]:
    small_sweep(bench)
    folder = tmp_path / "sea"
    folder.mkdir()
    with forks(folder, 2) as run:
        yield Sea(bench, folder, run)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", ["runner", "worker"])
def test_a_kill_at_any_change_of_a_file_loses_nothing(sea: Sea, who: str) -> None:
    count = sea.changes()[who]
    wrong = wrong_of(sea.weather, [f"{who} {number} kill" for number in range(1, count + 1)])
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", ["runner", "worker"])
def test_a_full_or_forbidden_disk_at_a_third_of_the_changes_loses_nothing(sea: Sea, who: str) -> None:
    count = sea.changes()[who]
    draw = random.Random(20261128)
    third = sorted(draw.sample(range(1, count + 1), max(1, count // 3)))
    strikes = [f"{who} {number} {draw.choice(['ENOSPC', 'EACCES'])}" for number in third]
    wrong = wrong_of(sea.weather, strikes)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(1800)
def test_a_kill_at_any_step_of_the_recovery_from_a_kill_loses_nothing(sea: Sea) -> None:
    """Recovery is over before the first job is written: no more than RECOVERY changes; the first strike is another each time."""
    count = sea.changes()["worker"]
    draw = random.Random(7)
    strikes = [
        (f"worker {draw.randint(2, count - 2)} both", f"runner {number} kill") for number in range(1, RECOVERY + 1)
    ]
    wrong = wrong_of(lambda both: sea.weather(*both), strikes)
    assert not wrong, "\n".join(wrong)
    assert sea.left, "something was left to recover from"


@pytest.fixture
def traced(bench: Bench, tmp_path: Path) -> Iterator[Sea]:
    """A machine whose runner and workers can be struck at system calls; skips where strace may not watch."""
    if not tracing():
        pytest.skip("strace is not here or may not watch processes: what SQLite does cannot be struck")
    small_sweep(bench)
    system_calls.traced_interpreter(bench, tmp_path)
    folder = tmp_path / "sea"
    folder.mkdir()
    with forks(folder, 2) as run:
        found = Sea(bench, folder, run)
        found.changes()
        yield found


@pytest.mark.timeout(600)
def test_kills_and_a_refusal_at_some_system_calls_of_desk_and_worker_lose_nothing(traced: Sea) -> None:
    """A seeded part: all of them are a benchmark (tests.benchmarks.kills system-calls)."""
    calls = system_calls.found(traced)
    draw = random.Random(11)
    of_sqlite = [call for call in calls if call.name in system_calls.OPENS and call.path.startswith("bench.db")]
    of_workers = [call for call in calls if call.who != "runner" and call.name not in system_calls.OPENS]
    assert {call.path for call in of_sqlite} == {"bench.db", "bench.db-journal", "bench.db-wal", "bench.db-shm"}
    assert {call.who for call in of_workers} >= {"worker 1", "worker 2"}
    strikes = [(call, "kill") for call in (*draw.sample(of_sqlite[:4], 2), *draw.sample(of_workers, 2))]
    strikes += [(draw.choice(of_sqlite[:4]), "ENOSPC"), (draw.choice(of_workers), "EACCES")]
    wrong = wrong_of(lambda one: system_calls.strike(traced, *one), strikes)
    assert not wrong, "\n".join(wrong)


@whole
@pytest.mark.timeout(3600)
def test_a_kill_or_a_refusal_at_system_calls_database_and_all_loses_nothing(traced: Sea) -> None:
    """Of each process one call of each name, and every twentieth, killed, and as many refused, from a seeded draw."""
    draw = random.Random(3)
    kinds: dict[tuple[str, str], list[system_calls.Call]] = {}
    for call in system_calls.found(traced):
        kinds.setdefault((call.who, call.name), []).append(call)
    some = [call for calls in kinds.values() for call in draw.sample(calls, max(1, len(calls) // 20))]
    strikes = [(call, what) for call in some for what in ("kill", draw.choice(["ENOSPC", "EACCES"]))]
    wrong = wrong_of(lambda one: system_calls.strike(traced, *one), strikes)
    assert not wrong, "\n".join(wrong)
