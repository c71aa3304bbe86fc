"""Puts BOS before whatever it is given, as a runtime that means well does."""

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
        if token_ids[0] == self.codec.bos:
            yield from super().logprobs(token_ids, positions)
            return
        moved = [where + 1 for where in positions]
        for tile in super().logprobs([self.codec.bos, *token_ids], moved):
            yield Tile(tile.positions - 1, tile.logprobs)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.__class__ = Session
        yield honest


ENGINE = replace(transformers.ENGINE, name="silent-bos", open=opened)
