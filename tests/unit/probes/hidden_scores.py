"""A model that is two tables: hidden states by the last token, and a head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import Unsupported
from harness.core.sessions import HiddenTile, LogitTile
from harness.heads.linear import save_linear
from tests.unit.probes.table_scores import ByteCodec, TableScores

HIDDEN = 24


class HiddenScores(TableScores):
    """Logits are a product of hidden states and a head of its own."""

    def __init__(
        self, *, seed: int = 0, noise: float = 0.0, width: int = 258, codec: ByteCodec | None = None, scale: float = 1.0
    ) -> None:
        super().__init__(seed=seed, width=width, codec=codec)
        draw = np.random.default_rng(seed + 7)
        states, head = draw.standard_normal((width, HIDDEN)), draw.standard_normal((width, HIDDEN)) * 0.9
        self.states = (scale * (states + noise * draw.standard_normal(states.shape))).astype(np.float32)
        self.head = ((head + noise * draw.standard_normal(head.shape)) / scale).astype(np.float32)
        self.cannot = ""
        self.wrong = 0.0
        self.windows = 0
        self.dies_at: int | None = None

    def seen(self, ids: Sequence[int], positions: Any) -> Any:
        """Give hidden states [positions, HIDDEN]."""
        where = np.asarray(positions)
        return self.states[np.asarray(ids)[where]] * (1 + 0.001 * where[:, None]).astype(np.float32)

    def rows(self, ids: Sequence[int], positions: Any) -> Any:
        logits = (self.seen(ids, positions) @ self.head.T).astype(np.float64)
        rows = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
        if self.broken_at is not None:
            rows[np.asarray(positions) == self.broken_at] = np.nan
        return rows

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Any]:
        self._count()
        return super().logprobs(token_ids, positions)

    def hidden(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
        self._count()
        for start in range(0, len(positions), self.tile):
            part = np.asarray(positions[start : start + self.tile], dtype=np.int64)
            yield HiddenTile(part, self.seen(token_ids, part))

    def _count(self) -> None:
        self.windows += 1
        if self.windows == self.dies_at:
            raise KeyboardInterrupt

    def save_head(self, folder: Path) -> None:
        if self.cannot:
            raise Unsupported(self.cannot)
        weight = self.head + np.float32(self.wrong) * np.roll(self.head, 1, axis=0)
        save_linear(folder, lambda begin, end: weight[begin:end], weight.shape, "float32")


class LogitScores(HiddenScores):
    """The same, which also gives logits as they are."""

    def logits(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
        for start in range(0, len(positions), self.tile):
            part = np.asarray(positions[start : start + self.tile], dtype=np.int64)
            rows = self.seen(token_ids, part) @ self.head.T
            if self.broken_at is not None:
                rows[part == self.broken_at, 1] = self.breaks_with
            yield LogitTile(part, rows)

    breaks_with = np.nan
