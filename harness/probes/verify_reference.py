"""What a model itself computes on a few fixed sequences, stored: the truth that float exports are verified against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.seam import Context, Probe, ProbeResult
from harness.core.sessions import TextCodec, Whole
from harness.texts import REFERENCE, read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]

_LOGPROBS, _META = "logprobs.npy", "meta.json"
SHORT = 320
"""Tokens of the sequence that every model is given: more than one tile of the engines."""
BEYOND = 8
"""Tokens by which a sequence is longer than a length that switches something."""
_RAGGED = (1, 5, 17, 60)
"""Contexts of the ragged batch, in tokens; each has a continuation of `_CONTINUED`."""
_CONTINUED = 3
_RAGGED_MOST = 1024
"""Switching lengths up to this are crossed within the ragged batch, too: such requests still run beside others."""
_ROWS_BYTES = 256 << 20
"""Most bytes of stored log-probabilities."""


class Workload(Options):
    """How much is compared."""

    rows: int = Field(default=128, ge=2)
    """Positions of each sequence, half of them its last ones; fewer where the vocabulary is very large."""
    seed: int = 0
    """Of the token ids that are drawn where the shipped text is none for the model."""


@dataclass(frozen=True)
class Sequenced:
    """A sequence, the positions that are compared, and what the model gives there: float32 [positions, vocabulary]."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    logprobs: Rows


@dataclass(frozen=True)
class Asked:
    """A request of the ragged batch and the model's log-likelihood of its continuation (nat)."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    logprob: float


class TruthMeta(TypedDict):
    """How the model was run; `switches` are lengths in tokens."""

    schema_version: int
    vocabulary: int
    dtype: str
    provider: str
    switches: list[int]
    context_length: int


class StoredAsked(TypedDict):
    """A request of the ragged batch as it lies in the file."""

    context: list[int]
    continuation: list[int]
    logprob: float


@dataclass(frozen=True)
class Truth:
    """What a model computes, opened; rows are mapped from the file."""

    sequences: tuple[Sequenced, ...]
    ragged: tuple[Asked, ...]
    meta: TruthMeta


def measure(session: Whole, workload: Workload, context: Context) -> ProbeResult:
    """Write what a `Whole` session computes into `context.out`, one whole forward pass for each sequence.

    Raises: HarnessError where the model gives values that are not finite.
    """
    import numpy as np

    if context.out is None:
        raise HarnessError("what a model computes is stored in a folder; run it as a reference job")
    vocabulary = session.whole([0], [0]).shape[1]
    lengths = wanted_lengths(session.switches, session.context_length)
    stream = _stream(session.codec, vocabulary, workload.seed)
    each = min(workload.rows, max(2, _ROWS_BYTES // (4 * vocabulary * len(lengths))))
    sequences, rows = [], []
    for number, length in enumerate(lengths):
        context.progress(number / len(lengths), f"the model's own pass over {length} tokens")
        ids, positions = cut(stream, number * SHORT, length), spread(length, each)
        rows.append(session.whole(ids, positions))
        sequences.append({"ids": ids, "positions": positions})
    np.save(context.out / _LOGPROBS, np.concatenate(rows))
    meta = {
        "schema_version": 1, "sequences": sequences, "ragged": _ragged(session, stream), "vocabulary": vocabulary,
        "dtype": session.dtype, "provider": session.provider, "switches": list(session.switches),
        "context_length": session.context_length,
    }  # fmt: skip
    (context.out / _META).write_text(json.dumps(meta, sort_keys=True) + "\n", encoding="utf-8")
    facts = {"lengths": lengths, "switches": list(session.switches), "vocabulary": vocabulary}
    scored = sum(len(part) for part in rows)
    return ProbeResult((), Protocol(name="verify-reference", scored=scored, dtype=session.dtype, facts=facts))


def wanted_lengths(switches: Sequence[int], context_length: int) -> list[int]:
    """Choose lengths: a short one, and for each that switches something just that and a little more, within the context."""
    wanted = {SHORT} | {length for one in switches if one + 1 <= context_length for length in (one, one + BEYOND)}
    return sorted({min(length, context_length) for length in wanted})


def spread(length: int, most: int) -> list[int]:
    """Choose positions of a sequence: all, or half of `most` evenly over it and the others at its end."""
    if length <= most:
        return list(range(length))
    half = most // 2
    early = {number * (length - half) // half for number in range(half)}
    return sorted(early | set(range(length - half, length)))


def _stream(codec: TextCodec, vocabulary: int, seed: int) -> list[int]:
    """Give the shipped text as token ids; where a tokenizer cannot read it, or has ids that the model lacks, drawn ones."""
    import numpy as np

    try:
        ids = list(codec.encode(read_text(REFERENCE)[:16384]))
    except (HarnessError, ValueError):
        ids = []
    if len(set(ids)) >= 16 and max(ids) < vocabulary:
        return ids
    return [int(one) for one in np.random.default_rng(seed).integers(0, vocabulary, 4096)]


def cut(stream: Sequence[int], start: int, length: int) -> list[int]:
    """Take `length` ids from a place of a stream, from its beginning again where it ends."""
    return [stream[(start + number) % len(stream)] for number in range(length)]


def _ragged(session: Whole, stream: Sequence[int]) -> list[StoredAsked]:
    """Score continuations of contexts of different lengths, each by a pass of its own."""
    crossed = [length for one in session.switches if one <= _RAGGED_MOST for length in (one - 2, one + 1)]
    room = session.context_length - _CONTINUED
    found: list[StoredAsked] = []
    for number, length in enumerate(length for length in (*_RAGGED, *crossed) if 0 < length <= room):
        ids = cut(stream, 7 * number, length + _CONTINUED)
        rows = session.whole(ids[:-1], list(range(length - 1, length - 1 + _CONTINUED)))
        logprob = sum(float(row[token]) for row, token in zip(rows, ids[length:], strict=True))
        found.append({"context": ids[:length], "continuation": ids[length:], "logprob": logprob})
    return found


def open_truth(folder: Path) -> Truth:
    """Open what a model computes. Raises: HarnessError where a file is missing."""
    import numpy as np

    missing = [name for name in (_LOGPROBS, _META) if not (folder / name).is_file()]
    if missing:
        raise HarnessError(f"{folder} lacks {', '.join(missing)}; delete the folder and run the same command again")
    meta = json.loads((folder / _META).read_text(encoding="utf-8"))
    rows = np.load(folder / _LOGPROBS, mmap_mode="r")
    sequences, row = [], 0
    for one in meta.pop("sequences"):
        here = rows[row : row + len(one["positions"])]
        sequences.append(Sequenced(tuple(one["ids"]), tuple(one["positions"]), here))
        row += len(here)
    ragged = tuple(
        Asked(tuple(one["context"]), tuple(one["continuation"]), one["logprob"]) for one in meta.pop("ragged")
    )
    return Truth(tuple(sequences), ragged, meta)


PROBE = Probe(
    name="verify_reference",
    version=1,
    kind="reference",
    needs=(frozenset({"whole"}),),
    yields=(),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
)
