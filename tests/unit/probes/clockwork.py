"""A session whose times are known beforehand, and what the speed probe makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.seam import Context, ProbeResult
from harness.core.sessions import GenerationWorkload, Trace
from harness.core.spec import Note
from harness.probes.generation import PROBE, GenerationOptions


class Letters:
    vocabulary, bos, eos, ends, adds_bos = 50, 0, 1, (1,), True

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        return [2 + ord(letter) % 40 for letter in text]

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        return "x" * len(ids)


@dataclass
class Clockwork:
    """A session whose times are known beforehand."""

    steps: Any = None
    peak_torch_bytes: int | None = None
    provider: str = "cpu"
    codec: Letters = field(default_factory=Letters)
    context_length: int = 512
    dtype: str = "float32"
    load_seconds: float = 1.5
    notes: tuple[Note, ...] = ()
    work: GenerationWorkload | None = None
    ids: Any = None

    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        self.work = workload
        rounds = workload.warmups + workload.repetitions
        progress(0.0)
        for number in range(rounds):
            progress((number + 1) / rounds)
        steps = self.steps if self.steps is not None else np.full((workload.repetitions, workload.output - 1), 0.01)
        prefill, first = np.full(len(steps), 0.2), np.full(len(steps), 0.05)
        return Trace(
            prefill,
            first,
            steps,
            prefill + first + steps.sum(axis=1) + 0.1,
            self.peak_torch_bytes,
            {"threads": 2},
            self.ids,
        )


def measured(session: Clockwork, **options: Any) -> ProbeResult:
    if session.steps is not None:
        options.setdefault("repetitions", len(session.steps))
    return PROBE.measure(session, GenerationOptions(**options), Context(folder=Path()))


def values(findings: ProbeResult) -> dict[str, float]:
    return {reading.metric: reading.value for reading in findings.values}
