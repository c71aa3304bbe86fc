"""Files written whole or not at all: write beside, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.core.identity import files_below


def regular_bytes(path: Path, most: int) -> bytes:
    """Read a file as it is. Raises: OSError also for a device or a pipe, which have no end, and for more than `most` bytes."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no file" if not stat.S_ISDIR(facts.st_mode) else "it is a folder", str(path))
    with open(path, "rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EINVAL, f"it is larger than {most:,} bytes", str(path))
    return found


PARTIAL = ".partial"
_GONE = f"{PARTIAL}-gone"
"""Ends the name of what is being removed."""


def write_whole(path: Path, content: str | bytes, *, durable: bool = True, shared: bool = False) -> None:
    """Write a file so that it is there in full or not at all, whatever is killed when.

    Not `durable`, it may be gone after a power cut: for what the next command would write again. `shared`: other processes or
    threads may write the same file at this moment; the last one counts.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f"{path.name}{PARTIAL}{f'-{os.getpid()}-{threading.get_ident()}' if shared else ''}")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable; a system that cannot open folders (Windows) needs none of it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(partial: Path, sealed: Path) -> None:
    """Turn a filled folder into a sealed one: fsync of files and folders, then one rename.

    A folder that already stands there was sealed by a job whose outcome was lost; nothing refers to it, so it goes.
    """
    for path in files_below(partial):
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    for folder in sorted({path.parent for path in files_below(partial)} | {partial}):
        sync_folder(folder)
    if os.path.lexists(sealed):
        remove(sealed)
    os.replace(partial, sealed)
    sync_folder(sealed.parent)


def remove(path: Path) -> None:
    """Remove a folder, file or link so that nobody ever sees half of it under its own name; what a link points to stays."""
    doomed = path if path.name.endswith(_GONE) else path.with_name(f"{path.name}{_GONE}")
    if doomed != path:
        _erase(doomed)
        if os.path.lexists(path):
            os.replace(path, doomed)
    _erase(doomed)


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_SHUT = {errno.EROFS, errno.EACCES, errno.EPERM}


def disk_trouble(error: OSError) -> str | None:
    """Say what is wrong with a disk or its permissions and what to do; None for an error about something else."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in _FULL:
        return f"the disk is full: {error.strerror}{where}; free some space and run the same command again"
    if error.errno in _SHUT:
        return f"no access: {error.strerror}{where}; make it writable for this user or choose another folder"
    return None


STAMP = ".stamp"


@dataclass(frozen=True)
class Stamp:
    """What is noted beside a sealed folder."""

    content: str
    weights: str | None = None
    """Hash of its weights alone."""
    scheme: str | None = None
    recipe: Mapping[str, object] | None = None
    """What was asked for, as a `BuildSpec`."""
    scores: Mapping[str, str] = field(default_factory=dict)
    """By engine and options: hash of some log-probabilities."""


def write_stamp(folder: Path, content: str | Stamp) -> None:
    """Note beside a sealed folder what its content hash is, what else is known of it, and which sizes and times its files had then."""
    noted = asdict(content if isinstance(content, Stamp) else Stamp(content))
    write_whole(folder.with_name(folder.name + STAMP), json.dumps({**noted, "files": _marks(folder)}), shared=True)


def stamps_beside(folder: Path) -> dict[str, Stamp]:
    """Read the stamps of the other folders beside one, by the folder's name; those that cannot be read are left out."""
    places = {path.name.removesuffix(STAMP): path for path in folder.parent.glob(f"*{STAMP}")}
    found = {name: _stamp(path) for name, path in places.items() if name != folder.name}
    return {name: pair[0] for name, pair in found.items() if pair is not None}


def stamp_of(folder: Path) -> Stamp | None:
    """Return what is noted beside a sealed folder, while every file has the size and time of the sealing."""
    found = _stamp(folder.with_name(folder.name + STAMP))
    return found[0] if found is not None and found[1] == _marks(folder) else None


def stamped_content(folder: Path) -> str | None:
    """Return a sealed folder's content hash without reading it, while every file has the size and time of the sealing."""
    found = stamp_of(folder)
    return None if found is None else found.content


def _stamp(path: Path) -> tuple[Stamp, object] | None:
    """Read a stamp and the sizes and times in it; None where it is not there, or is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("content"), str):
        return None
    recipe, scores = found.get("recipe"), found.get("scores")
    stamp = Stamp(
        found["content"], found.get("weights"), found.get("scheme"), recipe if isinstance(recipe, dict) else None,
        scores if isinstance(scores, dict) else {},
    )  # fmt: skip
    return stamp, found.get("files")


def _marks(folder: Path) -> list[list[Any]]:
    facts = [(path.relative_to(folder).as_posix(), path.stat()) for path in files_below(folder)]
    return [[name, fact.st_size, fact.st_mtime_ns] for name, fact in facts]
