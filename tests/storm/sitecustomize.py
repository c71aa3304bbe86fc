"""Strikes one process of a command at its n-th change of a file below a folder: it is killed, or the change is refused.

Python runs this module in every process that has its folder in PYTHONPATH. It sees what Python itself opens for writing, renames,
links, makes, removes and flushes; what a library does below Python, as SQLite, is seen by strace alone (tests/storm/__init__.py).
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

STRIKE = os.environ.get("STORM_STRIKE", "")
"""`WHO NUMBER WHAT`: `desk` or `worker`, which change counted from 1 (0: none), and `kill`, `ENOSPC` or `EACCES`."""
FOLDER = os.environ.get("STORM_FOLDER", "")
COUNTS = os.environ.get("STORM_COUNTS", "")
"""Folder in which each process leaves the number of changes that it came to, by its role."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {"os.rename": 2, "os.link": 2, "os.symlink": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.truncate": 1}
"""Events of a change, and how many of their first arguments are paths."""


def _role() -> str:
    words = sys.orig_argv
    if "harness.worker" in words:
        return "" if "--describe" in words else "worker"
    return "desk" if "harness" in words else ""


class Storm:
    """Counts the changes of this process and strikes at one of them."""

    def __init__(self, who: str, number: int, what: str) -> None:
        self.mine, self.number, self.what, self.seen = who == _role(), number, what, 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Audit hook: see PEP 578."""
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & WRITES:
                self.change(path)
        elif event in PATHS:
            self.change(*args[: PATHS[event]])

    def change(self, *paths: Any) -> None:
        """Count a change, and strike where it is the one."""
        if not any(_below(path) for path in paths):
            return
        self.seen += 1
        if not self.mine or self.seen != self.number:
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        code = getattr(errno, self.what)
        raise OSError(code, os.strerror(code))

    def leave_count(self) -> None:
        """Write down how many changes there were."""
        place = f"{COUNTS}{os.sep}{_role()}"
        with open(place, "a", encoding="utf-8") as file:
            file.write(f"{self.seen}\n")


def _below(path: Any) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    return isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(FOLDER + os.sep)  # noqa: PTH100 - links stay links


def _begin() -> None:
    import atexit

    who, number, what = STRIKE.split()
    storm = Storm(who, int(number), what)
    sys.addaudithook(storm)
    flush = os.fsync

    def fsync(file: Any) -> None:
        storm.change(f"{FOLDER}{os.sep}flushed")
        flush(file)

    os.fsync = fsync
    if COUNTS:
        atexit.register(storm.leave_count)


if STRIKE and FOLDER and _role():
    _begin()
