"""Take in what a bundle's stages came to: their tars, or a folder of them, checked, into the results folder; each run once."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness.bundling.records import Refused, is_inner, read_outcomes
from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, remove, write_whole
from harness.store.files import OUTCOME, RUNS, SESSIONS, read_outcome, read_session

_ASIDE = ".bundle-"
"""Begins the names of folders among the runs in which no sweep looks: what is not here as a whole yet."""
_MOST = 1 << 31
"""Bytes of one file: nothing that a run keeps is larger."""


@dataclass(frozen=True)
class Brought:
    """What was found: runs that are new here, those that are here already, and what is wrong."""

    new: tuple[str, ...] = ()
    here: int = 0
    problems: tuple[str, ...] = ()


def bring_back(place: Path, results: Path) -> Brought:
    """Move the runs and sessions of a stage's tar, a folder of such tars, or another results folder into this one.

    A run that is here already stays as it is; the same name with another outcome is a problem. Nothing of a tar that is damaged is
    taken. Raises: HarnessError where there is nothing of that kind.
    """
    tars = [place] if place.is_file() else sorted(place.glob("*.tar")) if place.is_dir() else []
    if not tars and not (place / RUNS).is_dir():
        raise HarnessError(
            f"{place} is neither a tar of a bundle's stage nor a folder with such tars or with {RUNS}/; name what run.sh left in out/"
        )
    with _alone(results):
        return _brought(place, tars, results)


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Let one command at a time bring runs back, and clear away what one that was cut off left. Raises: HarnessError."""
    (results / RUNS).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(results / "bundle.lock", timeout=0):
            for left in (results / RUNS).glob(f"{_ASIDE}*"):
                remove(left)
            yield
    except Timeout:
        raise HarnessError(f"another command brings runs back into {results}; wait until it is over") from None


def _brought(place: Path, tars: list[Path], results: Path) -> Brought:
    found = [_of_folder(place, results)] if not tars else []
    for tar in tars:
        try:
            with _opened(tar, results) as folder:
                found.append(_of_folder(folder, results))
        except (Refused, HarnessError) as error:
            found.append(Brought(problems=(str(error),)))
    return Brought(
        tuple(name for one in found for name in one.new),
        sum(one.here for one in found),
        tuple(text for one in found for text in one.problems),
    )


@contextmanager
def _opened(tar: Path, results: Path) -> Iterator[Path]:
    """Unpack a tar beside the runs, where no sweep looks, every file held against the hash that the tar tells. Raises: HarnessError, Refused."""
    folder = results / RUNS / f"{_ASIDE}{secrets.token_hex(4)}{PARTIAL}"
    told = read_outcomes(tar)
    try:
        with tarfile.open(tar) as archive:
            for name, sha256 in told.files.items():
                _unpack(archive, name, sha256, folder, tar)
        yield folder
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise HarnessError(
            f"{tar} is cut off or damaged ({error}): copy it again; nothing of it was taken in"
        ) from None
    finally:
        if folder.exists():
            remove(folder)


def _unpack(archive: tarfile.TarFile, name: str, sha256: str, folder: Path, tar: Path) -> None:
    parts = Path(name).parts
    member = archive.getmember(name)
    if not is_inner(name) or parts[0] not in {RUNS, SESSIONS} or not member.isreg() or member.size > _MOST:
        raise HarnessError(f"{tar}: '{name[:80]}' is no file of a run or session; nothing of it was taken in")
    source = archive.extractfile(member)
    assert source is not None
    path, state = folder / name, hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
            state.update(chunk)
    if state.hexdigest() != sha256:
        raise HarnessError(f"{tar}: {name} is not what was packed: copy it again; nothing of it was taken in")


def _of_folder(place: Path, results: Path) -> Brought:
    """Take runs and sessions of a folder; a run is moved in as a whole."""
    new, here, problems = [], 0, []
    for path in sorted((place / RUNS).glob(f"[!.]*/{OUTCOME}")):
        try:
            known = _is_here(path, results)
        except HarnessError as error:
            problems.append(str(error))
            continue
        here += known
        if not known:
            _move(path.parent, results / RUNS / path.parent.name)
            new.append(path.parent.name)
    for path in sorted((place / SESSIONS).glob("*.json")):
        try:
            _session(path, results / SESSIONS / path.name)
        except HarnessError as error:
            problems.append(str(error))
    return Brought(tuple(new), here, tuple(problems))


def _is_here(outcome: Path, results: Path) -> bool:
    """Tell whether a run is here already. Raises: HarnessError for what is no outcome, or another outcome of the same run."""
    read_outcome(outcome)
    mine = results / RUNS / outcome.parent.name / OUTCOME
    if not mine.exists():
        return False
    if mine.read_bytes() != outcome.read_bytes():
        raise HarnessError(
            f"run {outcome.parent.name} is here with another outcome; that of {outcome.parent.parent.parent} was left out"
        )
    return True


def _move(folder: Path, to: Path) -> None:
    beside = to.with_name(f"{_ASIDE}{to.name}{PARTIAL}-{os.getpid()}")
    shutil.copytree(folder, beside, ignore=shutil.ignore_patterns("lock", "heartbeat"))
    if to.exists():
        remove(to)  # a run folder without an outcome: what was begun here and never ended
    os.replace(beside, to)


def _session(path: Path, to: Path) -> None:
    """Take a session that is not here, or is finished now. Raises: HarnessError for what is none."""
    incoming = read_session(path)
    if to.exists() and (read_session(to).finished is not None or incoming.finished is None):
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(to, path.read_bytes())
