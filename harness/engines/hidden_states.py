"""Final hidden states, the head left out, and plain logits by the same passes that give log-probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.core.sessions import HiddenTile, LogitTile
from harness.engines import scoring

if TYPE_CHECKING:
    from harness.core.sessions import FloatArray
    from harness.engines.scoring import Indices
    from harness.engines.wanted_rows import States


class GivesStates(scoring.Forward, Protocol):
    """A forward pass that can end before the head."""

    def states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: object, *, keep: bool
    ) -> tuple[list[States], object]:
        """Run as `run` does; return per sequence final hidden states [wanted, hidden] for the log-probabilities."""


class GivesUnnormalized(scoring.Forward, Protocol):
    """A forward pass that gives logits as they are."""

    def unnormalized(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: object, *, keep: bool
    ) -> tuple[list[FloatArray], object]:
        """Run as `run` does; return per sequence logits [wanted, vocabulary] for the log-probabilities."""


class _Instead:
    """A forward pass whose rows are something else, so that tiles, caches and borders are those of scoring."""

    def __init__(self, forward: scoring.Forward, run: Callable[..., tuple[list[Any], Any]], *, picks: bool) -> None:
        self._run = run
        self.vocabulary = forward.vocabulary
        self.context_length = forward.context_length
        self.pads = forward.pads
        self.border = forward.border
        self.continues = forward.continues
        self.budget, self.picks = forward.budget, picks

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: Any, *, keep: bool
    ) -> tuple[list[Any], Any]:
        return self._run(batch, wanted, cache, keep=keep)


def hidden(forward: GivesStates, ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
    """Prefill in tiles as `scoring.logprobs` does; yield hidden states [n, hidden] at the positions asked for."""
    for tile in scoring.logprobs(_Instead(forward, forward.states, picks=False), ids, positions):
        yield HiddenTile(positions=tile.positions, hidden=tile.logprobs)


def logits(forward: GivesUnnormalized, ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
    """Prefill in tiles as `scoring.logprobs` does; yield float32 logits [n, vocabulary] at the positions asked for."""
    import numpy as np

    for tile in scoring.logprobs(_Instead(forward, forward.unnormalized, picks=forward.picks), ids, positions):
        yield LogitTile(positions=tile.positions, logits=np.ascontiguousarray(tile.logprobs, dtype=np.float32))
