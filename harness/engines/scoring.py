"""What engines share when they score: grouping, batching, tiling. An engine adds one function, the forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.core.errors import HarnessError
from harness.core.sessions import Request, Score, Tile
from harness.core.spec import Note
from harness.engines.pass_budget import PassBudget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Indices = NDArray[np.int64]

TILE = 256
"""Tokens of one tile of `logprobs`."""
_LONE_TOKENS = 2048
"""Most tokens of one sequence in a pass, whatever the budget: attention grows with their square."""
_LONE_TILE = 512
"""Tile of a sequence too long for one pass; attention scores grow with tile x length."""
_HELD = 256 << 20
"""Most bytes of rows of a sequence in one pass that are held at a time; for further ones the pass is made again."""
_CHUNK = 1 << 21
"""Logits that the softmax works on at a time, so that its temporaries stay small."""


class Forward(Protocol):
    """An engine's forward pass."""

    vocabulary: int
    context_length: int
    pads: bool
    """Whether a right-padded batch gives what single runs give, as found by trying it at opening."""
    border: int | None
    """Sequences longer than this have other rotary embeddings from their first token on (LongRoPE); None: no such length."""
    budget: PassBudget
    picks: bool
    """Whether only the rows that somebody wants go through the language model's head."""

    @property
    def continues(self) -> bool:
        """Whether a cache may be continued, as found by trying it at opening; where not, every sequence is one pass."""

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Indices], cache: Any, *, keep: bool
    ) -> tuple[list[Rows], Any]:
        """Run token ids that follow `cache` (None: from the start; else that of one sequence, which stays as it was).

        wanted: per sequence, indices into its ids. Returns per sequence float32 [wanted, vocabulary] natural
        log-probabilities, which the caller may keep, and with `keep` the cache after these ids.
        """


def logprobs(forward: Forward, ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
    """Prefill in tiles through the key/value cache; stop after the last position asked for.

    Beyond the border a tile cannot know how long the sequence will be, so the whole sequence is one pass; as where no cache can be continued.
    """
    import numpy as np

    asked = np.asarray(positions, dtype=np.int64)
    if asked.size == 0:
        return
    if (np.diff(asked) <= 0).any() or asked[0] < 0 or asked[-1] >= len(ids):
        raise HarnessError(f"positions must ascend within the {len(ids)} token ids; sort them and drop duplicates")
    check_length(forward, len(ids))
    if in_one_pass(forward, len(ids)):
        yield from _in_one_pass(forward, ids, asked)
        return
    cache = None
    for start in range(0, int(asked[-1]) + 1, TILE):
        end = min(start + TILE, int(asked[-1]) + 1)
        here = asked[np.searchsorted(asked, start) : np.searchsorted(asked, end)]
        rows, cache = forward.run([ids[start:end]], [here - start], cache, keep=end <= asked[-1])
        if here.size:
            yield Tile(positions=here, logprobs=rows[0])


def _in_one_pass(forward: Forward, ids: Sequence[int], asked: Indices) -> Iterator[Tile]:
    """Give the rows of one pass over a whole sequence; where they are too many to be held, by several such passes."""
    most = max(TILE, _HELD // (4 * forward.vocabulary)) if forward.picks else len(asked)
    for begin in range(0, len(asked), most):
        part = asked[begin : begin + most]
        end = len(ids) if beyond_border(forward, len(ids)) else int(part[-1]) + 1
        rows = forward.run([ids[:end]], [part], None, keep=False)[0][0]
        for start in range(0, len(part), TILE):
            yield Tile(positions=part[start : start + TILE], logprobs=rows[start : start + TILE])


def in_one_pass(forward: Forward, length: int) -> bool:
    """Tell whether a sequence of this length has to be one pass."""
    return not forward.continues or beyond_border(forward, length)


def beyond_border(forward: Forward, length: int) -> bool:
    """Tell whether a sequence of this length has the rotary embeddings of long ones."""
    return forward.border is not None and length > forward.border


def score(forward: Forward, requests: Sequence[Request]) -> list[Score]:
    """Score requests; results stand in the order of the requests.

    Requests that need the same forward pass share it: equal contexts with one-token continuations, or more generally
    equal `context + continuation[:-1]`. Passes are sorted by length, longest first, and neighbours are padded on the
    right and run together as long as padding included they stay within the engine's budget; longer ones run alone, in tiles.
    Where the engine found that padding changes results every sequence runs alone. Sequences on either side of the border
    never share a pass, and those beyond it run in one pass each. The batch form depends on the requests, the vocabulary and
    the budget only, so that a second run repeats it.
    """
    import numpy as np

    groups = by_tokens(forward, requests)
    results: list[Score | None] = [None] * len(requests)
    first = {ids: min(len(requests[number].context) for number in owners) - 1 for ids, owners in groups.items()}
    for batch in _batches(sorted(groups, key=len, reverse=True), first, forward):
        wanted = [np.arange(first[ids], len(ids), dtype=np.int64) for ids in batch]
        for ids, rows in zip(batch, _rows(forward, batch, wanted), strict=True):
            for number in groups[ids]:
                results[number] = _score(requests[number], rows, first[ids])
    return [result for result in results if result is not None]


def by_tokens(forward: Forward, requests: Sequence[Request]) -> dict[tuple[int, ...], list[int]]:
    """Group the numbers of requests by the tokens that have to be run for them. Raises: HarnessError for what cannot be scored."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, request in enumerate(requests):
        if not request.context or not request.continuation:
            raise HarnessError(f"request {number} has no context or no continuation; give at least one token of each")
        ids = request.context + request.continuation[:-1]
        check_length(forward, len(ids))
        groups.setdefault(ids, []).append(number)
    return groups


def tile_size(forward: Forward, length: int) -> int:
    """Return how many tokens of one sequence a pass may take; all of it where it has to be one pass."""
    return length if in_one_pass(forward, length) else min(forward.budget.tile(forward.vocabulary), _LONE_TILE)


def batch_notes(forward: Forward) -> tuple[Note, ...]:
    """Say where sequences are scored one by one because padding would change their results."""
    if forward.pads:
        return ()
    text = (
        "padded batches gave other results than single runs when tried at opening, so every sequence was scored alone"
    )
    return (Note(code="no-batching", text=text),)


def check_length(forward: Forward, length: int) -> None:
    """Refuse what is longer than the context. Raises: HarnessError."""
    if length > forward.context_length:
        raise HarnessError(
            f"{length} tokens do not fit the model's context of {forward.context_length}; shorten the window or prompt"
        )


def log_softmax(logits: Any, positions: Any) -> Rows:
    """Turn logits [n, vocabulary] into float32 natural log-probabilities, in place where they are float32 already.

    positions: [n], named in the error. Raises: HarnessError where a logit is not finite.
    """
    import numpy as np

    rows: Rows = np.ascontiguousarray(logits, dtype=np.float32)
    if not rows.flags.writeable:
        rows = rows.copy()
    step = max(1, _CHUNK // rows.shape[-1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        broken = ~np.isfinite(part).all(axis=-1)
        if broken.any():
            refuse_non_finite(int(positions[start + int(np.flatnonzero(broken)[0])]))
        part -= part.max(axis=-1, keepdims=True)
        part -= np.log(np.exp(part).sum(axis=-1, keepdims=True))
    return rows


def refuse_non_finite(position: int) -> None:
    """Raise the HarnessError of a model that computes NaN or infinity."""
    raise HarnessError(
        f"non-finite logits at position {position}: the model is broken or its numeric type overflows; "
        "check the artifact, or choose a wider dtype"
    )


def _batches(
    sequences: Sequence[tuple[int, ...]], first: Mapping[tuple[int, ...], int], forward: Forward
) -> Iterator[list[tuple[int, ...]]]:
    """Cut sequences, longest first, into batches that stay within a pass, each on one side of the border.

    first: of each sequence, the first place whose row is wanted.
    """
    batch: list[tuple[int, ...]] = []
    rows = 0
    for ids in sequences:
        rows += len(ids) - first[ids]
        tokens = len(batch[0] if batch else ids) * (len(batch) + 1)
        fits = forward.pads and forward.budget.holds(tokens, rows if forward.picks else tokens, forward.vocabulary)
        apart = batch and beyond_border(forward, len(batch[0])) != beyond_border(forward, len(ids))
        if batch and (apart or not fits):
            yield batch
            batch, rows = [], len(ids) - first[ids]
        batch.append(ids)
    if batch:
        yield batch


def _rows(forward: Forward, batch: Sequence[tuple[int, ...]], wanted: Sequence[Indices]) -> list[Rows]:
    if len(batch) > 1:
        return forward.run(batch, wanted, None, keep=False)[0]
    return [run_long(forward, batch[0], wanted[0], None, keep=False)[0]]


def run_long(forward: Forward, ids: Sequence[int], asked: Indices, cache: object, *, keep: bool) -> tuple[Rows, object]:
    """Run one sequence behind a cache, in several passes of one size where it is too long for one; see `Forward.run`."""
    import numpy as np

    reaching = len(asked) if forward.picks else len(ids)
    if len(ids) <= _LONE_TOKENS and forward.budget.holds(len(ids), reaching, forward.vocabulary):
        rows, cache = forward.run([ids], [asked], cache, keep=keep)
        return rows[0], cache
    count = -(-len(ids) // tile_size(forward, len(ids)))
    size = -(-len(ids) // count)
    parts: list[Rows] = []
    for start in range(0, len(ids), size):
        here = asked[(asked >= start) & (asked < start + size)]
        rows, cache = forward.run(
            [ids[start : start + size]], [here - start], cache, keep=keep or start + size < len(ids)
        )
        parts += rows if here.size or start + size >= len(ids) else []
    return np.concatenate(parts), cache


def _score(request: Request, rows: Rows, first: int) -> Score:
    """Sum a continuation's log-likelihood in float64; `first` is the position of row 0."""
    import numpy as np

    start = len(request.context) - 1 - first
    mine = rows[start : start + len(request.continuation)]
    tokens = np.asarray(request.continuation, dtype=np.int64)
    found = mine[np.arange(len(tokens)), tokens].astype(np.float64)
    return Score(logprob=float(found.sum()), greedy=bool((mine.argmax(axis=-1) == tokens).all()))
