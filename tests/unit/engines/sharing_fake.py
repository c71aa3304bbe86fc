"""A forward pass on the CPU whose caches may be shared, that writes down what it ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.engines import scoring
from harness.engines.pass_budget import PassBudget
from harness.engines.sharing import Sharing


class Shares:
    """Logits hang on all tokens so far; the cache is the tokens themselves, so whoever changes one is found out."""

    vocabulary = 16
    context_length = 5000
    pads = True
    picks = True
    budget = PassBudget()
    border: int | None = None

    def __init__(self, sharing: Sharing = Sharing(batched=False)) -> None:  # noqa: B008 - frozen
        self.sharing = sharing
        self.whole = 0
        self.passes: list[tuple[int, int, int]] = []
        """Tokens before, sequences, width of each pass."""
        self.alive = 0

    @property
    def continues(self) -> bool:
        return self.sharing.continues

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool
    ) -> tuple[list[Any], Any]:
        before = tuple(cache or ())
        if before and len(batch) > 1 and not self.sharing.batched:
            raise RuntimeError("batch_size must be 1 when sequence_length > 1 and past context is given")
        self.passes.append((len(before), len(batch), max(map(len, batch))))
        rows = [
            scoring.log_softmax(self.logits([*before, *ids])[asked + len(before)], asked + len(before))
            for ids, asked in zip(batch, wanted, strict=True)
        ]
        return rows, (*before, *batch[0]) if keep else None

    @property
    def tokens(self) -> int:
        """Tokens run, padding included."""
        return sum(count * width for _, count, width in self.passes)

    def logits(self, ids: Sequence[int]) -> Any:
        sums = np.cumsum(ids)[:, None] % 97
        return np.sin(sums * np.arange(1, self.vocabulary + 1)).astype(np.float32) * 3
