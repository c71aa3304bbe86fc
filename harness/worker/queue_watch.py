"""Whether the workers of a queue folder live, and what becomes of the batches of those that do not."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.worker.queue_layout import (
    AGAIN,
    FAILED,
    LEFT,
    SAID,
    WORKERS,
    beside,
    name_of,
    say,
    taken_batches,
    worker_of,
)

STILL_SECONDS = 60.0
"""A worker whose number does not change for so long is taken for dead: twelve beats."""


@dataclass
class Beats:
    """Numbers of workers, looked at more than once: a change is a life, by our own clock, whatever number or time a file bears."""

    queue: Path
    _seen: dict[str, tuple[str, float, bool]] = field(default_factory=dict)
    """Worker to its number, when that was first seen, and whether it ever changed."""

    def silent(self, worker: str) -> float:
        """Look at a worker's number; returns for how many seconds it has been the same, 0 at the first look."""
        try:
            beat = (self.queue / WORKERS / f"{worker}.beat").read_text("utf-8")
        except (OSError, ValueError):
            beat = ""
        known, now = self._seen.get(worker), time.monotonic()
        if known is None or known[0] != beat:
            self._seen[worker] = (beat, now, known is not None)
        return now - self._seen[worker][1]

    def changed(self, worker: str) -> bool:
        """Tell whether a number was ever seen to change."""
        return worker in self._seen and self._seen[worker][2]


@dataclass
class QueueWatch:
    """Takes over the batches of workers that are dead."""

    queue: Path
    worker: str
    given_up: int = 0
    """Batches that ended two workers and went to `failed`."""
    unsure: bool = False
    """Some worker has a batch of which it is not known yet whether it lives."""
    beats: Beats = field(init=False)

    def __post_init__(self) -> None:
        self.beats = Beats(self.queue)

    def taken_over(self) -> Path | None:
        """Take over a batch of a worker that is dead; None where there is none. One that ended two workers goes to `failed`."""
        self.unsure = False
        for path in taken_batches(self.queue):
            other = worker_of(path)
            if other != self.worker and self._still(other) and (mine := self._mine(path, other)):
                return mine
        return None

    def _mine(self, path: Path, other: str) -> Path | None:
        """Rename a dead worker's batch; None where it has another, or was in the hands of two workers."""
        again, name = path.name.endswith(AGAIN), name_of(path)
        mine = self.queue / FAILED / name if again else path.with_name(f"{name}@{self.worker}{AGAIN}")
        try:
            os.rename(path, mine)  # noqa: PTH104 - the one step that decides
        except FileNotFoundError:  # another worker was faster, or its own is not dead
            return None
        with suppress(FileNotFoundError):
            os.replace(beside(path, SAID), beside(mine, SAID))
        beside(path, LEFT).unlink(missing_ok=True)
        say(mine, taken_over_from=other, why=f"its beat stood still for {STILL_SECONDS:g} s")
        if not again:
            return mine
        self.given_up += 1
        say(mine, failed=name, why="it was in the hands of two workers when they stopped")
        return None

    def _still(self, other: str) -> bool:
        seconds = self.beats.silent(other)
        self.unsure |= not self.beats.changed(other) or seconds > STILL_SECONDS / 2
        return seconds >= STILL_SECONDS
