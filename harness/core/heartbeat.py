"""A number that rises in a file while somebody lives: who looks twice knows it, whatever any clock says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT_SECONDS = 5.0
GONE_SECONDS = 10.0
"""Longest wait for the last beat to be written."""


@contextmanager
def beating(file: Path, seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Let a number rise in a file, and take the file away at the end; one that cannot be written is no reason to end."""
    over = threading.Event()

    def beat(count: int) -> None:
        with suppress(OSError), open(file, "r+b" if file.exists() else "wb", buffering=0) as beats:
            beats.write(f"{count:010d}\n".encode())  # over the last one: who looks meanwhile finds a number

    def beat_on() -> None:
        count = 1
        while not over.wait(seconds):
            count += 1
            beat(count)

    beat(1)
    heart = threading.Thread(target=beat_on, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join(timeout=GONE_SECONDS)
        if not heart.is_alive():  # else the disk hangs, and would hold us, too; the thread ends with the process
            with suppress(OSError):
                file.unlink()
