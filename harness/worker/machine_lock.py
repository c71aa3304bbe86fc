"""One speed job at a time on this machine, and on each of its GPUs, whichever command and results folder it belongs to.

Workers of a queue folder share the machine for all else, so that nothing of theirs runs beside it. The locks are the operating system's, on files in its temporary folder that anybody may open and that hold nothing; one of
a process that died is no lock.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.errors import HarnessError

try:
    import fcntl
except ImportError:  # Windows, where a lock is somebody's alone
    fcntl = None  # type: ignore[assignment]

NAME = "quant-harness-speed"
TOLD_EVERY = 600.0
"""Seconds between two words of a command that waits: it does so as long as another measures."""


def lock_files(gpus: Iterable[str] = ()) -> list[Path]:
    """Name the files to lock, in the order in which everybody locks them. `gpus`: UUIDs; a file shows a hash of one."""
    folder = Path(tempfile.gettempdir())
    hashes = sorted(hashlib.sha256(uuid.encode()).hexdigest()[:12] for uuid in gpus)
    return [folder / f"{name}.lock" for name in (NAME, *(f"{NAME}-{one}" for one in hashes))]


def take(
    stack: ExitStack, files: Iterable[Path], *, shared: bool = False, told_every: float = TOLD_EVERY
) -> Iterator[str]:
    """Hold the locks until `stack` ends; yields what to tell a person before each one that must be waited for.

    shared: beside others who share them. told_every: seconds between two words of one that waits. Raises: HarnessError where a file cannot be
    locked: somebody else's that we may not open, or a link.
    """
    for path in files:
        if path.is_symlink():
            raise HarnessError(f"{path} is a link, and a lock must be a file of its own; remove it")
        lock = _Shared(path) if shared and fcntl is not None else FileLock(path, mode=0o666)
        try:
            if not _try(lock):
                waits = f"waiting for another command that measures speed on this machine ({path} is locked)"
                yield waits
                begun = time.monotonic()
                while not _try(lock, told_every):
                    yield f"still {waits}, since {(time.monotonic() - begun) / 60:.0f} min"
        except OSError as error:
            raise HarnessError(f"{path} cannot be locked ({error.strerror}); remove it, or set TMPDIR") from error
        stack.callback(lock.release)


class _Shared:
    """A lock that several hold at a time, as `FileLock` takes the same file for one alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def acquire(self, timeout: float, poll_interval: float) -> None:
        """Take it. Raises: Timeout where somebody has it alone for so long; OSError where it cannot be locked."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        with suppress(OSError):  # somebody else's
            os.fchmod(file, 0o666)
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(file)
                    raise Timeout(str(self.path)) from None
                time.sleep(poll_interval)
            else:
                self._file = file
                return

    def release(self) -> None:
        """Let it go."""
        os.close(self._file)


def _try(lock: FileLock | _Shared, seconds: float = 0) -> bool:
    try:
        lock.acquire(timeout=seconds, poll_interval=0.2)
    except Timeout:
        return False
    return True
