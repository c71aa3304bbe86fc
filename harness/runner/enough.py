"""When fewer rounds are enough: what a speed job's rounds gave so far lies so close together that more would change nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.core.metric import METRICS
from harness.core.outcome import Measurement
from harness.numbers.intervals import student_t

LEAST = 3
"""Rounds below which nothing is said of how far processes differ."""
_ASIDE = frozenset({"load_seconds", "cpu_seconds_per_token"})
"""What a round measures beside the work that it times."""

SittingKey = tuple[str, str]
"""Job key and environment."""


@dataclass
class Rounds:
    """Values by speed job, metric and round, as they come in."""

    values: dict[SittingKey, dict[str, dict[int, float]]] = field(default_factory=dict)

    def add(self, key: SittingKey, number: int, metric: str, value: float) -> None:
        """Take one value of one round."""
        self.values.setdefault(key, {}).setdefault(metric, {})[number] = value

    def take(self, key: SittingKey, number: int, measurements: Iterable[Measurement]) -> None:
        """Take all whole values of a round."""
        for item in measurements:
            if not item.slice:
                self.add(key, number, f"{item.metric} {item.source or ''}".strip(), item.value)

    def half_width(self, key: SittingKey) -> tuple[int, float] | None:
        """Return the number of rounds and the widest relative half-width of the metrics' 95 % intervals between them.

        Metrics of speed count where there are any, else those of memory. None below `LEAST` rounds.
        """
        found = self.values.get(key, {})
        timed = {name: values for name, values in found.items() if _kind(name) == "speed" and name not in _ASIDE}
        widths = [_half_width(list(values.values())) for values in (timed or found).values() if len(values) >= LEAST]
        if not widths or len(widths) < len(timed or found):
            return None
        return min(len(values) for values in (timed or found).values()), max(widths)

    def enough(self, key: SittingKey, precision: float, planned: int) -> str | None:
        """Say that a job needs no further round, and why; None where it does. `precision`: relative half-width."""
        found = self.half_width(key)
        if found is None or not found[1] <= precision:
            return None
        count, width = found
        return f"stopped after {count} of {planned} rounds: they agree within ±{width:.2%} (precision {precision:.2%})"


def _kind(name: str) -> str:
    metric = name.split(" ", 1)[0]
    return METRICS[metric].kind if metric in METRICS else ""


def _half_width(values: list[float]) -> float:
    """Half-width of Student's interval on the log scale, as a fraction of the value."""
    if min(values) <= 0:
        return math.inf if max(values) > 0 else 0.0
    logs = [math.log(value) for value in values]
    mean = sum(logs) / len(logs)
    variance = sum((one - mean) ** 2 for one in logs) / (len(logs) - 1)
    return math.expm1(student_t(len(logs) - 1) * math.sqrt(variance / len(logs)))


def all_rounds(jobs: Iterable[tuple[SittingKey, int]]) -> Mapping[SittingKey, int]:
    """Count how many rounds are planned of each speed job."""
    found: dict[SittingKey, int] = {}
    for key, number in jobs:
        found[key] = max(found.get(key, 0), number + 1)
    return found
