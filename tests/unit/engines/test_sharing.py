from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.engines import sharing
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
    assert not found.allows(1)
    assert found.reason == reason


def test_where_neighbours_in_a_pass_change_results_nothing_is_shared() -> None:
    forward = Shares(SINGLY)
    forward.pads = False
    assert sharing.found(forward, 1e-3, None) == Sharing(
        possible=False, reason="results depend on what else is in a pass"
    )
    assert forward.passes == []


def test_a_reader_is_told_how_many_were_run_whole_and_why() -> None:
    forward = Shares(Sharing(until=5, reason="beyond 5 tokens the model computes otherwise"))
    assert sharing.notes(forward) == ()
    forward.whole = 3
    [note] = sharing.notes(forward)
    assert note.code == "whole-prompts"
    assert (
        note.text == "3 sequences that begin like others were run whole: beyond 5 tokens the model computes otherwise"
    )
