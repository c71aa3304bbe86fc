"""Environments as folders: find them, make them from a lock file. Standard library only: this runs before anything is installed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "configs" / "locks"
MARKER = "harness-environment.json"
HOME = ROOT / ".venv"
HOME_NAME = "cpu"
"""The environment that stands in `.venv`: the harness itself runs there, on every machine; a GPU's stands beside it."""
OTHERS = ROOT / ".venvs"
_PLATFORMS = {"windows": "win", "macos": "darwin"}


def python_in(folder: Path) -> Path:
    """Name the interpreter of a virtual environment."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def marker(folder: Path) -> dict[str, str]:
    """Read what an environment folder was made from; empty where it was not made by us, or not to the end."""
    try:
        found: dict[str, str] = json.loads((folder / MARKER).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def folder_of(name: str) -> Path | None:
    """Find the folder of an environment that was made here, or None."""
    folder = HOME if name == HOME_NAME else OTHERS / name
    return folder if marker(folder).get("name") == name and python_in(folder).exists() else None


def lock_hash(lock: Path | None, packages: tuple[str, ...] = ()) -> str:
    """Hash a lock file's text, whatever its line ends, and what is installed on top of it."""
    text = lock.read_text("utf-8") if lock else ""
    return hashlib.sha256("\n".join([text, *packages] if packages else [text]).encode()).hexdigest()


def is_current(folder: Path, name: str, lock: Path) -> bool:
    """Tell whether the folder was made to the end from this very lock file."""
    found = marker(folder)
    return found.get("name") == name and found.get("lock") == lock_hash(lock) and python_in(folder).exists()


def setup(
    name: str | None = None,
    *,
    quiet: bool = False,
    lock: Path | None = None,
    packages: tuple[str, ...] = (),
    system: str | None = None,
) -> Path:
    """Make an environment from a lock file and further packages, once; return its folder.

    Without a name, or by its own, this is `.venv`, the environment `cpu` that the harness itself runs in; others live in
    `.venvs/NAME`. `quiet` says nothing where there is nothing to do. `TORCH_INDEX` names a further package index for torch.

    Raises: SystemExit with the remedy where there is no such lock file, `.venv` is another environment, or the installer
    fails.
    """
    chosen = name or HOME_NAME
    if system and not sys.platform.startswith(_PLATFORMS.get(system.lower(), system.lower())):
        raise SystemExit(f"environment {chosen} needs {system}; this is {sys.platform}")
    lock = lock or (None if packages else LOCKS / f"{chosen}.txt")
    if lock is not None and not lock.exists():
        there = ", ".join(sorted(path.stem for path in LOCKS.glob("*.txt")))
        raise SystemExit(f"no lock file {lock.relative_to(ROOT)}; environments with one: {there}")
    folder = HOME if chosen == HOME_NAME else OTHERS / chosen
    was = marker(folder).get("name", chosen)
    if was != chosen:  # the wheels of two environments overwrite each other in one folder
        raise SystemExit(
            f"{folder.relative_to(ROOT)} was made as environment {was}; delete the folder and run the same command again"
        )
    wanted = lock_hash(lock, packages)
    if marker(folder) and marker(folder).get("lock") == wanted and python_in(folder).exists():
        if not quiet:
            _say(f"environment {chosen}: {folder.relative_to(ROOT)} is ready")
        return folder
    what = " and ".join([*([lock.relative_to(ROOT).as_posix()] if lock else []), *packages])
    _say(f"environment {chosen}: installing {what} into {folder.relative_to(ROOT)}")
    begun = time.monotonic()
    _make(folder, lock, packages)
    facts = {"name": chosen, "lock": wanted, "python": sys.version.split()[0]}
    (folder / MARKER).write_text(json.dumps(facts) + "\n", "utf-8")
    _say(f"environment {chosen}: ready after {time.monotonic() - begun:.0f} s")
    return folder


def _make(folder: Path, lock: Path | None, packages: tuple[str, ...]) -> None:
    (folder / MARKER).unlink(missing_ok=True)
    if not python_in(folder).exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    index = os.environ.get("TORCH_INDEX")
    more = ["--extra-index-url", index] if index else []
    pip = [str(python_in(folder)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    steps = [[*pip, *more, "-r", str(lock)]] if lock else []
    steps += [[*pip, *more, *packages]] if packages else []
    if folder == HOME:  # others find the harness through PYTHONPATH, and must not depend on what it depends on
        steps.append([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    else:
        steps.append([*pip, "pydantic", "filelock", "numpy", "psutil", "nvidia-ml-py"])
    for step in steps:
        result = subprocess.run(step, check=False, env=_pip_variables())
        if result.returncode != 0:
            raise SystemExit(f"installing failed ({result.returncode}): {' '.join(step)}")


def _pip_variables() -> dict[str, str]:
    """Let pip keep its cache beside the environments, unless a person has one or has said where it is."""
    own = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "pip").expanduser()
    return {**({} if own.is_dir() else {"PIP_CACHE_DIR": str(OTHERS / "pip-cache")}), **os.environ}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
