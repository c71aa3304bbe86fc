"""Parts of a value, written out."""

from __future__ import annotations

from typing import Any

from harness.core.limits import parts_of


def test_every_value_and_key_is_a_part() -> None:
    assert parts_of(1, 100) == 1
    assert parts_of([1, 2], 100) == 3
    assert parts_of({"a": [1, 2], "b": 3}, 100) == 7


def test_what_is_referred_to_twice_counts_twice() -> None:
    once = [1, 2, 3]
    assert parts_of([once, once], 100) == 9


def test_what_contains_itself_counts_as_more_than_the_most() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert parts_of(endless, 100) > 100
