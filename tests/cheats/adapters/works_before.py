"""Generates before it says that it is open, and then reads out what it has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import fake

SAYS = r"the engine works outside its clock"


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        ids = super().generate(workload, lambda share: None).ids
        rounds = workload.warmups + workload.repetitions
        seconds = np.zeros((rounds, workload.output + 1))
        progress(0.0)
        for row in range(rounds):
            for step in range(workload.output + 1):
                begun = time.perf_counter()
                time.sleep(0.00001)
                seconds[row, step] = time.perf_counter() - begun
            progress((row + 1) / rounds)
        kept = seconds[workload.warmups :]
        return Trace(kept[:, 0], kept[:, 1], kept[:, 2:], kept.sum(axis=1), ids=ids)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Session]:
    yield Session(0.0, options.model_copy(update={"step_seconds": 0.002}), 0.001)


ENGINE = replace(fake.ENGINE, name="works-before", open=opened)
