from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.engines import pass_room
from harness.engines.pass_budget import PassBudget
from harness.engines.pass_room import FLOOR, PassRoom


class Small:
    """A pass whose rows are sums of all tokens so far, on a machine that holds only so many tokens at a time."""

    def __init__(self, holds: int, error: Exception | None = None) -> None:
        self.holds = holds
        self.error = error or MemoryError("std::bad_alloc")
        self.sizes: list[int] = []

    def __call__(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        size = len(batch) * max(map(len, batch))
        self.sizes.append(size)
        if size > self.holds:
            raise self.error
        before = sum(cache or [])
        rows = [
            (before + np.cumsum(ids))[asked][:, None].astype(np.float32)
            for ids, asked in zip(batch, wanted, strict=True)
        ]
        return rows, [*(cache or []), *batch[0]] if keep else None


def work(count: int, width: int) -> tuple[list[list[int]], list[Any]]:
    draw = np.random.default_rng(count)
    batch = [draw.integers(0, 9, width - number % 3).tolist() for number in range(count)]
    return batch, [np.asarray([0, len(ids) // 2, len(ids) - 1]) for ids in batch]


@pytest.mark.parametrize(("count", "width"), [(1, 500), (8, 60), (3, 200), (1, 17)])
@pytest.mark.parametrize("holds", [20, 64, 10_000])
def test_rows_and_cache_are_the_same_in_however_many_parts(count: int, width: int, holds: int) -> None:
    batch, wanted = work(count, width)
    expected, _ = Small(10_000)(batch, wanted, [3, 4], keep=False)
    room, keep = PassRoom(), count == 1
    rows, after = pass_room.run(Small(holds), room, batch, wanted, [3, 4], keep=keep)
    for one, other in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert after == ([3, 4, *batch[0]] if keep else None)
    assert (room.halved > 0) == (holds < count * width)
    assert bool(pass_room.notes(room, PassBudget())) == (room.halved > 0)


def test_what_was_learnt_holds_for_the_next_pass() -> None:
    small, room = Small(100), PassRoom()
    pass_room.run(small, room, *work(4, 100), None, keep=False)
    assert room.tokens is not None
    assert room.tokens <= 100
    halved, seen = room.halved, len(small.sizes)
    pass_room.run(small, room, *work(4, 100), None, keep=False)
    assert room.halved == halved
    assert max(small.sizes[seen:]) <= 100
    assert pass_room.notes(room, PassBudget())[0].code == "smaller-passes"
    assert f"at most {room.tokens} tokens" in pass_room.notes(room, PassBudget())[0].text


def test_what_does_not_fit_at_all_is_raised_and_so_is_every_other_error() -> None:
    small, room = Small(3), PassRoom()
    with pytest.raises(MemoryError):
        pass_room.run(small, room, *work(2, 100), None, keep=False)
    assert small.sizes[-1] <= FLOOR
    broken = Small(0, HarnessError("the model is broken"))
    with pytest.raises(HarnessError, match="broken"):
        pass_room.run(broken, PassRoom(), *work(2, 100), None, keep=False)
    assert len(broken.sizes) == 1


def test_a_sequence_that_has_to_stay_whole_is_not_cut() -> None:
    small = Small(50)
    with pytest.raises(MemoryError):
        pass_room.run(small, PassRoom(), *work(1, 100), None, keep=False, in_one=True)
    assert small.sizes == [100]


def test_words_of_the_runtime_count_as_memory_that_ran_out() -> None:
    error = HarnessError(
        "onnxruntime failed while scoring 4 x 100 tokens: Failed to allocate memory for requested buffer of size 1"
    )
    room = PassRoom()
    pass_room.run(Small(200, error), room, *work(4, 100), None, keep=False)
    assert room.halved == 1
