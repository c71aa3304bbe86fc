"""A command reads and checks a sweep once, whatever it fetches, locks or plans afterwards."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.bundling.fetching import fetch
from harness.commands import bench as command
from harness.commands.doctor import GpuVerdict
from harness.commands.estimates import with_commits
from harness.commands.init import make_workspace
from harness.commands.machine import checked_sweep, plan_checked, plan_sweep
from harness.commands.workspace import here
from harness.plan import reading
from tests.fake_machine import Bench, Say
from tests.unit.commands.writing import write


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each sweep's file was read."""
    counted: Counter[str] = Counter()
    really = reading.read

    def read(path: Path, *given: object) -> object:
        counted[path.name] += 1
        return really(path, *given)

    monkeypatch.setattr(reading, "read", read)
    return counted


@pytest.mark.parametrize("words", [("plan", "s"), ("run", "s"), ("plan", "s", "--json")])
def test_a_command_reads_its_sweep_once(bench: Bench, say: Say, read: Counter[str], words: tuple[str, ...]) -> None:
    bench.sweep(method=["fp32"])
    assert say(bench, *words).code == 0
    assert read == {"s.yaml": 1}


def test_the_sweep_that_one_command_chose_is_the_one_that_it_runs(
    bench: Bench, say: Say, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sweep(method=["fp32"])
    (bench.configs / "sweeps" / "s.yaml").rename(bench.configs / "sweeps" / "gpu.yaml")
    monkeypatch.setattr(command, "gpu_answers", lambda: True)
    monkeypatch.setattr(command, "gpu_verdict", lambda absent: GpuVerdict(able=True, why="a GPU"))
    assert "running sweep gpu: a GPU" in say(bench, "bench").out
    assert read == {"gpu.yaml": 1}


def test_fetching_reads_a_sweep_once(bench: Bench, read: Counter[str]) -> None:
    bench.sweep(method=["fp32"])
    assert fetch("s", bench.workspace, print) == 0
    assert read == {"s.yaml": 1}


def test_a_commit_that_was_locked_meanwhile_counts_and_the_sweep_is_not_read_for_it(
    tmp_path: Path, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "cache" / "models--a--moves" / "refs", "main", "1" * 40)
    list(make_workspace(tmp_path / "own"))
    write(tmp_path / "own", "configs/models.yaml", {"moves": {"hub": "a/moves"}})
    write(tmp_path / "own", "configs/local.yaml", {"python": {"cpu": sys.executable}})
    sweep = {"model": "moves", "method": "fp32", "engine": "ort-genai", "probes": "generation"}
    write(tmp_path / "own", "configs/sweeps/s.yaml", sweep)
    checked, said = checked_sweep("s", here(start=tmp_path / "own")), list[str]()
    locked = with_commits(checked, said.append)
    assert "kept in models.lock" in said[0]
    assert checked.catalogue.models["moves"].entry.revision is None
    assert locked.catalogue.models["moves"].entry.revision == "1" * 40
    assert read["s.yaml"] == 1
    keys = [job.key for job in plan_checked(locked).plan.jobs]
    assert keys == [job.key for job in plan_sweep("s", checked.workspace).plan.jobs]
    assert keys != [job.key for job in plan_checked(checked).plan.jobs]
