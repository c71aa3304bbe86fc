"""Strikes a command at its n-th change of a file below a folder: the process that makes it is killed, or the change is refused.

Python runs this module in every process that has its folder in PYTHONPATH. It sees what Python itself opens for writing, renames,
links, makes, removes and flushes; what a library does below Python, as SQLite, is seen by strace alone (tests/test_storm.py).
Changes are counted over all processes of a role, and a command is struck once.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from typing import Any

STRIKE = os.environ.get("STORM_STRIKE", "")
"""`WHO NUMBER WHAT`: `runner` or `worker`, which change counted from 1 (0: none), and `kill`, `both` (a worker and its runner), `ENOSPC` or `EACCES`."""
FOLDER = os.environ.get("STORM_FOLDER", "")
STATE = os.environ.get("STORM_STATE", "")
"""Folder beside FOLDER: a byte for each change in a file named after the role, and `struck` once one was struck."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.truncate": ((0, None),),
}
"""Events of a change: places of paths among the arguments, and of the folders that they are relative to."""


def role() -> str:
    """Say what this process is to a command: its runner, its worker, or nothing."""
    words = sys.orig_argv
    if "harness.worker" in words:
        return "" if "--describe" in words else "worker"
    return "runner" if "harness" in words else ""


class Storm:
    """Counts the changes of this process and strikes at one of them."""

    def __init__(self, who: str, number: int, what: str) -> None:
        self.mine, self.number, self.what = who == role(), number, what
        self.lock = threading.Lock()
        self.count = os.open(f"{STATE}{os.sep}{role()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Audit hook: see PEP 578."""
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & WRITES and _is_below(path):
                self.change()
        elif event in PATHS and any(_is_below(args[at], base is not None and args[base]) for at, base in PATHS[event]):
            self.change()

    def change(self) -> None:
        """Count a change, and strike where it is the one."""
        with self.lock:
            os.write(self.count, b".")
            place = os.fstat(self.count).st_size
        if not self.mine or place != self.number:
            return
        os.close(os.open(f"{STATE}{os.sep}struck", os.O_WRONLY | os.O_CREAT))
        if self.what == "both":  # a worker's runner first: a living one answers for it
            os.kill(os.getppid(), signal.SIGKILL)
        if self.what in {"kill", "both"}:
            os.kill(os.getpid(), signal.SIGKILL)
        code = getattr(errno, self.what)
        raise OSError(code, os.strerror(code))


def _is_below(path: Any, base: Any = False) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | os.PathLike):
        return False
    if isinstance(base, int) and base > 2 and not os.path.isabs(path):  # noqa: PTH117 - a file's number of 0 to 2 is none
        try:
            path = f"{os.readlink(f'/proc/self/fd/{base}')}{os.sep}{path}"  # noqa: PTH115
        except OSError:
            return False
    return os.path.abspath(path).startswith(FOLDER + os.sep)  # noqa: PTH100 - links stay links


def _begin() -> None:
    who, number, what = STRIKE.split()
    storm = Storm(who, int(number), what)
    sys.addaudithook(storm)
    flush = os.fsync

    def fsync(file: Any) -> None:
        storm.change()
        flush(file)

    os.fsync = fsync


def _name_alike() -> None:
    """Let files that are named after this process be called alike each time, so that they can be struck by their path."""
    from types import SimpleNamespace

    from harness.core import files

    vars(files)["os"] = SimpleNamespace(**{**vars(os), "getpid": lambda: 0})


if STRIKE and FOLDER and STATE and role():
    _begin()
if os.environ.get("STORM_TRACER") and role() == "worker":
    _name_alike()
