"""Processes that end with all that they started."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KILLED_SECONDS = 30.0
"""Within which a killed process is gone."""
STARTED_BY = "HARNESS_STARTED_BY"
"""Variable that all which a process starts inherits, also in sessions of its own: by it what outlives that process is found."""
_LOOKS, _LOOK_SECONDS = 20, 0.05
"""How often it is looked for what was started while others were ended, and how long between two looks."""
_PROC = Path("/proc")


def own_group() -> dict[str, Any]:
    """Give the arguments of Popen by which a process and its children can be ended together."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def new_mark() -> str:
    """Make a value of `STARTED_BY` for what is started now; who ends us by our own mark ends that, too."""
    return "/".join(filter(None, (os.environ.get(STARTED_BY), secrets.token_hex(8))))


def end_left(mark: str, group: int = 0) -> tuple[str, ...]:
    """Kill what bears a mark, or one made below it, but this process; returns the names of what was not in `group`.

    On Linux, among the processes of this user whose variables can be read; elsewhere nothing is found.
    """
    found: dict[int, str] = {}
    for _ in range(_LOOKS if mark else 0):
        there = dict(_bearing(mark))
        for pid, name in there.items():
            with contextlib.suppress(OSError):
                if os.getpgid(pid) != group:
                    found[pid] = name
                os.kill(pid, signal.SIGKILL)
        if not there:
            break
        time.sleep(_LOOK_SECONDS)
    return tuple(sorted(set(found.values())))


def _bearing(mark: str) -> Iterator[tuple[int, str]]:
    wanted = f"{STARTED_BY}={mark}".encode()
    if sys.platform != "linux" or not hasattr(os, "getuid"):
        return
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.name == str(os.getpid()) or folder.stat().st_uid != os.getuid():
                continue
            said = (folder / "environ").read_bytes().split(b"\0")
            if any(one == wanted or one.startswith(wanted + b"/") for one in said):
                yield int(folder.name), (folder / "comm").read_text("utf-8", "replace").strip()


def kill(process: subprocess.Popen[Any], mark: str = "") -> tuple[str, ...]:
    """Kill a process of its own group and everything that it started; what a driver holds in the kernel is not waited for.

    mark: what it was started with as `STARTED_BY`. Returns the names of what stood in groups of its own.
    """
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            _kill_tree(process.pid)
    left = end_left(mark, process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=KILLED_SECONDS)
    return left


def _kill_tree(pid: int) -> None:
    """Kill a process and all that it started, where a system has no process groups: Windows lets children live on."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with contextlib.suppress(psutil.Error):
                process.kill()
