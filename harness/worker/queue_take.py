"""How a worker takes a batch: by a rename, which one of several wins."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.worker.queue_layout import LEFT, SAID, TAKEN, WAITING, Damaged, Newer, QueuedBatch, beside, read_batch


def batches_in(folder: Path) -> list[Path]:
    """List the batches that stand in a folder by their own names, first things first; what is no batch is left alone."""
    return [path for path in sorted(folder.glob("*.jsonl")) if path.is_file() and not path.is_symlink()]


def taken_batches(queue: Path) -> list[Path]:
    """List the batches that workers have."""
    found = sorted((queue / TAKEN).glob("*.jsonl@*"))
    return [path for path in found if not path.name.endswith((SAID, LEFT, ".partial")) and path.is_file()]


def take(queue: Path, worker: str, serves: Callable[[QueuedBatch], bool] = lambda batch: True) -> Path | None:
    """Take the first batch that nobody else has, by renaming it; None where there is none that this worker serves."""
    for path in batches_in(queue / WAITING):
        with suppress(Newer):
            if not _is_for(path, serves):
                continue
            taken = queue / TAKEN / f"{path.name}@{worker}"
            try:
                os.rename(path, taken)  # noqa: PTH104 - the one step that decides
            except FileNotFoundError:  # another worker was faster
                continue
            with suppress(OSError):  # of a worker that was told to end
                os.replace(path.with_name(f"{path.name}{SAID}"), beside(taken, SAID))
            return taken
    return None


def _is_for(path: Path, serves: Callable[[QueuedBatch], bool]) -> bool:
    """Tell whether a worker serves a batch; one that cannot be read it takes to say so. Raises: Newer."""
    try:
        return serves(read_batch(path))
    except Damaged:
        return path.exists()
