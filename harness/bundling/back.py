"""Take in what a bundle's stages came to: their tars, or a folder of them, checked, into the results folder; each run once."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from harness.bundling.records import DAMAGE, Refused, is_inner, members, read_outcomes
from harness.core.errors import HarnessError
from harness.core.files import disk_trouble, remove, seal, sync_folder, write_whole
from harness.core.limits import BROUGHT_BYTES, READ_BYTES
from harness.importing.import_files import set_aside
from harness.store.files import OUTCOME, RUNS, SESSIONS, read_outcome, read_session
from harness.worker import HEARTBEAT, LOCK

_LEFT = frozenset({LOCK, HEARTBEAT})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Brought:
    """What was found: runs that are new here, those that are here already, and what is wrong."""

    new: tuple[str, ...] = ()
    here: int = 0
    problems: tuple[str, ...] = ()


def bring_back(place: Path, results: Path) -> Brought:
    """Move the runs and sessions of a stage's tar, a folder of such tars, or another results folder into this one.

    A run that is here already stays as it is; the same name with another outcome is a problem, and so is a run that a job is writing
    here, a link and a pipe. Nothing of a tar that is damaged is taken. A sweep may run at the same time.
    Raises: HarnessError where there is nothing of that kind.
    """
    tars = [place] if place.is_file() else sorted(place.glob("*.tar")) if place.is_dir() else []
    if not tars and not (place / RUNS).is_dir():
        raise HarnessError(
            f"{place} is neither a tar of a bundle's stage nor a folder with such tars or with {RUNS}/; name what run.sh left in out/"
        )
    with _alone(results), set_aside(results / RUNS) as aside:
        return _brought(place, tars, results, aside)


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Let one command at a time bring runs back. Raises: HarnessError."""
    results.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(results / "bundle.lock", timeout=0):
            yield
    except Timeout:
        raise HarnessError(f"another command brings runs back into {results}; wait until it is over") from None


def _brought(place: Path, tars: list[Path], results: Path, aside: Path) -> Brought:
    found = [_of_folder(place, results, aside)] if not tars else []
    for tar in tars:
        try:
            with _opened(tar, aside / "tar") as folder:
                found.append(_of_folder(folder, results, aside))
        except (Refused, HarnessError) as error:
            found.append(Brought(problems=(str(error),)))
    return Brought(
        tuple(name for one in found for name in one.new),
        sum(one.here for one in found),
        tuple(text for one in found for text in one.problems),
    )


# ---------------------------------------------------------------- tars


@contextmanager
def _opened(tar: Path, folder: Path) -> Iterator[Path]:
    """Unpack a tar where no sweep looks, every file held against the hash that the tar tells. Raises: HarnessError, Refused."""
    try:
        _unpack_all(tar, folder)
        yield folder
    finally:
        if folder.exists():
            remove(folder)


def _unpack_all(tar: Path, folder: Path) -> None:
    if not tar.is_file():
        raise HarnessError(f"{tar} is no file; nothing of it was taken in")
    told, left = read_outcomes(tar), BROUGHT_BYTES
    try:
        with tarfile.open(tar, "r:") as archive:
            found = members(archive)
            for name, sha256 in told.files.items():
                left -= _unpack(archive, found[name], sha256, folder, left)
    except HarnessError as error:
        raise HarnessError(f"{tar}: {error}; nothing of it was taken in") from None
    except DAMAGE as error:
        if isinstance(error, OSError) and disk_trouble(error):
            raise
        raise HarnessError(
            f"{tar} is cut off or damaged ({type(error).__name__}: {str(error)[:80]}): copy it again; nothing of it was taken in"
        ) from None


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, sha256: str, folder: Path, most: int) -> int:
    """Write a file of a tar, and return its bytes. Raises: HarnessError for what is none, is too large, or is not what was packed."""
    name = member.name
    if not is_inner(name) or Path(name).parts[0] not in {RUNS, SESSIONS} or not member.isreg() or member.issparse():
        raise HarnessError(f"{name[:80]!r} is no file of a run or session")
    _check_size(name, member.size, most)
    source, state = archive.extractfile(member), hashlib.sha256()
    assert source is not None
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
            state.update(chunk)
    if state.hexdigest() != sha256:
        raise HarnessError(f"{name} is not what was packed: copy it again")
    return member.size


def _check_size(name: str, size: int, most: int) -> None:
    if size > min(READ_BYTES, most):
        what = f"{size:,} bytes" if size > READ_BYTES else f"more than {BROUGHT_BYTES:,} bytes with what is before it"
        raise HarnessError(f"{name} has {what}, more than any run holds")


# ---------------------------------------------------------------- folders


def _of_folder(place: Path, results: Path, aside: Path) -> Brought:
    """Take runs and sessions of a folder; a run is moved in as a whole."""
    new, here, problems = [], 0, []
    for path in sorted((place / RUNS).glob(f"[!.]*/{OUTCOME}")):
        try:
            known = _is_here(path, results)
            if not known:
                _bring(path.parent, results / RUNS / path.parent.name, aside)
                new.append(path.parent.name)
            here += known
        except HarnessError as error:
            problems.append(str(error))
    for path in sorted((place / SESSIONS).glob("*.json")):
        try:
            _session(path, results / SESSIONS / path.name, aside)
        except HarnessError as error:
            problems.append(str(error))
    return Brought(tuple(new), here, tuple(problems))


def _is_here(outcome: Path, results: Path) -> bool:
    """Tell whether a run is here already. Raises: HarnessError for what is no outcome, or another outcome of the same run."""
    _check_plain(outcome.parent, stat.S_ISDIR, "folder")
    _check_plain(outcome, stat.S_ISREG, "file")
    read_outcome(outcome)
    mine = results / RUNS / outcome.parent.name / OUTCOME
    if not mine.exists():
        return False
    if mine.read_bytes() != outcome.read_bytes():
        raise HarnessError(
            f"run {outcome.parent.name} is here with another outcome; that of {outcome.parent.parent.parent} was left out"
        )
    return True


def _bring(folder: Path, to: Path, aside: Path) -> None:
    """Copy a run beside the others, then put it in its place at once and for good. Raises: HarnessError; nothing is there then."""
    made, left = aside / to.name, BROUGHT_BYTES
    try:
        for path in _files(folder):
            left -= _copy(path, made / path.relative_to(folder), left)
        _put(made, to)
    finally:
        if made.exists():
            remove(made)


def _put(made: Path, to: Path) -> None:
    """Put a run in its place. Raises: HarnessError where a job writes there, or something else stands there.

    Of what was begun here and never ended, the outcome that was brought takes the place.
    """
    if not os.path.lexists(to):
        seal(made, to)
        return
    if to.is_symlink() or not to.is_dir():
        raise HarnessError(f"{to} is no folder of a run; it stays, and the run that was brought was left out")
    try:
        with FileLock(to / LOCK, timeout=0):
            seal(made, to)
    except Timeout:
        raise HarnessError(
            f"run {to.name} is being measured here; it stays, and the one that was brought was left out"
        ) from None


def _files(folder: Path) -> Iterator[Path]:
    """List what a run folder holds but locks. Raises: HarnessError for a link, or what has no end."""
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            _check_plain(path, stat.S_ISREG, "file")
            yield path


def _copy(source: Path, to: Path, most: int) -> int:
    """Copy a file, and return its bytes. Raises: HarnessError for one that is too large, grows meanwhile or cannot be read."""
    size = source.lstat().st_size
    _check_size(str(source), size, most)
    to.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with _reading(source) as read, open(to, "wb") as file:
        while left and (chunk := read.read(min(_CHUNK, left))):
            file.write(chunk)
            left -= len(chunk)
        if left or read.read(1):
            raise HarnessError(f"{source} changes while it is read; bring it back when it is whole")
    return size


def _reading(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise HarnessError(f"{path} cannot be read ({error.strerror}); make it readable for this user") from None


def _check_plain(path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    """Raises: HarnessError for what is not of a kind itself: a link may lead anywhere, a pipe or a device has no end."""
    try:
        facts = path.lstat()
    except OSError as error:
        raise HarnessError(f"{path} cannot be read ({error.strerror}); make it readable for this user") from None
    if not is_kind(facts.st_mode):
        what = "a link" if stat.S_ISLNK(facts.st_mode) else f"no {kind}"
        raise HarnessError(f"{path} is {what}, which no run holds; its run or session was left out")
    if kind == "file":
        _check_size(str(path), facts.st_size, READ_BYTES)


def _session(path: Path, to: Path, aside: Path) -> None:
    """Take a session that is not here, or is finished now. Raises: HarnessError for what is none."""
    _check_plain(path, stat.S_ISREG, "file")
    incoming = read_session(path)
    if to.exists() and (read_session(to).finished is not None or incoming.finished is None):
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(aside / to.name, path.read_bytes())
    os.replace(aside / to.name, to)
    sync_folder(to.parent)
