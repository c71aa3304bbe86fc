"""Greedy decoding, and a continuation scored as it was decoded, over any engine's forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.sessions import Enough, Tile
from harness.engines.scoring import Forward, beyond_border, check_length, tile_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def greedy(
    forward: Forward,
    prompt: Sequence[int],
    tokens: int,
    never: Sequence[int] = (),
    ended: Enough | None = None,
    *,
    cache: object = None,
    held: int = 0,
) -> list[int]:
    """Continue a prompt by exactly `tokens` most likely tokens, those in `never` left out; end of sequence is a token too.

    Each token is the likeliest after one whole pass over all before it: where the sequence outgrows the border, what the
    cache holds is computed anew, and for each token where no cache can be continued. ended: asked after each token whether it is the last one. cache: that of the prompt's first
    `held` tokens, where they have been run before.
    """
    import numpy as np

    check_prompt(forward, prompt, tokens)
    made: list[int] = []
    pending, over = len(prompt) - held, False
    while len(made) < tokens and not over:
        row, cache = _advance(forward, [*prompt, *made], pending, cache, keep=len(made) + 1 < tokens)
        row[list(never)] = -np.inf
        made.append(int(row.argmax()))
        pending, over = 1, ended is not None and ended(made)
    return made


def check_prompt(forward: Forward, prompt: Sequence[int], tokens: int) -> None:
    """Refuse a prompt that is empty, or does not fit the context with so many new tokens. Raises: HarnessError."""
    if not prompt:
        raise HarnessError("an empty prompt cannot be continued; give at least one token, as BOS")
    check_length(forward, len(prompt) + tokens - 1)


def stepwise(forward: Forward, prompt: Sequence[int], continuation: Sequence[int]) -> Iterator[Tile]:
    """Give the log-probabilities from which each token of a continuation was chosen, computed as generation does.

    The prompt is one pass, each token after it another through the cache: kernels that quantize activations round otherwise
    where many tokens are in one pass, and a deep model turns that into tenths of a nat. Yields a tile of one position for each.
    """
    import numpy as np

    check_length(forward, len(prompt) + len(continuation) - 1)
    ids, cache, pending = list(prompt), None, len(prompt)
    for number, token in enumerate(continuation):
        row, cache = _advance(forward, ids, pending, cache, keep=number + 1 < len(continuation))
        yield Tile(positions=np.asarray([len(ids) - 1], dtype=np.int64), logprobs=row[None])
        ids.append(token)
        pending = 1


def _advance(
    forward: Forward, ids: Sequence[int], pending: int, cache: Any, *, keep: bool
) -> tuple[NDArray[np.float32], Any]:
    """Run the last `pending` of the ids after what the cache holds; return the log-probabilities after them, and the cache.

    Where they carry the sequence over the border, or no cache can be continued, what the cache holds is computed anew.
    """
    import numpy as np

    length = len(ids)
    crossed = beyond_border(forward, length) and not beyond_border(forward, length - pending)
    if crossed or not forward.continues:
        cache, pending, keep = None, length, keep and forward.continues
    size = tile_size(forward, length)
    for start in range(length - pending, length, size):
        part = ids[start : start + size]
        last = np.asarray([len(part) - 1], dtype=np.int64)
        rows, cache = forward.run([part], [last], cache, keep=keep or start + size < length)
    return rows[0][-1].copy(), cache
