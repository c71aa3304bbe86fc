"""Windows over a stream of tokens: where they begin, what of them is scored, and how many tokens a pass takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """One window of a stream: its tokens [begin, end) and the positions [first, last) that count in it."""

    begin: int
    end: int
    first: int
    last: int


def sliding(length: int, window: int, stride: int) -> list[Span]:
    """Cut a stream so that each position counts once, in the first window that can score the token after it.

    With stride < window a window leaves its last position to the next one; with stride = window it is kept, although
    no token of the same window follows it (KL-divergence counts it, perplexity does not).
    """
    spans: list[Span] = []
    first = 0
    for begin in range(0, length, stride):
        end = min(begin + window, length)
        last = end if end == length or stride == window else end - 1
        spans.append(Span(begin, end, first, last))
        first = last
        if end == length:
            break
    return spans


def last_chunks(length: int, window: int, chunk: int) -> list[Span]:
    """Cut a stream into windows `chunk` apart of which only the last prefill chunk counts."""
    spans: list[Span] = []
    for begin in range(0, length, chunk):
        end = min(begin + window, length)
        spans.append(Span(begin, end, begin + (end - begin - 1) // chunk * chunk, end))
        if end == length:
            break
    return spans


def span_positions(span: Span) -> Ints:
    """Give the counted positions of a window, counted from its beginning."""
    import numpy as np

    return np.arange(span.first - span.begin, span.last - span.begin, dtype=np.int64)
