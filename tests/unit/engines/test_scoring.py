from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import Request
from harness.engines import decoding, scoring
from harness.engines.pass_budget import PassBudget


class Counting:
    """A forward pass whose logits depend on all tokens so far; it writes down the passes it made."""

    vocabulary = 16
    context_length = 5000
    picks = False
    continues = True
    budget = PassBudget()

    def __init__(self, pads: bool = True, border: int | None = None) -> None:
        self.pads = pads
        self.border = border
        self.passes: list[tuple[int, int]] = []

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool
    ) -> tuple[list[Any], Any]:
        before = list(cache or [])
        assert not before or len(batch) == 1
        if self.border is not None:
            return self._bordered(before, batch, wanted, keep=keep)
        self.passes.append((len(batch), max(len(ids) for ids in batch)))
        rows = [
            scoring.log_softmax(self.logits([*before, *ids])[asked + len(before)], asked + len(before))
            for ids, asked in zip(batch, wanted, strict=True)
        ]
        return rows, [*before, *batch[0]] if keep else None

    def _bordered(self, before: list[Any], batch: Sequence[Sequence[int]], wanted: Any, *, keep: bool) -> Any:
        """Remember of each token whether it was computed as part of a long sequence; padding counts as length."""
        assert self.border is not None
        width = len(before) + max(len(ids) for ids in batch)
        self.passes.append((len(batch), width))
        told = [[*before, *((token, width > self.border) for token in ids)] for ids in batch]
        rows = [
            scoring.log_softmax(self.logits([token + 50 * far for token, far in ids])[asked + len(before)], asked)
            for ids, asked in zip(told, wanted, strict=True)
        ]
        return rows, told[0] if keep else None

    def logits(self, ids: Sequence[int]) -> Any:
        sums = np.cumsum(ids)[:, None] % 97
        return np.sin(sums * np.arange(1, self.vocabulary + 1)).astype(np.float32) * 3


def reference(ids: Sequence[int]) -> Any:
    logits = Counting().logits(ids).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def random_requests(count: int, longest: int) -> list[Request]:
    draw = np.random.default_rng(3)
    return [
        Request(
            tuple(draw.integers(0, 16, draw.integers(1, longest)).tolist()),
            tuple(draw.integers(0, 16, draw.integers(1, 5)).tolist()),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("pads", [True, False])
def test_scores_stand_in_the_order_of_the_requests_and_are_right(pads: bool) -> None:
    requests = random_requests(50, 700) + random_requests(1, 2) + [random_requests(50, 3000)[-1]]
    for request, score in zip(requests, scoring.score(Counting(pads), requests), strict=True):
        rows = reference(request.context + request.continuation)[len(request.context) - 1 : -1]
        expected = sum(row[token] for row, token in zip(rows, request.continuation, strict=True))
        assert score.logprob == pytest.approx(expected, abs=1e-4)
        assert score.greedy == all(row.argmax() == token for row, token in zip(rows, request.continuation, strict=True))


def test_choices_of_one_token_cost_one_pass_a_question() -> None:
    forward = Counting(pads=False)
    contexts = [tuple(range(number, number + 4)) for number in range(6)]
    scoring.score(forward, [Request(context, (choice,)) for context in contexts for choice in (1, 2, 3, 4)])
    assert len(forward.passes) == 6


def test_a_longer_continuation_shares_the_pass_of_the_same_tokens() -> None:
    forward = Counting()
    found = scoring.score(forward, [Request((1, 2, 3), (5,)), Request((1, 2), (3, 4))])
    assert len(forward.passes) == 1
    rows = reference((1, 2, 3))
    assert found[0].logprob == pytest.approx(rows[2][5], abs=1e-5)
    assert found[1].logprob == pytest.approx(rows[1][3] + rows[2][4], abs=1e-5)


def test_batches_stay_within_the_room_padding_included_and_nothing_runs_padded_where_that_is_harmful() -> None:
    requests = random_requests(200, 600)
    padded, alone = Counting(), Counting(pads=False)
    scoring.score(padded, requests)
    scoring.score(alone, requests)
    assert all(count * width <= PassBudget().tokens for count, width in padded.passes)
    assert max(count for count, _ in padded.passes) > 3
    assert all(count == 1 for count, _ in alone.passes)


def test_logits_of_one_pass_are_bounded_by_the_rows_that_reach_the_head() -> None:
    requests = [Request(tuple(range(5, 16)) * 9, (1,)) for _ in range(3)] + random_requests(60, 400)
    every, few = Counting(), Counting()
    few.picks = True
    for forward in (every, few):
        forward.budget = PassBudget(logits=4 * 16 * 800)
        scoring.score(forward, requests)
    assert max(count * width for count, width in every.passes) <= 800
    assert 800 < max(count * width for count, width in few.passes) <= 2048
    assert len(few.passes) < len(every.passes)


def test_tiles_give_the_positions_asked_for_and_stop_after_the_last() -> None:
    forward = Counting()
    ids = np.random.default_rng(1).integers(0, 16, 1000).tolist()
    asked = [3, 255, 256, 600]
    tiles = [(tile.positions.tolist(), tile.logprobs.copy()) for tile in scoring.logprobs(forward, ids, asked)]
    assert [positions for positions, _ in tiles] == [[3, 255], [256], [600]]
    assert forward.passes == [(1, 256), (1, 256), (1, 89)]
    np.testing.assert_allclose(np.concatenate([rows for _, rows in tiles]), reference(ids)[asked], atol=1e-5)
    assert list(scoring.logprobs(forward, ids, [])) == []


@pytest.mark.parametrize("asked", [[2, 1], [1, 1], [-1, 3], [0, 10]])
def test_positions_out_of_order_or_range_are_refused(asked: list[int]) -> None:
    with pytest.raises(HarnessError, match="positions must ascend within the 10"):
        list(scoring.logprobs(Counting(), list(range(10)), asked))


def test_greedy_gives_exactly_so_many_tokens_each_the_likeliest() -> None:
    prompt = np.random.default_rng(2).integers(0, 16, 1300).tolist()
    made = decoding.greedy(Counting(), prompt, 3)
    ids = list(prompt)
    for token in made:
        assert token == reference(ids)[-1].argmax()
        ids.append(token)
    assert len(made) == 3


def test_what_does_not_fit_or_is_empty_is_refused() -> None:
    with pytest.raises(HarnessError, match="6000 tokens do not fit the model's context of 5000"):
        scoring.score(Counting(), [Request((1,) * 6000, (1,))])
    with pytest.raises(HarnessError, match="request 0 has no context"):
        scoring.score(Counting(), [Request((), (1,))])
    with pytest.raises(HarnessError, match="empty prompt"):
        decoding.greedy(Counting(), [], 1)
    assert scoring.score(Counting(), []) == []


def test_log_softmax_is_stable_and_works_on_half_precision() -> None:
    rows = scoring.log_softmax(np.array([[3e4, 3e4, -3e4]], dtype=np.float16), [0])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[0, :2], np.log(0.5), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused_with_their_position(bad: float) -> None:
    logits = np.zeros((3, 5), dtype=np.float32)
    logits[1, 2] = bad
    with pytest.raises(HarnessError, match="non-finite logits at position 42"):
        scoring.log_softmax(logits, [41, 42, 43])


def test_a_reader_is_told_when_sequences_ran_alone() -> None:
    assert scoring.batch_notes(Counting(pads=True)) == ()
    assert scoring.batch_notes(Counting(pads=False))[0].code == "no-batching"


@pytest.mark.parametrize("border", [None, 6, 9, 11])
def test_each_token_is_scored_as_it_was_chosen_one_by_one_on_either_side_of_a_border(border: int | None) -> None:
    prompt = [3, 1, 4, 1, 5, 9]
    made = decoding.greedy(Counting(border=border), prompt, 5)
    forward = Counting(border=border)
    tiles = list(decoding.stepwise(forward, prompt, made))
    assert [int(tile.positions[0]) for tile in tiles] == [5, 6, 7, 8, 9]
    assert [int(tile.logprobs[0].argmax()) for tile in tiles] == made
    if border is None:
        assert forward.passes == [(1, 6), (1, 1), (1, 1), (1, 1), (1, 1)], (
            "the prompt in one pass, each token in its own"
        )
        rows = reference([*prompt, *made])
        for tile in tiles:
            assert tile.logprobs[0] == pytest.approx(rows[tile.positions[0]], abs=1e-5)
    else:
        for number, tile in enumerate(tiles):
            whole = bordered([*prompt, *made[:number]], border)
            assert tile.logprobs[0] == pytest.approx(whole[-1], abs=1e-5), "as one whole pass over all before it"


def bordered(ids: Sequence[int], border: int) -> Any:
    return reference([token + 50 * (len(ids) > border) for token in ids])


@pytest.mark.parametrize("length", [299, 300, 301, 700])
def test_tiles_on_either_side_of_a_border_are_those_of_one_whole_pass(length: int) -> None:
    ids = np.random.default_rng(4).integers(0, 16, length).tolist()
    asked = list(range(length - 1))
    tiles = list(scoring.logprobs(Counting(border=300), ids, asked))
    assert max(len(tile.positions) for tile in tiles) <= scoring.TILE
    assert [position for tile in tiles for position in tile.positions] == asked
    np.testing.assert_allclose(np.concatenate([tile.logprobs for tile in tiles]), bordered(ids, 300)[:-1], atol=1e-5)


def test_a_request_beside_a_longer_one_keeps_its_score_whichever_side_of_a_border_they_are_on() -> None:
    requests = [*random_requests(60, 700), random_requests(50, 3000)[-1]]
    for request, score in zip(requests, scoring.score(Counting(border=300), requests), strict=True):
        ids = [*request.context, *request.continuation[:-1]]
        rows = bordered(ids, 300)[len(request.context) - 1 :]
        expected = sum(row[token] for row, token in zip(rows, request.continuation, strict=True))
        assert score.logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("start", [1, 295, 299, 300, 301, 900])
def test_greedy_across_a_border_gives_the_likeliest_of_one_whole_pass_each_time(start: int) -> None:
    ids = np.random.default_rng(6).integers(0, 16, start).tolist()
    for token in decoding.greedy(Counting(border=300), ids, 8):
        assert token == bordered(ids, 300)[-1].argmax()
        ids.append(token)
