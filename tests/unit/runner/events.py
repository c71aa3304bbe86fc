"""What a command told of its jobs, in short."""

from __future__ import annotations

from collections import Counter

from harness.runner.opened import Event


def counted(events: list[Event]) -> Counter[str]:
    return Counter(event.what for event in events if event.what not in {"begin", "progress"})


def states_of(events: list[Event]) -> dict[str, str]:
    return {
        f"{event.job.labels[0].method} {getattr(event.job.spec, 'probe', 'build')}": event.status or event.what
        for event in events
        if event.job and event.what in {"done", "blocked", "refused", "known"}
    }
