"""Whether an engine's cache of one sequence may continue several, as tried at opening, and what is said where it may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harness.core.errors import HarnessError
from harness.core.spec import Note
from harness.engines import scoring

if TYPE_CHECKING:
    from harness.engines.scoring import Rows

_TRIED_ON = (7, 5, 3)
"""Tokens of a beginning and of its two continuations when sharing is tried."""


@dataclass(frozen=True)
class Sharing:
    """How far one cache may continue several sequences, as tried when an artifact is opened."""

    possible: bool = True
    batched: bool = False
    """Whether several continuations of one cache may run in one pass: side by side, padded on the right, each behind a copy of it."""
    in_row: int = 0
    """Tokens of continuations that may stand in one row behind the cache itself, each blind to the others; 0: none may."""
    until: int | None = None
    """Sequences longer than this are run whole; None: any length is shared."""
    reason: str = ""
    """Why not, or why not beyond that length: completes `... run whole: `."""

    def allows(self, length: int) -> bool:
        """Tell whether a sequence of so many tokens may continue another's cache."""
        return self.possible and (self.until is None or length <= self.until)


NOT_TRIED = Sharing(possible=False, reason="sharing was not tried")


class SharesCaches(scoring.Forward, Protocol):
    """A forward pass that leaves the cache it is given as it was, so that one may continue several sequences."""

    picks: bool
    """Whether only the rows that somebody wants go through the language model's head."""
    sharing: Sharing
    whole: int
    """Sequences run whole so far although they begin like others."""


def found(forward: SharesCaches, tolerance: float, until: int | None, *, batches: bool = False) -> Sharing:
    """Try sharing, where padding is harmless: what depends on its neighbours in a pass depends on where a pass ends, too.

    until: length beyond which the model computes otherwise, where there is one; batches: whether continuations are tried side by side.
    """
    if not forward.pads:
        return Sharing(possible=False, reason="results depend on what else is in a pass")
    how = tried(forward, tolerance, batches=batches)
    if until is None or not how.possible:
        return how
    return replace(how, until=until, reason=f"beyond {until} tokens the model computes otherwise")


def tried(forward: SharesCaches, tolerance: float, *, batches: bool) -> Sharing:
    """Run a beginning and two continuations apart and on its cache, one by one and side by side; say what gives the same.

    tolerance: how far a log-probability may stand from a whole pass, nats.
    """
    import numpy as np

    top = min(forward.vocabulary, 250)
    begin, *rests = ([(13 * step + 5 * count) % top for step in range(count)] for count in _TRIED_ON)
    last = [np.asarray([len(rest) - 1]) for rest in rests]
    whole = [
        forward.run([[*begin, *rest]], [at + len(begin)], None, keep=False)[0][0]
        for rest, at in zip(rests, last, strict=True)
    ]

    def same(found: Sequence[Rows]) -> bool:
        return all(np.abs(one - other).max() <= tolerance for one, other in zip(found, whole, strict=True))

    try:
        _, cache = forward.run([begin], [np.empty(0, dtype=np.int64)], None, keep=True)
        singly = [forward.run([rest], [at], cache, keep=False)[0][0] for rest, at in zip(rests, last, strict=True)]
        if not same(singly):
            return Sharing(possible=False, reason="continuing a cache gave other results when it was tried at opening")
    except _REFUSALS as error:
        return Sharing(possible=False, reason=f"the engine cannot continue a cache ({type(error).__name__})")
    if not batches:
        return Sharing()
    try:
        together = forward.run(rests, last, cache, keep=False)[0]
    except _REFUSALS:
        return Sharing()
    return Sharing(batched=same(together))


_REFUSALS = (
    HarnessError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
)
"""What an engine may raise that cannot continue a cache, or not for several sequences."""


def notes(forward: SharesCaches) -> tuple[Note, ...]:
    """Say that sequences were run whole although others begin like them, and why."""
    if not forward.whole:
        return ()
    text = f"{forward.whole} sequences that begin like others were run whole: {forward.sharing.reason}"
    return (Note(code="whole-prompts", text=text),)
