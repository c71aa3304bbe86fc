"""Lets a text end where the model wants it to, and fills up what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import torch_generation, transformers

SAYS = r"the end of sequence was not suppressed"


class Session(transformers.TransformersSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        model = self._forward.model
        return torch_generation.generate(model, workload, progress, ends=(), context_length=self.context_length)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="eos-not-suppressed", open=opened)
