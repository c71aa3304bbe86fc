"""Making an environment, killed at any moment, moved and broken by hand: the same command makes it whole."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import environment_state
from harness.environment_state import MAKING, marker
from tests.conftest import ROOT

SETUP = """
import sys
from pathlib import Path
from harness import environments, installing
root = Path(sys.argv[1])
environments.BESIDE = ()
installing.PARTS = 2
environments.setup("tiny", root=root, lock=root / "locks" / "tiny.txt")
"""


def wheel(folder: Path, name: str, files: int) -> None:
    """Write a package of many small files."""
    content = {f"{name}/__init__.py": "whole = 1\n"} | {
        f"{name}/part{number}.py": f"x = {number}\n" for number in range(files)
    }
    info = f"{name}-1.0.dist-info"
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)


@dataclass
class Machine:
    """A root with a lock file of local wheels."""

    root: Path

    def command(self) -> subprocess.Popen[str]:
        surroundings = {
            **os.environ,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"),
            "PYTHONPATH": str(ROOT),
        }
        words = [sys.executable, "-c", SETUP, str(self.root)]
        return subprocess.Popen(
            words, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def finish(self) -> str:
        process = self.command()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        code = "import one, two, one.part199, two.part199; print(one.whole + two.whole)"
        python = self.folder / "bin" / "python"
        assert subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout == "2\n"
        assert marker(self.folder)["name"] == "tiny"
        assert not (self.folder / MAKING).exists()
        return said

    @property
    def folder(self) -> Path:
        return self.root / ".venvs" / "tiny"


def make_machine(root: Path) -> Machine:
    for name in ("locks", "wheels"):
        (root / name).mkdir(parents=True)
    for name in ("one", "two"):
        wheel(root / "wheels", name, 200)
    (root / "locks" / "tiny.txt").write_text("one==1.0\ntwo==1.0\n", "utf-8")
    return Machine(root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_while_an_environment_is_made_and_the_next_command_makes_it_whole(tmp_path: Path) -> None:
    """Fifty of them are a benchmark (tests.benchmarks.kills setup)."""
    assert kill_in_two_places(tmp_path, 8) == 8


def kill_in_two_places(folder: Path, kills: int) -> int:
    """Kill in two roots at a time, each with its half of the kills; returns how many there were."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda seed: kill_often(make_machine(folder / str(seed)), seed, kills // 2), (5, 6)))


def kill_often(machine: Machine, seed: int, kills: int) -> int:
    """Kill living commands at moments between the begin and the end of an undisturbed one; after each the next one makes all whole.

    Every other one is killed while it mends what the one before left. Returns how many were killed.
    """
    draw = random.Random(seed)
    begun = time.monotonic()
    machine.finish()
    seconds = time.monotonic() - begun
    shutil.rmtree(machine.folder)
    killed, left, reach = 0, machine.root / "left", seconds
    for _ in range(12 * kills):
        if not killed_living(machine.command(), draw.uniform(0.05, reach)):
            reach *= 0.7  # it was faster than the undisturbed one, or had little to mend
            _bring_back(machine.folder, left)
            continue
        killed, reach = killed + 1, seconds
        _bring_back(left, machine.folder)
        machine.finish()
        if killed == kills:
            break
        if killed % 2:
            _bring_back(machine.folder, left)
        else:
            shutil.rmtree(machine.folder)
            shutil.rmtree(left, ignore_errors=True)
    return killed


def _bring_back(to: Path, state: Path) -> None:
    """Let a folder be as another one is; gone where that is."""
    shutil.rmtree(to, ignore_errors=True)
    if state.exists():
        shutil.copytree(state, to, symlinks=True)


def killed_living(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a command with all that it started; says whether it was still running."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL
    return False


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_that_was_moved_or_broken_by_hand_is_made_anew_and_a_whole_one_is_left_alone(machine: Machine) -> None:
    machine.finish()
    assert "is ready" in machine.finish()
    (
        machine.folder
        / "lib"
        / f"python{sys.version_info.major}.{sys.version_info.minor}"
        / "site-packages"
        / "two-1.0.dist-info"
        / "METADATA"
    ).unlink()
    assert "lacks two; making it anew" in machine.finish()
    site = machine.folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    lock = machine.root / "locks" / "tiny.txt"
    (site / "one" / "part150.py").rename(site / "away")
    assert environment_state._broken(machine.folder, lock) == "lacks files of one, as one/part150.py"
    (site / "away").rename(site / "one" / "part150.py")
    (site / "one" / "part151.py").write_text("x = ")
    assert environment_state._broken(machine.folder, lock) == "holds a changed file of one: one/part151.py"
    (site / "one" / "part151.py").write_text("x = 152\n")  # of the same size
    assert "holds a changed file of one: one/part151.py; making it anew" in machine.finish()
    (machine.folder / "bin" / "python").unlink()
    (machine.folder / "bin" / "python").symlink_to("nowhere")
    assert "has no Python that starts; making it anew" in machine.finish()
    moved = Machine(machine.root.with_name("moved"))
    machine.root.rename(moved.root)
    assert "was made in another place and moved; making it anew" in moved.finish()
