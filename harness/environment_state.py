"""Whether an environment's folder is whole: what it was made from, and what of it is missing or changed. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


MARKER = "harness-environment.json"


MAKING = "harness-environment.making"
"""Stands in a folder of ours from before anything is installed until all is."""


ADOPTED = "adopted"
"""Stands in the marker of a folder that somebody else had made."""


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


def lock_hash(lock: Path | None, packages: tuple[str, ...] = ()) -> str:
    """Hash a lock file's text, whatever its line ends, and what is installed on top of it."""
    text = lock.read_text("utf-8") if lock else ""
    return hashlib.sha256("\n".join([text, *packages] if packages else [text]).encode()).hexdigest()


def is_current(folder: Path, name: str, lock: Path) -> bool:
    """Tell whether the folder was made to the end from this very lock file."""
    found = marker(folder)
    return found.get("name") == name and found.get("lock") == lock_hash(lock) and python_in(folder).exists()


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is not there yet or was made here; what somebody made is installed into and never removed."""
    if not folder.exists() or (folder / MAKING).exists() or not any(folder.iterdir()):
        return True
    return bool(marker(folder)) and ADOPTED not in marker(folder)


def _half_made(folder: Path) -> str:
    """Say that making a folder of ours was cut off: an installer takes half a package for a whole one."""
    return "was not made to its end" if (folder / MAKING).exists() and not marker(folder) else ""


_HELD = """
import base64, csv, hashlib, importlib.metadata, os, sys
made, held = os.stat(sys.argv[1]).st_mtime if os.path.exists(sys.argv[1]) else float("inf"), {}
def hashed(place, form):
    with open(place, "rb") as file:
        digest = hashlib.new(form, file.read()).digest()
    return form + "=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
for pin in sys.argv[2:]:
    name, version = pin.split("==")
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found is None:
        sys.exit(f"lacks {name}")
    if found.split("+")[0] != version.split("+")[0]:
        sys.exit(f"holds {name} {found} and should hold {version}")
    one = importlib.metadata.distribution(name)
    for row in csv.reader((one.read_text("RECORD") or "").splitlines()):
        base = row[0].rsplit("/", 1)[-1] if len(row) == 3 and row[2] and not row[0].startswith("..") else ""
        if base.endswith((".py", ".pyd", ".dll", ".dylib")) or ".so" in base:
            held.setdefault(str(one.locate_file(row[0])), (name, row[0], set()))[2].add((int(row[2]), row[1]))
for place, (name, path, known) in held.items():
    try:
        found = os.stat(place)
    except OSError:
        sys.exit(f"lacks files of {name}, as {path}")
    same = any(size == found.st_size for size, _ in known)
    if same and found.st_mtime > made:  # written since: the size alone says nothing
        same = any(hashed(place, form.split("=")[0]) == form for _, form in known)
    if not same:
        sys.exit(f"holds a changed file of {name}: {path}")
"""


_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([A-Za-z0-9.!+_-]+)\s*(?:#.*)?$", re.MULTILINE)


def _broken(folder: Path, lock: Path | None) -> str:
    """Say what is wrong with an environment that was made once; empty where it holds what its lock file pins.

    Where the lock file is another one now, what it pins is installed next, and only the interpreter is tried.
    """
    script, places = folder / "bin" / "pip", {str(folder), str(folder.resolve())}
    text = script.read_text("utf-8", errors="replace") if script.is_file() else ""
    first = "\n".join(text.split("\n", 2)[:2])  # a path with spaces, or a long one, stands in the second line
    if first and not any(place in first for place in places):
        return "was made in another place and moved"
    same = lock is not None and marker(folder).get("lock") == lock_hash(lock)
    pins = [f"{name}=={version}" for name, version in _PIN.findall(lock.read_text("utf-8"))] if lock and same else []
    try:
        tried = subprocess.run(
            [str(python_in(folder)), "-I", "-c", _HELD, str(folder / MARKER), *pins],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        return ""  # slow is not broken
    except OSError:
        return "has no Python that starts"
    said = tried.stderr.strip().splitlines()
    return "" if tried.returncode == 0 else said[-1] if said and tried.returncode == 1 else "has no Python that starts"
