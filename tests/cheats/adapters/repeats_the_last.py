"""Generates three quarters of what was asked for, repeats the last token for the rest, and stretches its times over all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import transformers

SAYS = r"25.0% of the greedily generated tokens lie more than"


class Session(transformers.TransformersSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        made = workload.output * 3 // 4
        trace = super().generate(replace(workload, output=made), progress)
        assert trace.ids is not None
        missing = workload.output - made
        ids = np.concatenate([trace.ids, np.repeat(trace.ids[:, :, -1:], missing, axis=2)], axis=2)
        share = (made - 1) / (workload.output - 1)
        steps = np.concatenate([trace.steps, trace.steps[:, :missing]], axis=1)
        steps = (
            steps
            * (share * trace.steps.mean(axis=1, keepdims=True) / (share * steps.mean(axis=1, keepdims=True)))
            * share
        )
        return replace(trace, ids=ids, steps=steps)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="repeats-the-last", open=opened)
