"""What became of a process."""

from __future__ import annotations

import contextlib

import psutil


def is_gone(pid: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE)
    return True
