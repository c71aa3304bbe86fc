"""Whether an engine's cache of one sequence may continue several, as tried at opening, and what is said where it may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harness.core.errors import HarnessError, is_out_of_memory
from harness.core.spec import Note
from harness.engines import scoring

if TYPE_CHECKING:
    from harness.engines.scoring import Rows

TOLERANCE = {"float32": 1e-4, "float16": 5e-2, "bfloat16": 2e-1}
"""How far what runs beside others or behind a cache may stand from a run alone, by type: largest difference of a log-probability, nats."""
_TRIED_ON = (7, 5, 3)
"""Tokens of a beginning and of its two continuations when sharing is tried."""
_ROUNDING = 0.3
"""The part of what a forgotten beginning changes that rounding may, where results depend on what else is in a pass (INT4 of SmolLM2: 0.09)."""

_LOST = 0.1
"""The part where they do not: what a cache changes beyond the tolerance, and within this, is shared by nobody, but continued."""


@dataclass(frozen=True)
class Sharing:
    """How far one cache may continue several sequences, as tried when an artifact is opened."""

    possible: bool = True
    continues: bool = True
    """Whether a cache may be continued at all; where not, every sequence is one pass."""
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


def padding_is_harmless(forward: scoring.Forward, tolerance: float) -> bool:
    """Run two short sequences apart and together; tell whether a padded one gives what it gives alone.

    tolerance: how far its log-probabilities may stand, nats.
    """
    import numpy as np

    top = min(forward.vocabulary, 250)
    long = [(7 * step + 3) % top for step in range(12)]
    short = [(11 * step + 5) % top for step in range(5)]
    where = np.arange(len(short))
    alone = forward.run([short], [where], None, keep=False)[0][0]
    try:
        together = forward.run([long, short], [where[:1], where], None, keep=False)[0][1]
    except HarnessError:
        return False
    return bool(np.abs(alone - together).max() <= tolerance)


def found(forward: SharesCaches, tolerance: float, until: int | None, *, batches: bool = False) -> Sharing:
    """Try sharing; where padding is harmful nothing is shared: what depends on its neighbours in a pass depends on where a pass ends, too.

    until: length beyond which the model computes otherwise, where there is one; batches: whether continuations are tried side by side.
    """
    how = tried(forward, tolerance, batches=batches and forward.pads)
    if how.possible and not forward.pads:
        return Sharing(possible=False, reason="results depend on what else is in a pass")
    if until is None or not how.possible:
        return how
    return replace(how, until=until, reason=f"beyond {until} tokens the model computes otherwise")


def tried(forward: SharesCaches, tolerance: float, *, batches: bool) -> Sharing:
    """Run a beginning and two continuations apart and on its cache, one by one and side by side; say what gives the same.

    tolerance: how far a log-probability may stand from a whole pass, nats, where one cache continues several. A cache is lost where it moves
    results by more than a part of what forgetting the beginning does; where padding moves them beyond the tolerance, so may a cache.
    """
    import numpy as np

    top = min(forward.vocabulary, 250)
    begin, *rests = ([(13 * step + 5 * count) % top for step in range(count)] for count in _TRIED_ON)
    last = [np.asarray([len(rest) - 1]) for rest in rests]

    def apart(before: Sequence[int]) -> list[Rows]:
        return [
            forward.run([[*before, *rest]], [at + len(before)], None, keep=False)[0][0]
            for rest, at in zip(rests, last, strict=True)
        ]

    whole = apart(begin)

    def away(found: Sequence[Rows]) -> float:
        return max(float(np.abs(one - other).max()) for one, other in zip(found, whole, strict=False))

    try:
        _, cache = forward.run([begin], [np.empty(0, dtype=np.int64)], None, keep=True)
        singly = [forward.run([rest], [at], cache, keep=False)[0][0] for rest, at in zip(rests, last, strict=True)]
    except _REFUSALS as error:
        return _refused(error)
    lost = max(tolerance, (_LOST if forward.pads else _ROUNDING) * away(apart([])))
    allowed = tolerance if forward.pads else lost
    if away(singly[:1]) > lost:
        return _lost("continuing a cache gave other results when it was tried at opening")
    if away(singly) > allowed:
        return Sharing(
            possible=False, reason="a cache that was continued gave other results when it was tried at opening"
        )
    if not batches:
        return Sharing()
    try:
        together = forward.run(rests, last, cache, keep=False)[0]
    except _REFUSALS:
        return Sharing()
    return Sharing(batched=away(together) <= tolerance)


def _refused(error: Exception) -> Sharing:
    if is_out_of_memory(error):
        return Sharing(possible=False, reason="memory ran out when it was tried at opening")
    return _lost(f"the engine cannot continue a cache ({type(error).__name__})")


def _lost(reason: str) -> Sharing:
    return Sharing(possible=False, continues=False, reason=reason)


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
    """Say why every sequence was run whole, or that some were although others begin like them."""
    if not forward.continues:
        return (
            Note(
                code="whole-prompts",
                text=f"scores come from whole sequences, each in one pass: {forward.sharing.reason}",
            ),
        )
    if not forward.whole:
        return ()
    text = f"{forward.whole} sequences that begin like others were run whole: {forward.sharing.reason}"
    return (Note(code="whole-prompts", text=text),)
