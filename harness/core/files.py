"""Files written whole or not at all: write beside, fsync, rename."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.core.identity import files_below

PARTIAL = ".partial"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there in full or not at all, whatever is killed when."""
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f"{path.name}{PARTIAL}")
    with open(beside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
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
    if sealed.exists():
        remove_folder(sealed)
    os.replace(partial, sealed)
    sync_folder(sealed.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that nobody ever sees half of it under its own name."""
    doomed = folder.with_name(f"{folder.name}{PARTIAL}-gone")
    if doomed.exists():
        shutil.rmtree(doomed)
    if folder.exists():
        os.replace(folder, doomed)
        shutil.rmtree(doomed)
