"""One speed job at a time on this machine, and on each of its GPUs, whichever command and results folder it belongs to.

The locks are the operating system's, on files in its temporary folder that anybody may open and that hold nothing; one of
a process that died is no lock.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.errors import HarnessError

NAME = "quant-harness-speed"
TOLD_EVERY = 600.0
"""Seconds between two words of a command that waits: it does so as long as another measures."""


def lock_files(gpus: Iterable[str] = ()) -> list[Path]:
    """Name the files to lock, in the order in which everybody locks them. `gpus`: UUIDs; a file shows a hash of one."""
    folder = Path(tempfile.gettempdir())
    hashes = sorted(hashlib.sha256(uuid.encode()).hexdigest()[:12] for uuid in gpus)
    return [folder / f"{name}.lock" for name in (NAME, *(f"{NAME}-{one}" for one in hashes))]


def take(stack: ExitStack, files: Iterable[Path]) -> Iterator[str]:
    """Hold the locks until `stack` ends; yields what to tell a person before each one that must be waited for.

    Raises: HarnessError where a file cannot be locked: somebody else's that we may not open, or a link.
    """
    for path in files:
        if path.is_symlink():
            raise HarnessError(f"{path} is a link, and a lock must be a file of its own; remove it")
        lock = FileLock(path, mode=0o666)
        try:
            if not _try(lock):
                waits = f"waiting for another command that measures speed on this machine ({path} is locked)"
                yield waits
                begun = time.monotonic()
                while not _try(lock, TOLD_EVERY):
                    yield f"still {waits}, since {(time.monotonic() - begun) / 60:.0f} min"
        except OSError as error:
            raise HarnessError(f"{path} cannot be locked ({error.strerror}); remove it, or set TMPDIR") from error
        stack.callback(lock.release)


def _try(lock: FileLock, seconds: float = 0) -> bool:
    try:
        lock.acquire(timeout=seconds, poll_interval=0.2)
    except Timeout:
        return False
    return True
