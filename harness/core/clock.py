"""Spans of monotonic time by activity, so that what the harness itself costs can be told from what it measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Spans:
    """Seconds by activity. Spans do not overlap: an inner span's time is taken off the outer one."""

    seconds: dict[str, float] = field(default_factory=dict)
    _inner: list[float] = field(default_factory=lambda: [0.0])

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Count the time of a block under a name."""
        begun = time.monotonic()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.monotonic() - begun
            self.add(name, whole - self._inner.pop())
            self._inner[-1] += whole

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were found in another way."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
