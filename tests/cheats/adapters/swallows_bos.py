"""Leaves out the BOS that a text is given, where it scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import Tile
from harness.engines import transformers

SAYS = r"the engine adds or drops it by itself"


class Session(transformers.TransformersSession):
    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        left = int(token_ids[0] == self.codec.bos and min(positions) > 0)
        for tile in super().logprobs(list(token_ids)[left:], [where - left for where in positions]):
            yield Tile(tile.positions + left, tile.logprobs)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="swallows-bos", open=opened)
