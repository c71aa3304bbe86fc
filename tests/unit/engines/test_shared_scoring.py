from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import Request
from harness.engines import decoding, scoring, shared_scoring
from harness.engines.pass_budget import PassBudget
from harness.engines.sharing import Sharing
from tests.unit.engines.sharing_fake import Shares

BATCHED, SINGLY = Sharing(batched=True), Sharing(batched=False)


def tokens(draw: Any, count: int) -> tuple[int, ...]:
    return tuple(draw.integers(0, 16, count).tolist())


def requests(seed: int) -> list[Request]:
    """Questions on a few common beginnings, choices of one or several tokens, duplicates, contexts of one token, lone texts."""
    draw = np.random.default_rng(seed)
    stems = [tokens(draw, int(draw.integers(1, 120))) for _ in range(3)]
    stems += [stems[0] + tokens(draw, 60), stems[0] + tokens(draw, 1)]
    found = []
    for _ in range(25):
        context = stems[draw.integers(len(stems))] + tokens(draw, int(draw.integers(0, 50)))
        shared = tokens(draw, int(draw.integers(0, 40)))
        found += [Request(context, shared + tokens(draw, int(draw.integers(1, 5)))) for _ in range(draw.integers(1, 5))]
    found += [Request(tokens(draw, 1), tokens(draw, 4)), Request(tokens(draw, 1), tokens(draw, 1)), *found[:5]]
    return [found[at] for at in draw.permutation(len(found))]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    "sharing", [BATCHED, SINGLY, Sharing(possible=False, reason="no"), Sharing(until=100, reason="window")]
)
def test_scores_are_those_of_whole_prompts_in_the_order_of_the_requests(seed: int, sharing: Sharing) -> None:
    asked = requests(seed)
    expected = scoring.score(Shares(), asked)
    found = shared_scoring.score(Shares(sharing), asked)
    assert [one.greedy for one in found] == [one.greedy for one in expected]
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-5)


@pytest.mark.parametrize("sharing", [BATCHED, SINGLY])
def test_a_beginning_of_many_questions_is_run_once(sharing: Sharing) -> None:
    draw = np.random.default_rng(1)
    beginning = tokens(draw, 1000)
    contexts = [beginning + tokens(draw, 40) for _ in range(20)]
    forward = Shares(sharing)
    shared_scoring.score(forward, [Request(context, (choice,)) for context in contexts for choice in range(4)])
    assert forward.tokens == 1000 + 20 * 40
    assert sum(before == 0 for before, _, _ in forward.passes) == 1
    assert len(forward.passes) == (1 + 20 if sharing is SINGLY else 1 + 2), "copies of the cache are bounded"


def test_what_shares_nothing_is_run_as_before() -> None:
    draw = np.random.default_rng(2)
    asked = [Request(tokens(draw, 30 + at), (1,)) for at in range(40)]
    whole, shared = Shares(), Shares()
    assert scoring.score(whole, asked) == shared_scoring.score(shared, asked)
    assert whole.passes == shared.passes


def test_a_shared_token_of_bos_leaves_batches_as_they_are() -> None:
    draw = np.random.default_rng(3)
    asked = [Request((1, *tokens(draw, 30)), (1,)) for _ in range(40)]
    forward = Shares(SINGLY)
    shared_scoring.score(forward, asked)
    assert len(forward.passes) == 1


def test_duplicates_cost_nothing_more() -> None:
    draw = np.random.default_rng(4)
    beginning = tokens(draw, 100)
    asked = [Request(beginning + tokens(draw, 20), (2, 3)) for _ in range(5)]
    once, thrice = Shares(), Shares()
    found = shared_scoring.score(once, asked)
    assert shared_scoring.score(thrice, asked * 3) == found * 3
    assert thrice.passes == once.passes


def test_endings_of_one_context_share_it_and_rows_inside_it_count_for_each() -> None:
    draw = np.random.default_rng(5)
    context, middle = tokens(draw, 20), tokens(draw, 60)
    asked = [Request(context, middle + tokens(draw, 5)) for _ in range(4)]
    forward = Shares()
    found = shared_scoring.score(forward, asked)
    assert forward.tokens == 80 + 4 * 4
    expected = scoring.score(Shares(), asked)
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-5)


def test_batches_of_rests_stay_within_the_room() -> None:
    draw = np.random.default_rng(6)
    beginning = tokens(draw, 400)
    forward = Shares(BATCHED)
    shared_scoring.score(
        forward, [Request(beginning + tokens(draw, int(draw.integers(2, 200))), (1,)) for _ in range(200)]
    )
    assert all(count * width <= PassBudget().tokens for _, count, width in forward.passes)
    assert max(count for _, count, _ in forward.passes) > 5


def test_sequences_that_may_not_share_are_run_whole_and_told() -> None:
    draw = np.random.default_rng(7)
    beginning = tokens(draw, 90)
    asked = [Request(beginning + tokens(draw, length), (1,)) for length in (5, 8, 50, 60)]
    forward = Shares(Sharing(until=100, reason="beyond 100 tokens the model computes otherwise"))
    shared_scoring.score(forward, asked)
    assert forward.whole == 2
    assert (90, 1, 5) in forward.passes
    assert not any(before + width > 100 for before, _, width in forward.passes if before)


def test_what_is_longer_than_the_context_or_empty_is_refused() -> None:
    with pytest.raises(HarnessError, match="6000 tokens do not fit the model's context of 5000"):
        shared_scoring.score(Shares(), [Request((1,) * 6000, (1,))])
    with pytest.raises(HarnessError, match="request 1 has no context or no continuation"):
        shared_scoring.score(Shares(), [Request((1,), (1,)), Request((), (1,))])
    with pytest.raises(HarnessError, match="empty prompt"):
        shared_scoring.greedy(Shares(), [[1], []], 1)
    assert shared_scoring.score(Shares(), []) == []
    assert shared_scoring.greedy(Shares(), [], 3) == []


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("sharing", [BATCHED, SINGLY, Sharing(until=90, reason="window")])
def test_greedy_answers_are_those_of_each_prompt_alone(seed: int, sharing: Sharing) -> None:
    prompts = [list(one.context) for one in requests(seed)]
    expected = [decoding.greedy(Shares(), prompt, 3, never=(5,)) for prompt in prompts]
    assert shared_scoring.greedy(Shares(sharing), prompts, 3, never=(5,)) == expected


def test_prompts_of_one_beginning_run_it_once() -> None:
    draw = np.random.default_rng(8)
    beginning = tokens(draw, 500)
    prompts = [beginning + tokens(draw, 30) for _ in range(10)]
    forward = Shares()
    made = shared_scoring.greedy(forward, [*prompts, prompts[0]], 2)
    assert forward.tokens == 500 + 10 * (30 + 1)
    assert made[-1] == made[0]


def test_a_prompt_that_begins_another_and_is_hardly_long_enough_to_share_is_answered() -> None:
    draw = np.random.default_rng(9)
    short = tokens(draw, 33)
    prompts = [short, short + tokens(draw, 10)]
    assert shared_scoring.greedy(Shares(), prompts, 2) == [decoding.greedy(Shares(), one, 2) for one in prompts]


@pytest.mark.parametrize("seed", range(200))
def test_prompts_around_the_least_that_is_shared_are_all_answered_and_scored(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stem = tokens(draw, 36)
    prompts = [stem[: draw.integers(30, 37)] + tokens(draw, int(draw.integers(0, 4))) for _ in range(6)]
    assert shared_scoring.greedy(Shares(), prompts, 2) == [decoding.greedy(Shares(), one, 2) for one in prompts]
    asked = [Request(prompt, (1, 2)) for prompt in prompts]
    found, expected = shared_scoring.score(Shares(), asked), scoring.score(Shares(), asked)
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-5)


def test_rests_in_one_row_are_not_padded_and_take_half_of_what_is_shared_at_most() -> None:
    draw = np.random.default_rng(10)
    for shared, most in ((40, 64), (600, 300)):
        beginning = tokens(draw, shared)
        asked = [Request(beginning + tokens(draw, 3 + at % 20), (1, 2)) for at in range(60)]
        forward = Rows(Sharing(batched=True, in_row=64))
        found, expected = shared_scoring.score(forward, asked), scoring.score(Shares(), asked)
        assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-5)
        assert forward.rows[0] >= shared
        assert most - 25 < max(forward.rows[1:]) <= most


class Rows(Shares):
    """Notes the tokens of each pass, without padding."""

    def __init__(self, sharing: Sharing) -> None:
        super().__init__(sharing)
        self.rows: list[int] = []

    def run(self, batch: Any, wanted: Any, cache: Any, *, keep: bool) -> Any:
        self.rows.append(sum(map(len, batch)))
        return super().run(batch, wanted, cache, keep=keep)
