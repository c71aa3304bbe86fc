"""Gives log-probabilities where they are asked for, and flatter ones where logits are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.sessions import LogitTile
from harness.engines import fake

SAYS = r"logits, once normalized, lie .* nat from log-probabilities"


class Session(fake.FakeSession):
    def logits(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
        for tile in self.logprobs(token_ids, positions):
            yield LogitTile(tile.positions, tile.logprobs * 0.8)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Session]:
    yield Session(0.0, options, 0.001)


ENGINE = replace(fake.ENGINE, name="other-logits", open=opened)
