"""A storm over every change of a file that the other commands that write make: killed there, or refused at a seeded third, and then again.

As in tests/test_storm.py: the same command afterwards comes to the same bytes as one that nothing happened to, nothing is there half,
and nobody sees a traceback.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fake_machine import Bench
from tests.storm.commands import CASES, Case, Sea, rows, tree
from tests.storm.forked import Run, forks
from tests.test_storm import small_sweep, wrong_of
from tests.watched import tracing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MOST = 1000 if os.environ.get("STORM_ALL") else 16
"""Kills of one command: all of its changes of a file with STORM_ALL=1, else a seeded draw of them where there are more."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with forks(tmp_path_factory.mktemp("forks"), 2) as made:
        yield made


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A workspace in which a small sweep has run."""
    root = tmp_path_factory.mktemp("workspace")
    bench = Bench(root)
    small_sweep(bench, text="mine")
    (root / "harness.yaml").write_text('version: 1\npages: ["*.md"]\n', "utf-8")
    (bench.configs / "texts.yaml").write_text(yaml.safe_dump({"mine": {"path": str(bench.text)}}), "utf-8")
    code, said = run(["run", "s"], dict(os.environ), root)
    assert code == 0, said
    code, said = run(["publish", "s", "--to", "results/published/before.yaml"], dict(os.environ), root)
    assert code == 0, said
    return root


@pytest.fixture
def sea(workspace: Path, run: Run, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Sea, int]:
    """A workspace, and how many changes the undisturbed command makes."""
    case: Case = request.param
    before, calm = tmp_path / "before", tmp_path / "calm"
    shutil.copytree(workspace, before)
    case.prepare(before)
    shutil.copytree(before, calm)
    made = Sea(tmp_path, case, run, tree(before), {})
    code, said, count, _ = made.command(calm, "runner 0 kill")
    assert code == case.ended, said
    made.calm, made.rows = tree(calm), rows(calm)
    assert made.calm != made.before, "the command writes something"
    assert bool(made.rows) == (case is not CASES["init"]), "a database knows something"
    return made, count


@pytest.mark.parametrize("sea", CASES.values(), ids=CASES.keys(), indirect=True)
def test_a_kill_at_any_change_or_a_refusal_at_a_third_leaves_nothing_half_and_the_same_command_finishes(
    sea: tuple[Sea, int],
) -> None:
    waters, count = sea
    draw = random.Random(20261128)
    third = sorted(draw.sample(range(1, count + 1), max(1, min(count, MOST) // 3)))
    killed = sorted(draw.sample(range(1, count + 1), min(count, MOST)))
    strikes = [f"runner {number} kill" for number in killed]
    strikes += [f"runner {number} {draw.choice(['ENOSPC', 'EACCES'])}" for number in third]
    wrong = wrong_of(waters.weather, strikes)
    assert not wrong, f"{len(wrong)} of {len(strikes)}\n" + "\n".join(wrong)


@pytest.mark.parametrize("sea", [CASES["import"]], ids=["import"], indirect=True)
def test_a_kill_at_a_system_call_of_each_name_leaves_nothing_half_and_the_same_command_finishes(
    sea: tuple[Sea, int],
) -> None:
    """Of a command that writes folders and the database: what Python alone does not show."""
    if not tracing():
        pytest.skip("strace is not here or may not watch processes: what SQLite does cannot be struck")
    waters, _ = sea
    draw, most = random.Random(5), 100 if MOST > 100 else 1
    calls = waters.calls()
    assert calls["pwrite64"] > 5, "SQLite writes"
    strikes = [
        f"{name} {number}"
        for name, count in sorted(calls.items())
        for number in sorted(draw.sample(range(1, count + 1), min(count, most)))
    ]
    wrong = wrong_of(waters.call, strikes)
    assert not wrong, f"{len(wrong)} of {len(strikes)}\n" + "\n".join(wrong)
