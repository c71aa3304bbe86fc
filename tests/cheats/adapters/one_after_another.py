"""Runs the sequences of a batch one after another, and reports the time of the last of them."""

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

SAYS = r"waits or works outside its clock"


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        rounds, ids = workload.warmups + workload.repetitions, []
        seconds = np.zeros((rounds, workload.output + 1))
        progress(0.0)
        for row in range(rounds):
            for prompt in workload.prompt_ids:
                making = self._generated(prompt, row if workload.sampling else None)
                for step in range(workload.output + 1):
                    begun = time.perf_counter()
                    time.sleep(0.0005)
                    if step:
                        ids.append(next(making))
                    seconds[row, step] = time.perf_counter() - begun
            progress((row + 1) / rounds)
        kept = seconds[workload.warmups :]
        made = np.asarray(ids, dtype=np.int32).reshape(rounds, workload.batch, workload.output)
        return Trace(kept[:, 0], kept[:, 1], kept[:, 2:], kept.sum(axis=1), ids=made[workload.warmups :])


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(float((folder / "noise.txt").read_text()), options, 0.001)


ENGINE = replace(fake.ENGINE, name="one-after-another", open=opened)
