"""Spans of monotonic time by activity, so that what the harness itself costs can be told from what it measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


def waited_seconds() -> float:
    """Return the seconds for which this thread was ready and no processor was free; 0 where the system does not tell.

    Source: proc(5), /proc/[pid]/schedstat, second number, in nanoseconds.
    """
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("utf-8").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


@dataclass
class Spans:
    """Seconds by activity. Spans do not overlap: an inner span's time is taken off the outer one."""

    seconds: dict[str, float] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    """Of them, seconds for which no processor was free; those of inner spans stay in."""
    _inner: list[float] = field(default_factory=lambda: [0.0])

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Count the time of a block under a name."""
        begun, before = time.monotonic(), waited_seconds()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.monotonic() - begun
            self.add(name, whole - self._inner.pop())
            self._inner[-1] += whole
            self.waited[name] = self.waited.get(name, 0.0) + waited_seconds() - before

    def undisturbed(self, name: str) -> float | None:
        """Return seconds of an activity without those for which no processor was free; None where it did not take place."""
        return max(0.0, self.seconds[name] - self.waited.get(name, 0.0)) if name in self.seconds else None

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were found in another way."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
