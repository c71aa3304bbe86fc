"""Where the wall time of a command went, and how much of it is the harness's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.worker.answer import Answer

OWN = ("plan", "store", "report", "write", "ready", "handover", "describe", "hash", "seal", "check", "worker", "other")
"""Own work, spawn-to-ready, waiting, hashing, writing; what a job's own spans leave over; what nobody counted."""
WORK = ("interpreter", "import", "build", "open", "measure", "waiting")
"""Interpreter start, third-party imports, building, loading, measuring, waiting for others: not the harness's own."""
_WORKER_OWN = ("hash", "seal", "check", "write", "describe")


@dataclass
class BatchClock:
    """Follows one worker process from its start to its end by its answers."""

    spawned: float
    seconds: dict[str, float] = field(default_factory=dict)
    _begun: Answer | None = None

    def hear(self, answer: Answer) -> None:
        """Count the spans that an answer of the worker closes."""
        for name, seconds in answer.spans.items():
            self._add(name, seconds)
        if answer.what == "ready":
            self._add("interpreter", answer.heard - answer.seconds - self.spawned)
        elif answer.what == "begin":
            self._begun = answer
        elif answer.what == "done" and self._begun is not None:
            self._add("worker", max(0.0, answer.now - self._begun.now - sum(answer.spans.values())))
            self._begun = None

    def close(self, now: float) -> dict[str, float]:
        """Return the batch's seconds by activity; what is left is the hand-over between runner and worker.

        A job that died leaves no spans: its time since it began counts as measuring.
        """
        if self._begun is not None:
            self._add("measure", now - self._begun.heard)
            self._begun = None
        self._add("handover", max(0.0, now - self.spawned - sum(self.seconds.values())))
        return self.seconds

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + max(0.0, seconds)


def merged(parts: list[Mapping[str, float]]) -> dict[str, float]:
    """Add seconds by activity."""
    total: dict[str, float] = {}
    for part in parts:
        for name, seconds in part.items():
            total[name] = total.get(name, 0.0) + seconds
    return total


@dataclass(frozen=True)
class Share:
    """What of a command's wall time was the harness's own; `gap` is what the spans do not explain."""

    wall: float
    own: float
    gap: float
    seconds: dict[str, float]

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {self.seconds[name]:.1f} s" for name in OWN if self.seconds.get(name, 0.0) >= 0.05)
        share = 100 * self.own / self.wall if self.wall else 0.0
        return f"harness's own share: {self.own:.1f} s of {self.wall:.0f} s ({share:.1f} %): {parts or 'none'}"


def share(wall: float, seconds: Mapping[str, float]) -> Share:
    """Tell the harness's own seconds from the work's; `wall` in seconds."""
    known = dict(seconds)
    gap = wall - sum(known.values())
    own = sum(value for name, value in known.items() if name not in WORK) + max(0.0, gap)
    return Share(wall=wall, own=own, gap=gap, seconds=known)
