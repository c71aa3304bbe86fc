"""The lock of a results folder: one command at a time writes into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.errors import HarnessError


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Hold the results folder's lock. Raises: HarnessError where another command holds it or it is read-only."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        lock = FileLock(results / "runner.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise HarnessError(f"another command is running on {results}; wait for it or use another --results") from None
    except OSError as error:
        raise HarnessError(
            f"cannot write to {results} ({error.strerror}); choose a writable folder with --results"
        ) from None
    try:
        yield
    finally:
        lock.release()
