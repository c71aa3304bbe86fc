"""Whether an opened artifact scores as the seam says, asked of the session alone: a few short passes over random tokens.

The tokenizer is held against the one in the artifact's folder, log-probabilities against what a causal model can give. What is
found is said of every number of that session; nothing is found where there is nothing to hold it against, as in a fake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.sessions import GivesLogits, Request, Scores, TextCodec
from harness.core.spec import Note
from harness.probes.output_check import CLEAR
from harness.probes.trace_check import implausible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

LONGEST, USUAL = 1024, 256
"""Tokens of the two long passes that see how far back a session looks, at most, and where the workload does not say how far it goes."""
SHORT = 24
"""Tokens of the other passes."""
_SAMPLE = "The quick brown fox jumps over 13 lazy dogs. "
_SHARED = 4
"""Multiple of what is clear for one token by which scales that a pass shares between its tokens may move a log-probability."""
_HALF = {"float16": 1 << 15, "bfloat16": 1 << 12}
"""Of 16-bit types: of how many pairs of logits one is surely equal; both have at most that many steps where logits lie."""
_FEWER = 20
"""By how much the pairs that are equal may fall short of that."""
_SUM = 0.01
"""By how much the probabilities of a row may miss 1."""


def session_notes(
    session: Scores, folder: Path, codec: TextCodec | None = None, reach: int | None = None, dtype: str | None = None
) -> tuple[Note, ...]:
    """Ask a `Scores` session a few questions whose answers are known.

    codec: the tokenizer that it should have, where that is known; reach: tokens of the workload's longest sequence;
    dtype: type in which it was asked to compute, and says that it does; None where nobody asked.
    """
    texts = [*_codec_texts(session.codec, codec), *_rows_texts(session), *_score_texts(session)]
    if (folder / "tokenizer.json").is_file():  # a fake's distribution looks back one token
        texts += _context_texts(session, min(reach or USUAL, LONGEST, session.context_length))
        texts += _grain_texts(session, dtype) if dtype in _HALF else ()
    return implausible(texts)


# ---------------------------------------------------------------- tokens


def _codec_texts(codec: TextCodec, own: TextCodec | None) -> Iterator[str]:
    """Hold a session's tokenizer against itself and against the one that belongs to the artifact, where that is known."""
    alone = list(codec.encode(_SAMPLE))
    if codec.bos is not None:
        begun = list(codec.encode(_SAMPLE, bos=True))
        if begun not in ([codec.bos, *alone], alone):
            yield f"a text with BOS begins with tokens {begun[:2]}, where BOS {codec.bos} and then {alone[0]} should stand"
        if alone[:1] == [codec.bos]:
            yield f"a text without BOS begins with BOS ({codec.bos})"
        if list(codec.located(_SAMPLE, bos=True)[0]) != begun or list(codec.located(_SAMPLE)[0]) != alone:
            yield "a text has other tokens when their places are asked for, too"
    if own is None:
        return
    for name in ("bos", "eos", "ends"):
        said, there = getattr(codec, name), getattr(own, name)
        if said != there and (name != "ends" or set(there) - set(said)):
            yield f"the engine takes {said} for {name.upper()}, and the artifact's tokenizer says {there}"
    if alone != list(own.encode(_SAMPLE)):
        yield f"the engine tokenizes otherwise than the artifact's tokenizer: {alone[:4]} for {own.encode(_SAMPLE)[:4]}"


def print_of(session: Scores) -> str:
    """Return a hash of the log-probabilities of a few tokens: equal ones are of one model."""
    import numpy as np

    rows = _rows(session, _drawn(session, SHORT), range(SHORT))
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


# ---------------------------------------------------------------- rows


def _drawn(session: Scores, count: int, seed: int = 0) -> list[int]:
    """Draw ordinary tokens; other seeds give other ones at each place."""
    import numpy as np

    special = {token for token in (session.codec.bos, session.codec.eos, *session.codec.ends) if token is not None}
    ordinary = np.setdiff1d(np.arange(session.codec.vocabulary), sorted(special))
    first = np.random.default_rng(11).integers(0, len(ordinary), count)
    return [int(token) for token in ordinary[(first + seed * (len(ordinary) // 3 + 1)) % len(ordinary)]]


def _rows(session: Scores, ids: Sequence[int], positions: Sequence[int]) -> Rows:
    """Return log-probabilities float32 [positions, vocabulary]."""
    import numpy as np

    tiles = [(tile.positions.copy(), tile.logprobs.copy()) for tile in session.logprobs(ids, positions)]
    if not tiles or not np.array_equal(np.concatenate([where for where, _ in tiles]), positions):
        raise HarnessError("the engine gave other positions than were asked for; mend its `logprobs`")
    return np.concatenate([rows for _, rows in tiles])


def _clear(session: Scores) -> float:
    return CLEAR.get(session.dtype, max(CLEAR.values()))


def _rows_texts(session: Scores) -> Iterator[str]:
    import numpy as np

    ids = _drawn(session, SHORT)
    rows = _rows(session, ids, range(SHORT))
    off = float(np.abs(np.exp(rows.astype(np.float64)).sum(axis=1) - 1).max())
    if off > _SUM:
        yield f"the probabilities of a row add up to {1 + off:.3g} or {1 - off:.3g}: they are no distribution"
    if isinstance(session, GivesLogits) and (apart := _from_logits(session, ids, rows)) > _SHARED * _clear(session):
        yield f"logits, once normalized, lie {apart:.2f} nat from log-probabilities: they are of something else"
    last = [*ids[:-1], _drawn(session, SHORT, seed=1)[-1]]
    moved = float(np.abs(_finite(rows[:-1]) - _finite(_rows(session, last, range(SHORT - 1)))).max())
    if moved > _SHARED * _clear(session):
        yield f"log-probabilities move by {moved:.2f} nat when a token that comes after them changes: the engine looks ahead"
    one = session.greedy(ids, 3)
    wanted, made = _rows(session, [*ids, *one[:-1]], range(SHORT - 1, SHORT + len(one) - 1)), len(one)
    if made != 3:
        yield f"3 tokens were asked for greedily and {made} came"
    elif (gap := float((wanted.max(axis=1) - wanted[np.arange(3), one]).max())) > _clear(session):
        yield f"a greedy token lies {gap:.2f} nat below the likeliest: generation does not compute what scoring does"


def _from_logits(session: GivesLogits, ids: Sequence[int], rows: Rows) -> float:
    """Tell how far log-probabilities stand from a session's own logits, at most."""
    import numpy as np

    logits = np.concatenate([tile.logits.astype(np.float64) for tile in session.logits(ids, range(len(ids)))])
    if logits.shape != rows.shape:
        return np.inf
    return float(np.abs(_finite(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)) - _finite(rows)).max())


def _grain_texts(session: Scores, dtype: str) -> Iterator[str]:
    """See the grain of a 16-bit type: of so many logits some are equal, and their log-probabilities too."""
    import numpy as np

    rows = np.sort(_rows(session, _drawn(session, SHORT), range(SHORT)), axis=1)
    equal, pairs = int((np.diff(rows) == 0).sum()), rows.size * (rows.shape[1] - 1) / 2
    least = min(pairs / _HALF[dtype], rows.size) / _FEWER
    if least > 1 and equal < least:
        yield f"{equal} of {rows.size} log-probabilities equal another of their row: they are finer than {dtype} gives, so that it was not computed in it"


def _finite(rows: Rows) -> Rows:
    import numpy as np

    return np.maximum(rows, -50.0)


# ---------------------------------------------------------------- scores


def _score_texts(session: Scores) -> Iterator[str]:
    """Scores are sums of log-probabilities, in the order of the requests, whatever stands beside them."""
    ids, more = _drawn(session, SHORT), _drawn(session, SHORT, seed=1)
    requests = [
        Request(tuple(ids[:12]), tuple(ids[12:16])),
        Request(tuple(more[:7]), tuple(more[7:8])),
        Request(tuple(ids[:12]), tuple(more[12:14])),
        Request(tuple(more[:20]), tuple(more[20:24])),
    ]
    together = session.score(requests)
    if len(together) != len(requests):
        yield f"{len(requests)} scores were asked for and {len(together)} came"
        return
    for request, score in zip(requests, together, strict=True):
        wanted = _summed(session, request)
        slack = max(0.02 * abs(wanted), len(request.continuation) * _clear(session))
        if abs(score.logprob - wanted) > slack:
            yield (
                f"a continuation of {len(request.continuation)} tokens is scored {score.logprob:.2f}, and their log-probabilities add up to "
                f"{wanted:.2f}: a score is no sum, or belongs to another request"
            )
            return
    again = [session.score([request])[0].logprob for request in requests[::-1]][::-1]
    moved = max(abs(one.logprob - other) for one, other in zip(together, again, strict=True))
    if moved > _SHARED * _clear(session):
        yield f"a score moves by {moved:.2f} nat with what is scored beside or before it"


def _summed(session: Scores, request: Request) -> float:
    ids, begin = [*request.context, *request.continuation], len(request.context) - 1
    rows = _rows(session, ids, range(begin, len(ids) - 1))
    return float(sum(row[token] for row, token in zip(rows, request.continuation, strict=True)))


# ---------------------------------------------------------------- how far back


def _context_texts(session: Scores, length: int) -> Iterator[str]:
    """See that what comes first is seen at the end, also where the end has been asked for before."""
    import numpy as np

    for size in sorted({min(SHORT, length), length}):
        ids, more = _drawn(session, size), _drawn(session, size, seed=1)
        last, quarter = [size - 1], max(1, size // 4)
        before = _rows(session, ids, last)
        if np.array_equal(before, _rows(session, [*more[:quarter], *ids[quarter:]], last)):
            yield f"the last of {size} tokens is followed by the same when the first {quarter} are others: the engine skips tokens, or answers from before"
        if size > SHORT:
            continue
        middle = [*ids[:quarter], *more[quarter : -quarter - 1], *ids[-quarter - 1 :]]
        if np.array_equal(before, _rows(session, middle, last)):
            yield f"the last of {size} tokens is followed by the same when those in the middle are others: the engine answers from before"
        if np.array_equal(before, _rows(session, [*ids[:-1], more[-1]], last)):
            yield f"the last of {size} tokens is followed by the same when it is another: the engine answers from before"
    bos, ids = session.codec.bos, _drawn(session, SHORT)
    if bos is not None:
        there, without = _rows(session, [bos, *ids], [SHORT]), _rows(session, ids, [SHORT - 1])
        if np.array_equal(there, without):
            yield f"tokens score the same with BOS ({bos}) before them as without: the engine adds or drops it by itself"
