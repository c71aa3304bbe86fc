"""Lock files: every version pinned, nothing of any package index in them, and each resolved for its own system."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.plan.catalogue import load_catalogue
from tests.conftest import ROOT

LOCKS = ROOT / "configs" / "locks"
WINDOWS = ["win_amd64"]
LINUX = [*(f"manylinux_2_{glibc}_x86_64" for glibc in range(35, 4, -1)), "manylinux2014_x86_64", "manylinux1_x86_64"]
UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeout|Max retries|Temporary failure|Network is unreachable|timed out"
)


def pins(name: str) -> list[str]:
    lines = (LOCKS / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_lock_file_pins_every_version_once_and_names_no_index(path: Path) -> None:
    listed = pins(path.stem)
    assert [line for line in listed if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[A-Za-z0-9.!+]+", line)] == []
    names = [line.partition("==")[0] for line in listed]
    assert len(set(names)) == len(names)
    assert "://" not in path.read_text("utf-8")


def test_every_lock_file_is_an_environment_and_those_for_windows_say_so() -> None:
    entries = load_catalogue(ROOT / "configs").environments
    locked = {Path(entry.lock).stem: entry.system for entry in entries.values() if entry.lock}
    assert locked.keys() == {path.stem for path in LOCKS.glob("*.txt")}
    assert {name for name, system in locked.items() if system == "Windows"} == {"dml", "trt-rtx"}


def test_an_environment_has_one_runtime_of_each_library() -> None:
    for path in LOCKS.glob("*.txt"):
        names = {line.partition("==")[0] for line in pins(path.stem)}
        for twins in ({"onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"},
                      {"onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml"}):  # fmt: skip
            assert len(names & twins) == 1, path.name


def _is_for_any_system(pin: str) -> bool:
    name, _, version = pin.partition("==")
    try:
        here = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return here.version == version and "-none-any" in (here.read_text("WHEEL") or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "beside", "platforms"),
    [("dml", "", WINDOWS), ("trt-rtx", "dml", WINDOWS), ("cuda", "cpu", LINUX)],
)  # fmt: skip
def test_every_pin_of_a_lock_file_is_a_wheel_of_its_system(
    name: str, beside: str, platforms: list[str], tmp_path: Path
) -> None:
    """Pins that are resolved with another lock file, and wheels for any system that stand here, are left out. Nothing is installed."""
    wanted = [pin for pin in pins(name) if not _is_for_any_system(pin) and pin not in (pins(beside) if beside else ())]
    asked, report = tmp_path / "asked.txt", tmp_path / "report.json"
    asked.write_text("\n".join(wanted), "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:",
         "--python-version", "3.11", *(word for one in platforms for word in ("--platform", one)), "--retries", "1",
         "--target", str(tmp_path / "none"), "--report", str(report), "--quiet", "--requirement", str(asked)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if ran.returncode and UNREACHABLE.search(ran.stderr):
        pytest.skip("no package registry can be reached from here: the lock files are not resolved")
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(report.read_text("utf-8"))["install"]
    assert len(found) == len(wanted)
    assert all(one["download_info"]["url"].partition("#")[0].endswith(".whl") for one in found)
