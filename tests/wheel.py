"""Wheel and source distribution of this tree, and an environment into which the wheel is installed: made once for all tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.environments import ROOT


def command(words: list[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    variables = {**kept, "HF_HUB_OFFLINE": "1", "COLUMNS": "200", **more}
    return subprocess.run(words, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and source distribution, built from a copy of what is committed or about to be."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"
    listed = command(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("tests/", "results/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    build = (
        "from setuptools import build_meta as b; import sys; where = sys.argv[1]; "  # setuptools takes the words for its own
        "print(b.build_sdist(where)); print(b.build_wheel(where))"
    )
    ran = command([sys.executable, "-c", build, str(folder)], copy)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder


@dataclass(frozen=True)
class Installed:
    """The command `harness` of an environment of its own."""

    script: Path
    by_pip: bool
    """With all that it depends on, from an index; else the unpacked wheel, which borrows this environment's libraries."""


@pytest.fixture(scope="session")
def installed(built: Path) -> Installed:
    """The wheel as the first lines of the README make and install it; where no index can be reached, unpacked."""
    screen = (ROOT / "README.md").read_text("utf-8").splitlines()[:24]
    (make,) = re.findall(r"`(pip wheel [^`]+)`", "\n".join(screen))
    begun = screen.index("    pip install quant_harness-*.whl")
    install, init, bench = (line.split("#")[0].strip() for line in screen[begun : begun + 3])
    assert (init, bench) == ("harness init", "harness bench")
    place = built / "env"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
    ran = command(
        ["sh", "-c", f"{make} && {install}"], built / "copy", **quiet
    )  # in a clone, where the wheel then lies
    if ran.returncode == 0:
        return Installed(place / "bin" / "harness", by_pip=True)
    assert "No matching distribution" in ran.stderr or "Could not fetch" in ran.stderr, ran.stderr[-3000:]
    return Installed(_borrowing(built, place), by_pip=False)


def _borrowing(built: Path, place: Path) -> Path:
    site = place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    ours = next(
        path for path in map(Path, sys.path) if path.name == "site-packages" and path.is_relative_to(sys.prefix)
    )
    (site / "borrowed.pth").write_text(f"{ours}\n", "utf-8")
    script = place / "bin" / "harness"
    script.write_text(f"#!{place / 'bin' / 'python'}\nfrom harness.cli import main\nmain()\n", "utf-8")
    script.chmod(0o755)
    return script
