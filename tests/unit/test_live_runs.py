"""What live comparisons that were run have to come to."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.benchmarks.live_runs import holds


@pytest.mark.parametrize(("counts", "good"), [
    ({"same": 10}, True), ({"same": 8, "cannot tell": 2}, True), ({"same": 7, "cannot tell": 3}, False), ({"cannot tell": 7, "no verdict": 3}, False),
    ({"same": 9, "worse": 1}, False), ({"same": 9, "better": 1}, False), ({"same": 9, "failed": 1}, False), ({}, False),
])  # fmt: skip
def test_a_tool_that_never_decides_holds_nothing(counts: dict[str, int], *, good: bool) -> None:
    assert holds(Counter(counts)) is good
