"""Takes a twentieth off every time it reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import fake

WHY = (
    "Our own clock stands outside the engine's: between the two lie the making of a generator and the engine's word of its progress, up to a fifth of "
    "an honest repetition of a small model (`trace_check.OUTSIDE`). What is less cannot be told from it."
)


class Session(fake.FakeSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        trace = super().generate(workload, progress)
        shaved = {name: getattr(trace, name) * 0.95 for name in ("prefill", "first_token", "steps", "total")}
        return replace(trace, **shaved)


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(float((folder / "noise.txt").read_text("utf-8")), options, 0.001)


ENGINE = replace(fake.ENGINE, name="shaves-a-twentieth", open=opened)
