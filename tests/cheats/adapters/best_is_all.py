"""Gives the fastest repetition for all of them, its steps in another order each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import fake

SAYS = r"one repetition stands for another"


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        trace = super().generate(workload, progress)
        best, rows = int(trace.total.argmin()), len(trace.total)
        steps = np.stack([np.roll(trace.steps[best], row) for row in range(rows)])
        prefill, first = (np.repeat(one[best], rows) for one in (trace.prefill, trace.first_token))
        return replace(trace, prefill=prefill, first_token=first, steps=steps, total=np.repeat(trace.total[best], rows))


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(float((folder / "noise.txt").read_text()), options, 0.001)


ENGINE = replace(fake.ENGINE, name="best-is-all", open=opened)
