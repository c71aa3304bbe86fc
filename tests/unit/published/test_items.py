"""What pairs item by item survives publishing to the bit; a damaged text is told."""

from __future__ import annotations

import base64
import tracemalloc
import zlib

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.numbers.documents import sums_of
from harness.numbers.pairing import Items, paired_difference
from harness.published.items import PackedItems, is_apart, packed_items
from harness.worker.record import array_ref
from tests.unit.store.outcomes import measurement

DRAW = np.random.default_rng(20261128)
RIGHT = (DRAW.random(400) < 0.8).astype(np.uint8)
LOGS = DRAW.normal(-5, 2, 400).astype(np.float32)
SIZES = [20] * 100


def kept(metric: str, items: Items, said: str | None = "items") -> PackedItems | None:
    return packed_items(measurement(metric, items=said, array=array_ref("a", items.samples)), items)


def test_answers_and_values_come_back_to_the_bit_with_their_strata() -> None:
    for metric, values in (("lm_eval.acc", RIGHT), ("choice_logprob", LOGS)):
        packed = kept(metric, Items(values, None, [100, 300]))
        assert packed is not None
        assert packed.documents is None
        found = packed.unpacked()
        assert found.samples.dtype == values.dtype
        assert found.samples.tobytes() == values.tobytes()
        assert found.strata == [100, 300]


def test_of_a_text_its_sums_by_document_are_kept_and_not_its_tokens() -> None:
    nll = DRAW.gamma(2.0, 1.0, 2000).astype(np.float32)
    sums = sums_of(nll, SIZES)
    packed = kept("perplexity", Items(nll, sums))
    assert packed is not None
    assert packed.samples is None
    assert packed.unpacked().documents.tobytes() == sums.tobytes()


def test_a_share_of_positions_pairs_as_it_does_where_it_was_measured() -> None:
    one, other = ((DRAW.random(2000) < share).astype(np.uint8) for share in (0.8, 0.7))
    sides = [Items(side, sums_of(side, SIZES)) for side in (one, other)]
    packed = [kept("top1_agreement", side) for side in sides]
    assert all(side is not None and side.samples is not None for side in packed)
    again = [side.unpacked() for side in packed if side is not None]
    assert paired_difference("top1_agreement", *again) == paired_difference("top1_agreement", *sides)


def test_what_pairs_with_nothing_is_not_kept() -> None:
    assert kept("per_token_latency", Items(LOGS), said=None) is None
    assert kept("perplexity", Items(LOGS, None, [400])) is None, "version 0.1 kept no documents"
    assert (
        packed_items(measurement("lm_eval.acc", items="i", samples=(1.0, 0.0), n=2), Items(np.array([1.0, 0.0])))
        is None
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "|u1 4", "|u1 4 !!!!", "|u1 4 AAAA", "|u9 4 eJwDAAAAAAE=", "|u1 four eJwDAAAAAAE=", "|u1 4 eJwDAAAAAAE=",
        f"|u1 4 {base64.b64encode(zlib.compress(bytes(5))).decode()}", "|O 1 eJxjYGBgAAAABAAB",
    ],
)  # fmt: skip
def test_a_damaged_text_is_told_with_what_to_do(text: str) -> None:
    with pytest.raises(HarnessError, match=r"published items are damaged .*; publish their run again"):
        PackedItems(samples=text).unpacked()


def test_a_text_that_would_fill_the_memory_is_read_as_far_as_its_shape() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(20_000_000), 1)).decode()
    tracemalloc.start()
    try:
        with pytest.raises(HarnessError, match="damaged"):
            PackedItems(samples=f"|u1 10 {bomb}").unpacked()
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_items_are_apart_where_both_are_known_and_differ() -> None:
    assert not is_apart(None, PackedItems(samples="a"))
    assert not is_apart(PackedItems(samples="a"), PackedItems(documents="b"))
    assert not is_apart(PackedItems(samples="a", strata="c"), PackedItems(samples="a"))
    assert is_apart(PackedItems(samples="a", strata="c"), PackedItems(samples="a", strata="d"))
