"""A model that is a table: small enough to check a probe's arithmetic by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.core.sessions import Request, Score, Tile
from harness.core.spec import Note

BOS, EOS = 256, 257


class ByteCodec:
    """UTF-8 bytes as token ids."""

    def __init__(self, *, has_bos: bool = True, adds_bos: bool = False) -> None:
        self.vocabulary = 258
        self.bos: int | None = BOS if has_bos else None
        self.eos: int | None = EOS
        self.ends: tuple[int, ...] = (EOS,)
        self.adds_bos = adds_bos

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        return [BOS] * bos + list(text.encode())

    def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
        begins = [place for place, character in enumerate(text) for _ in character.encode()]
        return self.encode(text, bos=bos), [0] * bos + begins

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        del special
        return bytes(token for token in ids if token < BOS).decode(errors="replace")


class TableScores:
    """The next token depends on the last one, and a little on how far the pass has come."""

    provider = "cpu"
    dtype = "float32"
    load_seconds = 0.0
    notes: tuple[Note, ...] = ()

    def __init__(
        self, *, seed: int = 0, noise: float = 0.0, width: int = 258, context_length: int = 4096, tile: int = 256,
        codec: ByteCodec | None = None,
    ) -> None:  # fmt: skip
        self.codec = codec or ByteCodec()
        self.context_length = context_length
        self.tile = tile
        self.passes = 0
        self.asked = 0
        table = np.random.default_rng(seed).standard_normal((width, width))
        shift = np.random.default_rng(seed + 1).standard_normal((width, width))
        self.table = 2 * table + noise * shift
        self.broken_at: int | None = None

    def rows(self, ids: Sequence[int], positions: Any) -> Any:
        """Give log-probabilities [positions, width]."""
        where = np.asarray(positions)
        logits = self.table[np.asarray(ids)[where]] * (1 + 0.001 * where[:, None])
        with np.errstate(invalid="ignore"):
            rows = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
        if self.broken_at is not None:
            rows[where == self.broken_at] = np.nan
        return rows

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        self.passes += 1
        for start in range(0, len(positions), self.tile):
            part = np.asarray(positions[start : start + self.tile], dtype=np.int64)
            yield Tile(part, self.rows(token_ids, part))

    def score(self, requests: Sequence[Request]) -> list[Score]:
        self.asked += len(requests)
        return [self._score(request) for request in requests]

    def _score(self, request: Request) -> Score:
        ids = [*request.context, *request.continuation][:-1]
        assert len(ids) <= self.context_length
        positions = np.arange(len(request.context) - 1, len(ids))
        rows = self.rows(ids, positions)
        wanted = np.asarray(request.continuation)
        found = rows[np.arange(len(wanted)), wanted].astype(np.float64)
        return Score(float(found.sum()), bool((rows.argmax(axis=1) == wanted).all()))

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        ids = list(prompt)
        for _ in range(tokens):
            ids.append(int(self.rows(ids, [len(ids) - 1])[0].argmax()))
        return ids[len(prompt) :]
