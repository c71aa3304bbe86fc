"""What must not travel in a bundle: sweeps, catalogues and files that say where they were made, by whom, or a secret."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from harness.bundling.freezing import Frozen
from harness.bundling.records import WORKSPACE
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.variables import without_secrets

LARGEST = 1_000_000
"""Bytes up to which a file that is carried is searched."""
_CARRIED = ("models/", f"{WORKSPACE}/")
_WORDS = re.compile(r"(/texts/|/(tokenizer|vocab|added_tokens|special_tokens_map)\.json$|/(vocab|merges)\.txt$)")
"""Files that hold any word: that one is somebody's name says nothing."""
_NOBODY = frozenset({
    "root", "user", "users", "admin", "ubuntu", "debian", "runner", "jovyan", "vagrant", "docker", "guest", "test", "nobody", "nvidia",
    "localhost", "model", "models", "home", "work", "data",
})  # fmt: skip
"""Names that tell of nobody."""


def refuse_what_tells(frozen: Frozen, workspace: Workspace) -> None:
    """Refuse sweeps, catalogues and carried files that say where they were made, by whom, or a secret. Raises: HarnessError naming each."""
    names, others = _names(), {**_secrets(), **_places(workspace)}
    for place, text in frozen.said.items():
        for what in _found(f"{place}\n{text}".encode(), {**others, **names}):
            frozen.problems.append(f"{place} of the bundle would say {what}; take it out of the sweep or the catalogue")
    for place, path in frozen.files.items():
        if isinstance(path, Path) and place.startswith(_CARRIED) and not place.startswith(tuple(frozen.public)):
            data = path.read_bytes() if path.stat().st_size <= LARGEST else b""
            for what in _found(place.encode() + b"\n" + data, others if _WORDS.search(place) else {**others, **names}):
                frozen.problems.append(f"{path} would say {what} in the bundle; {_remedy(place)}")
    if frozen.problems:
        raise HarnessError("\n".join(dict.fromkeys(frozen.problems)))


def _remedy(place: str) -> str:
    if place.startswith("models/"):
        return "take it out (`_name_or_path` of a config.json may go); the model then counts as another one, here too"
    return "take it out of that file"


def _found(data: bytes, told: dict[str, str]) -> Iterator[str]:
    """Name what is said in a text, as it is or as JSON writes it."""
    for what, word in told.items():
        ways = "|".join(re.escape(way) for way in {word, json.dumps(word)[1:-1]})
        if re.search(rf"(?<![A-Za-z0-9])(?:{ways})(?![A-Za-z0-9])".encode(), data):
            yield what


def _secrets() -> dict[str, str]:
    harmless = without_secrets(os.environ)
    return {
        f"the value of {name}": value for name, value in os.environ.items() if name not in harmless and len(value) >= 8
    }


def _names() -> dict[str, str]:
    """Names of this machine and its user, but those that tell of nobody."""
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or ""
    names = {"the name of this machine": socket.gethostname(), "the name of its user": user}
    return {what: word for what, word in names.items() if len(word) >= 4 and word.lower() not in _NOBODY}


def _places(workspace: Workspace) -> dict[str, str]:
    places = {"a folder of this machine": str(workspace.root), "the home folder of this machine": str(Path.home())}
    return {what: word for what, word in places.items() if len(word) > 4}
