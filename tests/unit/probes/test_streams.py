"""Windows: which positions count, and how often."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.core.options import problems_of
from harness.core.seam import Context
from harness.probes import streams
from harness.probes.streams import StreamOptions
from harness.probes.windows import Span, last_chunks, sliding, span_positions


def counted(spans: list[Span]) -> list[int]:
    return [position for span in spans for position in range(span.first, span.last)]


def targets(spans: list[Span]) -> int:
    return sum(position + 1 < span.end for span in spans for position in range(span.first, span.last))


@given(st.integers(2, 400), st.integers(2, 64), st.integers(1, 64))
def test_every_position_counts_exactly_once(length: int, window: int, stride: int) -> None:
    spans = sliding(length, window, min(stride, window))
    assert counted(spans) == list(range(length))
    assert all(span.end - span.begin <= window for span in spans)


@given(st.integers(2, 400), st.integers(2, 64), st.integers(1, 63))
def test_overlapping_windows_score_every_token_but_the_first(length: int, window: int, stride: int) -> None:
    assert targets(sliding(length, window, min(stride, window - 1))) == length - 1


def test_the_published_counts_of_both_protocols_are_met() -> None:
    assert targets(sliding(10_551, 1024, 512)) == 10_550
    assert targets(last_chunks(10_551, 1024, 512)) == 10_019
    first = sliding(10_551, 1024, 512)[:2]
    assert [span.last - span.first for span in first] == [1023, 512]
    begin = last_chunks(10_551, 1024, 512)[0]
    assert span_positions(begin)[[0, -1]].tolist() == [512, 1023]


def test_windows_side_by_side_keep_their_last_position() -> None:
    spans = sliding(10, 4, 4)
    assert [(span.first, span.last) for span in spans] == [(0, 4), (4, 8), (8, 10)]
    assert targets(spans) == 7


def test_a_stride_beyond_the_window_is_refused() -> None:
    found = problems_of(StreamOptions, {"window": 8, "stride": 9}, "probe perplexity")
    assert "tokens would be left out" in found[0][1]


class _Odd:
    def __init__(self, tiles: list[tuple[list[int], int]]) -> None:
        self.tiles = tiles

    def logprobs(self, *_: Any) -> Any:
        for positions, width in self.tiles:
            rows = np.zeros((len(positions), width), dtype=np.float32)
            yield SimpleNamespace(positions=np.array(positions), logprobs=rows)


def test_an_engine_that_leaves_positions_out_is_caught() -> None:
    wanted = np.arange(3)
    with pytest.raises(HarnessError, match="2 of 3 positions"):
        list(streams.tiles(_Odd([([0, 1], 4)]), [0, 1, 2], wanted))
    with pytest.raises(HarnessError, match="other positions"):
        list(streams.tiles(_Odd([([1, 2], 4)]), [0, 1, 2], wanted))


def test_a_token_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(HarnessError, match="token id 9 is beyond the model's vocabulary of 4"):
        streams.target_nll(np.array([0, 9]), np.array([0]), np.zeros((1, 4), dtype=np.float32))


def test_positions_beyond_training_are_counted(tmp_path: Any) -> None:
    context = Context(folder=tmp_path, trained_positions=5)
    assert streams.beyond([np.arange(4), np.arange(3, 8)], context) == 3
    assert streams.beyond([np.arange(9)], Context(folder=tmp_path)) == 0
