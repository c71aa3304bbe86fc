"""Two ways of measuring one thing agree, differ, or the machine lets nothing be said."""

from __future__ import annotations

import pytest

from tests.benchmarks.agreement import told

EVEN = [100.0, 101.0, 99.0, 100.0, 100.5, 99.7]


@pytest.mark.parametrize(("other", "agree", "said"), [
    ([100.2, 100.9, 99.1, 100.3, 100.1, 99.9], True, "agrees"),
    ([90.2, 90.9, 89.1, 90.3, 90.1, 89.9], False, "differs"),
    ([20.0, 400.0, 60.0, 150.0, 90.0, 300.0], False, "the machine is too restless"),
    ([100.0], False, "without an interval"),
])  # fmt: skip
def test_two_sides_agree_where_a_sharp_interval_holds_one(
    other: list[float], agree: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told("decode", "tokens/s", EVEN[: len(other)], other) == agree
    assert said in capsys.readouterr().out
