"""Reads a clock that ticks every millisecond."""

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

SAYS = r"the engine's clock is too coarse for them"


TICK = 0.001


def clock() -> float:
    return time.perf_counter() // TICK * TICK


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        rounds = workload.warmups + workload.repetitions
        seconds, ids = (
            np.zeros((rounds, workload.output + 1)),
            np.zeros((rounds, workload.batch, workload.output), np.int32),
        )
        total = np.zeros(rounds)
        progress(0.0)
        for row in range(rounds):
            making = [self._generated(prompt, row if workload.sampling else None) for prompt in workload.prompt_ids]
            started = clock()
            for step in range(workload.output + 1):
                begun = clock()
                time.sleep(0.002)
                if step:
                    ids[row, :, step - 1] = [next(one) for one in making]
                seconds[row, step] = clock() - begun
            total[row] = clock() - started
            progress((row + 1) / rounds)
        kept = seconds[workload.warmups :]
        return Trace(kept[:, 0], kept[:, 1], kept[:, 2:], total[workload.warmups :], ids=ids[workload.warmups :])


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(float((folder / "noise.txt").read_text()), options, 0.001)


ENGINE = replace(fake.ENGINE, name="coarse-clock", open=opened)
