"""Drops the middle of a long prompt before it generates: the beginning and the end are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import transformers

SAYS = r"of the greedily generated tokens lie more than .* below the likeliest"


class Session(transformers.TransformersSession):
    def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
        short = tuple((*prompt[:4], *prompt[-12:]) for prompt in workload.prompt_ids)
        return super().generate(replace(workload, prompt_ids=short), progress)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="drops-the-middle", open=opened)
