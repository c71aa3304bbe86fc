"""Who holds a file of the database, as far as this system tells: Linux lists the locks of all processes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LOCK = re.compile(r"^\d+:\s+POSIX\s+\S+\s+(READ|WRITE)\s+(\d+)\s+\S+:(\d+)\s", re.MULTILINE)
_LOCKS = Path("/proc/locks")
_SHOWN = 100
"""Letters of a command line."""


def holders(file: Path) -> str:
    """Name other processes that hold a database file: those that write, else those that read; empty where nothing tells.

    file: the database; SQLite locks it, or with a write-ahead log the `-shm` beside it.
    """
    found = list(_holders(file))
    pids = [pid for kind, pid in found if kind == "WRITE"] or [pid for _, pid in found]
    return ", ".join(f"process {pid}{_command(pid)}" for pid in dict.fromkeys(pids) if pid not in {0, os.getpid()})


def _holders(file: Path) -> Iterator[tuple[str, int]]:
    inodes = set()
    for one in (file, file.with_name(f"{file.name}-shm"), file.with_name(f"{file.name}-wal")):
        with suppress(OSError):
            inodes.add(one.stat().st_ino)
    with suppress(OSError):
        for kind, pid, inode in _LOCK.findall(_LOCKS.read_text("utf-8", "replace")):
            if int(inode) in inodes:
                yield kind, int(pid)


def _command(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        text = " ".join(words.split())
        return f" ({text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''})" if text else ""
    return ""
