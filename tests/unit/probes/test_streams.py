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
            yield SimpleNamespace(positions=np.array(positions), logprobs=rows, logits=rows)

    logits = logprobs


@pytest.mark.parametrize("tiles", [streams.tiles, streams.logit_tiles])
def test_an_engine_that_leaves_positions_out_is_caught(tiles: Any) -> None:
    wanted = np.arange(3)
    with pytest.raises(HarnessError, match="2 of 3 positions"):
        list(tiles(_Odd([([0, 1], 4)]), [0, 1, 2], wanted))
    with pytest.raises(HarnessError, match="other positions"):
        list(tiles(_Odd([([1, 2], 4)]), [0, 1, 2], wanted))


def test_a_token_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(HarnessError, match="token id 9 is beyond the model's vocabulary of 4"):
        streams.target_nll(np.array([0, 9]), np.array([0]), np.zeros((1, 4), dtype=np.float32))


def test_positions_beyond_training_are_counted(tmp_path: Any) -> None:
    context = Context(folder=tmp_path, trained_positions=5)
    assert streams.beyond([np.arange(4), np.arange(3, 8)], context) == 3
    assert streams.beyond([np.arange(9)], Context(folder=tmp_path)) == 0


@pytest.mark.parametrize(("given", "says"), [
    ({"window": 8, "stride": 8}, ""), ({"window": 1}, "window"), ({"window": 2, "stride": 1}, ""), ({"stride": 0}, "stride"), ({"tokens": 1, "window": 2, "stride": 1}, "tokens"),
    ({"tokens": 1024}, ""), ({"tokens": 1023}, "tokens 1023 are fewer than one window of 1024 (the default)"),
    ({"tokens": 7, "window": 8, "stride": 8}, "one window of 8; say tokens: 8 or more"), ({"tokens": 8, "window": 8, "stride": 8}, ""), ({"seed": -1}, "seed"),
])  # fmt: skip
def test_options_at_their_borders(given: dict[str, int], says: str) -> None:
    found = problems_of(StreamOptions, given, "probe perplexity")
    assert bool(found) == bool(says), found
    assert not says or any(says in f"{name} {message}" for name, message in found)


def test_what_is_read_where_nothing_is_said() -> None:
    found = StreamOptions()
    assert (found.text, found.window, found.stride, found.tokens, found.seed, found.bos) == (
        "reference",
        1024,
        512,
        None,
        0,
        False,
    )
    reach = streams.window_reach(found)
    assert reach is not None
    assert (reach.total, reach.prompt, reach.batch) == (1024, 0, 1)


def test_the_token_after_each_position_is_what_is_scored() -> None:
    logprobs = np.log(np.arange(1, 13, dtype=np.float32).reshape(3, 4) / 100)
    found = streams.target_nll(np.array([3, 1, 0, 2]), np.array([0, 2, 3]), logprobs)
    assert found == pytest.approx(
        [-np.log(0.02), -np.log(0.07)]
    )  # token 1 in row 0, token 2 in row 1; nothing follows the last position
    moved = streams.target_nll(np.array([3, 1, 0, 2]), np.array([0, 2, 3]), logprobs, np.array([0.5, -1.0, 9.0]))
    assert moved == pytest.approx([0.5 - np.log(0.02), -1 - np.log(0.07)])  # logits and their normalizers
    assert streams.target_nll(np.array([3]), np.array([0]), logprobs[:1]).size == 0
    broken = logprobs.copy()
    broken[1, 2] = np.nan
    with pytest.raises(HarnessError, match="not finite at position 2 of a window"):
        streams.target_nll(np.array([3, 1, 0, 2]), np.array([0, 2]), broken)
    with pytest.raises(HarnessError, match="token id 4 is beyond the model's vocabulary of 4"):
        streams.target_nll(np.array([0, 4]), np.array([0]), logprobs[:1])


def test_a_pass_asks_for_no_position_that_nothing_follows() -> None:
    asked: list[list[int]] = []

    class Told:
        def logprobs(self, ids: Any, positions: list[int]) -> Any:
            asked.append(positions)
            yield SimpleNamespace(
                positions=np.array(positions), logprobs=np.zeros((len(positions), 4), dtype=np.float32)
            )

    assert streams.pass_nll(Told(), np.array([1, 2, 3]), np.array([0, 1, 2])).tolist() == [0.0, 0.0]  # type: ignore[arg-type]
    assert asked == [[0, 1]]
    assert streams.pass_nll(_Odd([]), np.array([1]), np.array([0])).size == 0  # type: ignore[arg-type]


def test_windows_and_progress() -> None:
    told: list[tuple[float, str]] = []
    context = SimpleNamespace(progress=lambda share, what: told.append((share, what)))
    streams.reporter(context, 4, "windows")(1)  # type: ignore[arg-type]
    streams.reporter(context, 0, "windows")(0)  # type: ignore[arg-type]
    assert told == [(0.25, "windows: 1 of 4"), (0.0, "windows: 0 of 0")]
    session = SimpleNamespace(context_length=64)
    streams.check_window(session, 64)  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match="window 65 is longer than the model's context of 64 tokens"):
        streams.check_window(session, 65)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "bos", "count"),
    [
        (None, False, 6),
        (1, False, 1),
        (9, False, 1),
        (10, False, 2),
        (27, False, 3),
        (28, False, 4),
        (99, False, 6),
        (10, True, 1),
    ],
)
def test_whole_documents_are_drawn_until_they_have_the_tokens(tokens: int | None, bos: bool, count: int) -> None:
    """Ten tokens each, of which joining may take one: nine count."""
    codec: Any = SimpleNamespace(encode=lambda text: [0] * len(text))
    options = StreamOptions.model_construct(tokens=tokens, bos=bos, seed=3)
    documents = [f"{place:010d}" for place in range(6)]
    found = streams.drawn(codec, documents, options)
    assert found == sorted(found)
    assert len(found) == count
    order = sorted(range(6), key=lambda place: streams._sha256(f"3:{place}"))
    assert found == sorted(order[:count])
    assert streams.drawn(codec, documents[:1], options) == [0]
