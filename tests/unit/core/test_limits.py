"""Parts of a value, written out."""

from __future__ import annotations

from typing import Any

from harness.core import limits
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


def test_limits_are_those_that_were_agreed_on() -> None:
    """Written down a second time, so that none moves unseen."""
    found = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert found == {
        "YAML_BYTES": 8 * 10**6, "READ_BYTES": 2 * 10**9, "YAML_DEPTH": 60, "YAML_PARTS": 3 * 10**5, "PUBLISHED_PARTS": 5 * 10**7,
        "DIGITS": 60, "MISTAKES": 100, "JOBS": 10**5, "BROUGHT_BYTES": 5 * 10**10,
    }  # fmt: skip


def test_what_contains_itself_counts_as_one_more_than_the_most_for_each_time() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert parts_of(endless, 10) == 1 + 1 + 11  # itself, its key, and what it refers to
