"""Processes that end with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

KILLED_SECONDS = 30.0
"""Within which a killed process is gone."""


def own_group() -> dict[str, Any]:
    """Give the arguments of Popen by which a process and its children can be ended together."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process of its own group and everything that it started; what a driver holds in the kernel is not waited for."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            _kill_tree(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=KILLED_SECONDS)


def _kill_tree(pid: int) -> None:
    """Kill a process and all that it started, where a system has no process groups: Windows lets children live on."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with contextlib.suppress(psutil.Error):
                process.kill()
