"""Final hidden states by the same passes that give log-probabilities, the head left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.core.sessions import HiddenTile
from harness.engines import scoring

if TYPE_CHECKING:
    from harness.engines.scoring import Indices
    from harness.engines.wanted_rows import States


class GivesStates(scoring.Forward, Protocol):
    """A forward pass that can end before the head."""

    def states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: object, *, keep: bool
    ) -> tuple[list[States], object]:
        """Run as `run` does; return per sequence final hidden states [wanted, hidden] for the log-probabilities."""


class _WithoutHead:
    """A forward pass whose rows are hidden states, so that tiles, caches and borders are those of scoring."""

    def __init__(self, forward: GivesStates) -> None:
        self._forward = forward
        self.vocabulary = forward.vocabulary
        self.context_length = forward.context_length
        self.pads = forward.pads
        self.border = forward.border

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: Any, *, keep: bool
    ) -> tuple[list[Any], Any]:
        return self._forward.states(batch, wanted, cache, keep=keep)


def hidden(forward: GivesStates, ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
    """Prefill in tiles as `scoring.logprobs` does; yield hidden states [n, hidden] at the positions asked for."""
    for tile in scoring.logprobs(_WithoutHead(forward), ids, positions):
        yield HiddenTile(positions=tile.positions, hidden=tile.logprobs)
