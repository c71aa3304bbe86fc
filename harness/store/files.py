"""Read what runs and sessions left on disk, and say by name what is wrong with a file."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.files import PARTIAL, sync_folder, write_whole
from harness.core.outcome import Outcome
from harness.core.spec import SCHEMA_VERSION, Record
from harness.store.mark import MARK_VERSION, NO_MARK, RunMark
from harness.store.session import SESSION_VERSION, SessionRecord

OUTCOME = "outcome.json"
MARK = "mark.json"
RUNS_ID = ".id"
ID_DIGITS = 12
RUNS, SESSIONS = "runs", "sessions"

FOLDERS = ("artifacts", RUNS, SESSIONS, f"{SESSIONS}/environments")
"""Of a results folder, what commands fill and clear."""

R = TypeVar("R", bound=Record)


def check_folders(results: Path) -> None:
    """Refuse a link or a file in the place of a folder that commands fill and clear: what is behind it is not theirs.

    Raises: HarnessError naming it and what to do.
    """
    for name in FOLDERS:
        place = results / name
        if place.is_symlink():
            raise HarnessError(
                f"{place} is a link; nothing is written or removed behind it: put its content in its place, or name another "
                "folder with --results, and run the same command again"
            )
        if place.exists() and not place.is_dir():
            raise HarnessError(f"{place} is not a folder; move it away and run the same command again")


def read_outcome(path: Path) -> Outcome:
    """Read an outcome.json. Raises: ConfigError naming the file, what is wrong and what to do."""
    outcome = _read(path, Outcome, SCHEMA_VERSION)
    if outcome.job.run != path.parent.name:
        raise ConfigError(
            [
                Problem(
                    f"is the outcome of run '{outcome.job.run}', not of the folder it lies in; rename the folder", path
                )
            ]
        )
    return outcome


def read_session(path: Path) -> SessionRecord:
    """Read a session file. Raises: ConfigError naming the file, what is wrong and what to do."""
    return _read(path, SessionRecord, SESSION_VERSION)


def read_mark(folder: Path) -> RunMark:
    """Read what a person said of a run; an empty mark where nothing was. Raises: ConfigError naming the file and what to do."""
    path = folder / MARK
    return _read(path, RunMark, MARK_VERSION) if path.exists() else NO_MARK


def write_mark(folder: Path, mark: RunMark) -> None:
    """Write a run's mark, whole, or remove it where it says nothing, with what a killed command left of one.

    Raises: HarnessError where the run's folder is a link.
    """
    if folder.is_symlink():
        raise HarnessError(f"{folder} is a link; nothing is written behind it: put the run's folder in its place")
    if not mark.is_empty:
        unsaid = set() if mark.keep else {"keep"}
        write_whole(folder / MARK, mark.model_dump_json(indent=1, exclude_none=True, exclude=unsaid) + "\n")
        return
    for path in (folder / f"{MARK}{PARTIAL}", folder / MARK):
        path.unlink(missing_ok=True)
    sync_folder(folder)


def runs_id(runs: Path) -> str | None:
    """Return the id of a folder of run folders, made up where it has none; None where there is no such folder.

    It goes where the folder goes: what is not in the folder any more was deleted, and what a database has from elsewhere was not.
    """
    path = runs / RUNS_ID
    if not runs.is_dir():
        return None
    try:
        found = path.read_text("ascii").strip()
    except (OSError, ValueError):
        found = ""
    if len(found) == ID_DIGITS and found.isalnum():
        return found
    made = secrets.token_hex(ID_DIGITS // 2)
    write_whole(path, f"{made}\n")
    return made


def _read(path: Path, record: type[R], newest: int) -> R:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read ({error}); {_REMEDY}", path)]) from error
    try:
        found = record.model_validate_json(content)
    except ValidationError as error:
        _check_version(path, content, newest)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        message = f"{where}: {first['msg']} ({error.error_count()} mistakes of this kind); {_REMEDY}"
        raise ConfigError([Problem(message, path)]) from error
    if found.model_dump(include={"schema_version"})["schema_version"] > newest:
        _check_version(path, content, newest)
    return found


def _check_version(path: Path, content: bytes, newest: int) -> None:
    """Tell a file of a newer harness, and one that is no JSON, from one with mistakes in it."""
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(f"cannot be read ({error}); {_REMEDY}", path)]) from error
    version = raw.get("schema_version", 1) if isinstance(raw, dict) else None
    if isinstance(version, int) and version > newest:
        message = f"has schema version {version} and this harness reads up to {newest}; update the harness"
        raise ConfigError([Problem(message, path)])


_REMEDY = "restore it from a copy, or remove its folder or file and run the same command again"
