"""The lock of a workspace's hub models, `models.lock` beside models.yaml: HUB-ID BRANCH COMMIT, one line a model."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import ConfigError, Problem

FILE = "models.lock"
COMMIT = re.compile(r"[0-9a-f]{40}")
_LINE = re.compile(r"(?P<hub>\S+) (?P<branch>\S+) (?P<commit>[0-9a-f]{40})")
Key = tuple[str, str]
"""Hub id and branch."""


def read_lock(folder: Path) -> dict[Key, str]:
    """Read the lock of a folder of catalogues; empty where there is none. Raises: ConfigError naming a line that is none, and a branch that has two."""
    path = folder / FILE
    if not path.is_file():
        return {}
    found: dict[Key, str] = {}
    lines: dict[Key, int] = {}
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            parts = _LINE.fullmatch(line.strip())
            if parts is None:
                raise ConfigError([Problem("is not HUB-ID BRANCH COMMIT (40 digits); take the line out", path, number)])
            key = (parts["hub"], parts["branch"])
            if key in found:
                text = (
                    f"'{key[1]}' of {key[0]} is locked twice, here and in line {lines[key]}; take one of the lines out"
                )
                raise ConfigError([Problem(text, path, number)])
            found[key], lines[key] = parts["commit"], number
    return found
