"""Records of outcomes: what they refuse, and how a source is cited."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.core.outcome import Citation, Measurement, Protocol

NUMBER: dict[str, Any] = {"metric": "ttft", "value": 1.5, "unit": "s", "n": 1}


def test_a_measurement_says_only_what_it_was_given() -> None:
    found = Measurement(**NUMBER)
    assert (found.metric_version, found.slice, found.low, found.high, found.samples, found.baseline) == (
        1,
        "",
        None,
        None,
        (),
        {},
    )
    assert Measurement(**NUMBER, part="x").slice == "x"
    assert '"part":"x"' in Measurement(**NUMBER, slice="x").model_dump_json()
    protocol = Protocol(name="p")
    assert (protocol.version, protocol.skipped, protocol.truncated, protocol.beyond_trained, protocol.scored) == (
        1,
        0,
        0,
        0,
        None,
    )


@pytest.mark.parametrize(
    "other",
    [
        {"n": 0},
        {"value": float("nan")},
        {"low": float("inf")},
        {"samples": (float("nan"),)},
        {"unknown": 1},
        {"better": "more"},
    ],
)
def test_what_is_no_measurement_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Measurement(**{**NUMBER, **other})


@pytest.mark.parametrize(("given", "line"), [
    ({}, "Page"), ({"version": "v2", "url": "http://x"}, "Page, v2, http://x"), ({"sha256": "0123456789abcdef"}, "Page, sha256 0123456789ab"),
    ({"url": "http://x", "sha256": "f" * 64}, f"Page, http://x, sha256 {'f' * 12}"),
])  # fmt: skip
def test_a_source_is_cited_in_one_line(given: dict[str, str], line: str) -> None:
    assert Citation(title="Page", **given).line == line
