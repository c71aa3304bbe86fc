"""Gives the time since the first token for each step, where the step's own is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import fake

SAYS = r"steps are sums"


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        trace = super().generate(workload, progress)
        return replace(trace, steps=trace.steps.cumsum(axis=1))


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(0.0, options, 0.001)


ENGINE = replace(fake.ENGINE, name="sums-instead", open=opened)
