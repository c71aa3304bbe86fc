"""Reads only the last half of a long text: half the work, and nearly the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import GenerationWorkload, Tile
from harness.engines import transformers

SAYS = r"the engine skips tokens"


class Session(transformers.TransformersSession):
    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        skipped = len(token_ids) // 2 if min(positions) > len(token_ids) // 2 else 0
        for tile in super().logprobs(list(token_ids)[skipped:], [where - skipped for where in positions]):
            yield Tile(tile.positions + skipped, tile.logprobs)

    def generate(self, workload: GenerationWorkload, progress: Any) -> Any:
        halves = tuple(prompt[len(prompt) // 2 :] for prompt in workload.prompt_ids)
        return super().generate(replace(workload, prompt_ids=halves), progress)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="skips-tokens", open=opened)
