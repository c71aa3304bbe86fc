from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.core.sessions import Request
from harness.engines import decoding, hidden_states, scoring, shared_scoring, sharing
from harness.engines.sharing import Sharing
from tests.unit.engines.sharing_fake import Shares

SINGLY = Sharing(batched=False)


class Forgets(Shares):
    """Loses what the cache held."""

    def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        return super().run(batch, wanted, cache[1:] if cache else None, keep=keep)


class Refuses(Shares):
    """Has no cache at all."""

    def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        if keep:
            raise NotImplementedError("this model keeps no cache")
        return super().run(batch, wanted, cache, keep=keep)


class Consumes(Shares):
    """Loses a token of a cache each time that it was continued."""

    def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        rows, after = super().run(batch, wanted, cache, keep=keep)
        if cache:
            cache.pop()
        return rows, list(after) if keep else None


class Rounds(Shares):
    """Rounds otherwise in passes of another length."""

    pads = False

    def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        rows, after = super().run(batch, wanted, cache, keep=keep)
        return [one + 0.1 * max(map(len, batch)) for one in rows], after


def test_a_cache_that_continues_several_is_found_out_by_trying() -> None:
    assert sharing.found(Shares(Sharing(batched=True)), 1e-3, None, batches=True) == Sharing(batched=True)
    assert sharing.found(Shares(SINGLY), 1e-3, None, batches=True) == SINGLY
    assert sharing.found(Shares(Sharing(batched=True)), 1e-3, None) == SINGLY, "batches were not asked for"


def test_a_length_beyond_which_the_model_computes_otherwise_is_kept_with_its_reason() -> None:
    found = sharing.found(Shares(SINGLY), 1e-3, 100)
    assert found.allows(100)
    assert not found.allows(101)
    assert found.reason == "beyond 100 tokens the model computes otherwise"


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (Forgets(SINGLY), "continuing a cache gave other results when it was tried at opening"),
        (Refuses(SINGLY), "the engine cannot continue a cache (NotImplementedError)"),
    ],
)
def test_an_engine_whose_caches_cannot_be_continued_shares_nothing(forward: Shares, reason: str) -> None:
    found = sharing.found(forward, 1e-3, None)
    assert not found.possible
    assert not found.continues
    assert not found.allows(1)
    assert found.reason == reason


def test_where_neighbours_in_a_pass_change_results_nothing_is_shared_but_a_cache_may_be_continued() -> None:
    alone = Sharing(possible=False, reason="results depend on what else is in a pass")
    forward = Shares(SINGLY)
    forward.pads = False
    assert sharing.found(forward, 1e-3, None, batches=True) == alone
    assert {count for _, count, _ in forward.passes} == {1}
    assert sharing.found(Rounds(SINGLY), 1e-3, None) == alone, "rounding is no lost cache"


class Neighbours(Shares):
    """Rows move by a little where something else is in the pass, or before it in a cache."""

    def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        rows, after = super().run(batch, wanted, cache, keep=keep)
        return [one + 5e-4 * (len(batch) > 1 or bool(cache)) for one in rows], after


@pytest.mark.parametrize(("dtype", "harmless"), [("float32", False), ("float16", True), ("bfloat16", True)])
def test_what_is_harmless_hangs_on_the_type(dtype: str, harmless: bool) -> None:
    forward = Neighbours(SINGLY)
    assert sharing.padding_is_harmless(forward, sharing.TOLERANCE[dtype]) == harmless
    found = sharing.found(forward, sharing.TOLERANCE[dtype], None)
    assert (found.possible, found.continues) == (harmless, True), "what rounding moves is not shared, and no lost cache"


def test_memory_that_runs_out_while_caches_are_tried_is_no_engine_that_cannot_continue_them() -> None:
    class Full(Shares):
        def run(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
            if keep:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().run(batch, wanted, cache, keep=keep)

    found = sharing.found(Full(SINGLY), 1e-3, None)
    assert (found.possible, found.continues) == (False, True)
    assert "memory ran out" in found.reason


def test_a_cache_that_is_used_up_is_continued_but_not_shared() -> None:
    found = sharing.found(Consumes(SINGLY), 1e-3, None)
    assert found.continues
    assert not found.possible
    assert found.reason == "a cache that was continued gave other results when it was tried at opening"


@pytest.mark.parametrize("pads", [True, False])
@pytest.mark.parametrize("kind", [Forgets, Refuses])
def test_where_no_cache_can_be_continued_every_sequence_is_one_pass(kind: type[Shares], pads: bool) -> None:
    forward: Any = kind(SINGLY)
    forward.pads = pads
    forward.sharing = sharing.found(forward, 1e-4, None)
    forward.states = forward.run
    ids = np.random.default_rng(1).integers(0, 16, 2600).tolist()
    [right], _ = Shares().run([ids], [np.arange(2600)], None, keep=False)
    forward.passes.clear()
    tiles = list(scoring.logprobs(forward, ids[:600], [3, 255, 256, 599]))
    np.testing.assert_allclose(np.concatenate([one.logprobs for one in tiles]), right[[3, 255, 256, 599]], atol=1e-5)
    states = list(hidden_states.hidden(forward, ids[:600], [599]))
    np.testing.assert_allclose(states[0].hidden[0], right[599], atol=1e-5)
    assert forward.passes == [(0, 1, 600)] * 2
    [long] = shared_scoring.score(forward, [Request(tuple(ids[:2500]), tuple(ids[2500:2503]))])
    assert long.logprob == pytest.approx(sum(right[at][ids[at + 1]] for at in (2499, 2500, 2501)), abs=1e-4)
    assert shared_scoring.greedy(forward, [ids, ids[:2599]], 3) == [
        decoding.greedy(Shares(), ids[:to], 3) for to in (2600, 2599)
    ]
    [step, further] = decoding.stepwise(forward, ids[:600], ids[600:602])
    np.testing.assert_allclose([step.logprobs[0], further.logprobs[0]], right[[599, 600]], atol=1e-5)
    [note] = sharing.notes(forward)
    assert note.code == "whole-prompts"
    assert note.text == f"scores come from whole sequences, each in one pass: {forward.sharing.reason}"


def test_a_reader_is_told_how_many_were_run_whole_and_why() -> None:
    forward = Shares(Sharing(until=5, reason="beyond 5 tokens the model computes otherwise"))
    assert sharing.notes(forward) == ()
    forward.whole = 3
    [note] = sharing.notes(forward)
    assert note.code == "whole-prompts"
    assert (
        note.text == "3 sequences that begin like others were run whole: beyond 5 tokens the model computes otherwise"
    )
