"""A storm over every change of a file that a small sweep makes, in desk and worker: killed there, or refused, and then again.

Python's own changes everywhere (tests/storm/sitecustomize.py); where strace may watch, those of SQLite, too. After each strike
the same command must come to the same rows, hashes and folders as one that nothing happened to.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fake_box import Bench
from tests.test_kill import facts
from tests.watched import tracing

ROOT = Path(__file__).resolve().parents[1]
SYSTEM_CALLS = "rename,renameat,renameat2,link,linkat,symlink,symlinkat,fsync,fdatasync,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,pwrite64"
LIMIT = 120
pytestmark = pytest.mark.slow


@dataclass
class Sea:
    """A box, and what an undisturbed command on it comes to."""

    bench: Bench
    folder: Path
    calm: object = None

    def command(self, results: Path, strike: str = "", counts: Path | None = None, *tracer: str) -> tuple[int, str]:
        """Run the sweep to its end or to the strike; returns the exit code and all that it said."""
        words = [
            sys.executable,
            "-m",
            "harness",
            "run",
            "s",
            "--configs",
            str(self.bench.configs),
            "--results",
            str(results),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "storm"), str(ROOT)])}
        environment |= {"STORM_STRIKE": strike, "STORM_FOLDER": str(results), "STORM_COUNTS": str(counts or "")}
        ran = subprocess.run(
            [*tracer, *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=LIMIT,
            cwd=self.folder,
        )
        return ran.returncode, ran.stdout + ran.stderr

    def changes(self) -> dict[str, int]:
        """Count the changes that each process makes where nothing happens; keeps what the command comes to."""
        counts = self.folder / "counts"
        counts.mkdir()
        code, said = self.command(self.folder / "calm", "desk 0 kill", counts)
        assert code == 0, said
        self.calm = facts(self.folder / "calm")
        found = {path.name: max(map(int, path.read_text("utf-8").split())) for path in counts.iterdir()}
        assert set(found) == {"desk", "worker"}
        return found

    def weather(self, strike: str, *tracer: str) -> str:
        """Strike once, then run the same command; returns what is wrong, or nothing."""
        results = self.folder / "struck"
        try:
            code, said = self.command(results, strike, None, *tracer)
            if "Traceback" in said:
                return f"{strike}: a traceback: {said[-1500:]}"
            if code not in {0, 1, 2, -9, 137}:
                return f"{strike}: exit code {code}: {said[-800:]}"
            again, told = self.command(results)
            if again != 0 or "Traceback" in told:
                return f"{strike}: the next command ended with {again}: {told[-1500:]}"
            return self._differs(results, strike)
        finally:
            shutil.rmtree(results, ignore_errors=True)

    def _differs(self, results: Path, strike: str) -> str:
        (counted, quality, artifacts), folders = facts(results)
        (calm_counted, calm_quality, calm_artifacts), calm_folders = self.calm  # type: ignore[misc]
        if folders != calm_folders:
            return f"{strike}: artifacts {folders} instead of {calm_folders}"
        if not artifacts[~artifacts.index.duplicated()].equals(calm_artifacts):
            return f"{strike}: other hashes"
        if not quality.equals(calm_quality):
            return f"{strike}: other quality, or twice"
        if set(counted.index) != set(calm_counted.index) or counted.max() > 2:
            return f"{strike}: lost or doubled rows"
        left = [path.name for path in results.rglob("*.partial*")]
        return f"{strike}: left {left}" if left else ""


@pytest.fixture
def sea(bench: Bench, tmp_path: Path) -> Sea:
    probes = {
        "perplexity": {"window": 64, "stride": 32, "tokens": 128, "text": str(bench.text)},
        "generation": {"prompt": 8, "output": 4, "warmup": 0, "repetitions": 1},
    }
    bench.sweep(method=["fp32"], probes=probes)
    folder = tmp_path / "sea"
    folder.mkdir()
    return Sea(bench, folder)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("who", ["desk", "worker"])
def test_a_kill_at_any_change_of_a_file_loses_nothing(sea: Sea, who: str) -> None:
    count = sea.changes()[who]
    assert count > 5, "the sweep changes files"
    wrong = [said for number in range(1, count + 1) if (said := sea.weather(f"{who} {number} kill"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("who", ["desk", "worker"])
def test_a_full_or_forbidden_disk_at_a_third_of_the_changes_loses_nothing(sea: Sea, who: str) -> None:
    count = sea.changes()[who]
    draw = random.Random(20261128)
    third = sorted(draw.sample(range(1, count + 1), max(1, count // 3)))
    strikes = [f"{who} {number} {draw.choice(['ENOSPC', 'EACCES'])}" for number in third]
    wrong = [said for strike in strikes if (said := sea.weather(strike))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(3600)
def test_a_kill_at_system_calls_of_the_desk_database_and_all_loses_nothing(sea: Sea) -> None:
    """Every fifth, from a seeded start: all of them are a benchmark (tests.benchmarks.storm)."""
    if not tracing():
        pytest.skip("strace is not here or may not watch processes: what SQLite does cannot be struck")
    sea.changes()
    count = system_calls(sea)
    assert count > 20
    wrong = []
    for number in range(random.Random(3).randrange(1, 6), count + 1, 5):
        wrong += [said] if (said := sea.weather(f"system-call {number} kill", *tracer_at(number, sea.folder))) else []
    assert not wrong, "\n".join(wrong)


def tracer_at(number: int, folder: Path) -> list[str]:
    """Words before a command that kill its main thread, where SQLite works, at its n-th system call that changes a file."""
    return ["strace", "-qq", "-o", str(folder / "strace.log"), "-e", f"trace={SYSTEM_CALLS}",
            "-e", f"inject={SYSTEM_CALLS}:signal=KILL:when={number}"]  # fmt: skip


def system_calls(sea: Sea) -> int:
    """Count the system calls of an undisturbed desk."""
    log = sea.folder / "calls.log"
    results = sea.folder / "counted"
    code, said = sea.command(results, "", None, "strace", "-qq", "-o", str(log), "-e", f"trace={SYSTEM_CALLS}")
    assert code == 0, said
    shutil.rmtree(results)
    return len(log.read_text("utf-8", "replace").splitlines())
