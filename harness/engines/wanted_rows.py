"""Which rows of a padded batch go through the language model's head, and whose they are afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.engines.scoring import Indices

    Logits = NDArray[np.floating]
    States = NDArray[np.floating]
    """Final hidden states [rows, hidden], in the type in which the model computes."""

LEAST_ROWS = 2
"""A kernel that takes one row otherwise than many must not be reached by asking for less of a pass of many tokens."""


def places(batch: Sequence[Sequence[int]], wanted: Sequence[Indices]) -> Indices:
    """Number the wanted rows through the flattened [batch x tokens]; int64, LEAST_ROWS at least where so many tokens are run.

    What fills up stands at the end.
    """
    import numpy as np

    width = max(len(ids) for ids in batch)
    found = np.concatenate([asked + at * width for at, asked in enumerate(wanted)]).astype(np.int64)
    missing = max(0, min(LEAST_ROWS, len(batch) * width) - len(found))
    return np.concatenate([found, np.full(missing, found[-1] if len(found) else 0)])


def slices(wanted: Sequence[Indices]) -> Iterator[slice]:
    """Say which of the rows belong to each sequence."""
    start = 0
    for asked in wanted:
        yield slice(start, start + len(asked))
        start += len(asked)


def picked(logits: Logits, asked: Indices) -> Logits:
    """Take rows; a run of neighbours is a view, so that a tile is not held twice."""
    if asked.size and int(asked[-1]) - int(asked[0]) + 1 == asked.size:
        return logits[int(asked[0]) : int(asked[-1]) + 1]
    return logits[asked]
