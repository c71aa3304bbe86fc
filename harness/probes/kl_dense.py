"""Writing log-probabilities as a reference: window by window, each as soon as it is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.sessions import Scores
from harness.probes.groups import Finished, numbers_of
from harness.probes.kl_files import BlockSums
from harness.probes.kl_store import BLOCK
from harness.probes.streams import Stream, tiles
from harness.probes.windows import Span, span_positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Mapped = np.memmap[Any, np.dtype[np.float32]]

KEPT_BYTES = 128 << 20
"""Largest window that an interrupted job keeps; a larger one is never held whole, and is scored again."""
KEPT_WHOLE = 2 << 30
"""Largest reference whose windows are kept: they stand on the disk beside it until it is whole."""
_DENSE = -1
"""Tells a kept window of log-probabilities from one of hidden states."""
_BLOCK_BYTES = 16 << 20
"""Most that is read to check a row."""


@dataclass(frozen=True)
class DenseRows:
    """What was written: [positions, vocabulary], with a checksum of each `block` rows."""

    vocabulary: int
    block: int
    crcs: tuple[int, ...]


def write_dense(
    session: Scores, stream: Stream, spans: Sequence[Span], path: Path, most_bytes: int, finished: Finished,
    report: Callable[[int], None],
) -> DenseRows:  # fmt: skip
    """Write the log-probabilities float32 of every counted position, and take windows that an interrupted job has finished.

    Raises: HarnessError where they would be larger than `most_bytes`, or are not finite.
    """
    rows = _Rows(path, len(stream.ids), most_bytes)
    is_kept = 4 * len(stream.ids) * session.codec.vocabulary <= KEPT_WHOLE
    for number, span in enumerate(spans, start=1):
        ids, positions = stream.ids[span.begin : span.end].tolist(), span_positions(span)
        if is_kept and 4 * len(positions) * session.codec.vocabulary <= KEPT_BYTES:
            find = partial(_window, session, ids, positions)
            rows.add(finished.group([(_DENSE,), *numbers_of(stream.ids, [span])], find)["logprobs"])
        else:
            for part in _finite(session, ids, positions):
                rows.add(part)
        report(number)
    return rows.done()


def _window(session: Scores, ids: list[int], positions: Ints) -> Mapping[str, Rows]:
    import numpy as np

    return {"logprobs": np.concatenate([part.copy() for part in _finite(session, ids, positions)])}


def _finite(session: Scores, ids: list[int], positions: Ints) -> Iterator[Rows]:
    import numpy as np

    for _, logprobs in tiles(session, ids, positions):
        if not np.isfinite(logprobs.max(axis=1)).all():
            raise HarnessError("the reference gave logits that are not finite; it cannot serve as a reference")
        yield logprobs


class _Rows:
    """A file that grows by rows."""

    def __init__(self, path: Path, count: int, most_bytes: int) -> None:
        self._path, self._count, self._most = path, count, most_bytes
        self._kept: Mapped | None = None
        self._sums = BlockSums(BLOCK)
        self._row = 0

    def add(self, logprobs: Rows) -> None:
        if self._kept is None:
            width = logprobs.shape[1]
            self._kept = _space(self._path, self._count, width, self._most)
            self._sums = BlockSums(max(1, min(BLOCK, _BLOCK_BYTES // (4 * width))))
        self._kept[self._row : self._row + len(logprobs)] = logprobs
        self._sums.add(logprobs)
        self._row += len(logprobs)

    def done(self) -> DenseRows:
        if self._kept is None:
            raise HarnessError("the text has no position to score; give a longer one")
        self._kept.flush()
        width = int(self._kept.shape[1])
        self._kept = None  # Windows renames no folder with a mapped file in it
        return DenseRows(width, self._sums.block, self._sums.crcs)


def _space(path: Path, rows: int, width: int, most_bytes: int) -> Mapped:
    from numpy.lib.format import open_memmap

    wanted = 4 * rows * width
    if wanted > most_bytes:
        raise HarnessError(
            f"the reference would take {wanted:,} bytes ({rows:,} positions x {width:,} tokens), more than max_bytes "
            f"{most_bytes:,}; use form: live, fewer tokens, or raise max_bytes"
        )
    mapped: Mapped = open_memmap(path, mode="w+", dtype="float32", shape=(rows, width))
    return mapped
