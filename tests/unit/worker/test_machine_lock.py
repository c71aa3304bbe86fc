"""Speed jobs of two commands never run at the same time; a dead command's lock holds nobody up."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.worker.machine_lock import lock_files, take
from tests.fake_machine import Bench

HOLD = """
import sys, time
from contextlib import ExitStack
from harness.worker.machine_lock import lock_files, take
with ExitStack() as stack:
    list(take(stack, lock_files()))
    print("held", flush=True)
    time.sleep(600)
"""


def _holder() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def test_a_lock_that_is_held_is_told_and_one_of_a_dead_process_is_no_lock() -> None:
    process = _holder()
    with ExitStack() as stack:
        waiting = take(stack, lock_files())
        assert "waiting for another command that measures speed on this machine" in next(waiting)
        process.kill()
        process.wait()
        assert list(waiting) == []
    with ExitStack() as stack:
        assert list(take(stack, lock_files())) == [], "what was held is free again"
    assert process.stdout is not None
    process.stdout.close()


def test_lock_files_name_no_gpu_and_no_user_and_anybody_may_open_them() -> None:
    files = lock_files(["GPU-2f1a", "GPU-11ee"])
    assert files == lock_files(["GPU-11ee", "GPU-2f1a"]), "everybody locks in the same order"
    assert len(set(files)) == 3
    assert not any("GPU" in path.name or "2f1a" in path.name for path in files)
    with ExitStack() as stack:
        assert list(take(stack, files)) == []
        if os.name == "posix":
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o666}
        assert {path.read_bytes() for path in files} == {b""}


def test_a_link_where_the_lock_should_be_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept", "utf-8")
    link = tmp_path / "x.lock"
    try:
        link.symlink_to(precious)
    except OSError:
        pytest.skip("this system makes no links for us")
    with ExitStack() as stack, pytest.raises(HarnessError, match="is a link"):
        list(take(stack, [link]))
    assert precious.read_text("utf-8") == "kept"


@pytest.mark.slow
def test_speed_jobs_of_two_results_folders_take_turns_and_building_waits_for_nobody(tmp_path: Path) -> None:
    machines = [Bench(tmp_path / name) for name in ("one", "two")]
    commands = []
    for machine in machines:
        machine.sweep(method="fp32", engine={"fake": {"step_seconds": 0.08}}, rounds=3)
        words = ["run", "s", "--configs", str(machine.configs), "--results", str(machine.results)]
        commands.append(subprocess.Popen([sys.executable, "-m", "harness", *words], stdout=subprocess.PIPE, text=True))
        time.sleep(0.1)
    said = [command.communicate(timeout=200)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    spans = sorted(span for machine in machines for span in _spans(machine))
    assert len(spans) == 6
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans
    assert any("waiting for another command" in text for text in said)


def _spans(machine: Bench) -> list[tuple[datetime, datetime]]:
    """Give begin and end of the speed jobs' measuring."""
    found = []
    for path in (machine.results / "runs").glob("*/outcome.json"):
        outcome = json.loads(path.read_text("utf-8"))
        if outcome["job"]["kind"] == "speed":
            begun = datetime.fromisoformat(outcome["started"])
            found.append((begun, begun + timedelta(seconds=outcome["seconds"])))
    return found
