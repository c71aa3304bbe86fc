"""Two workers of this machine at once, where local.yaml says that it has room: real processes, and the results of one after another."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fake_machine import Bench


def spans(bench: Bench) -> list[tuple[str, datetime, datetime]]:
    """Kind, begin and end of every job."""
    found = []
    for path in bench.results.glob("runs/*/outcome.json"):
        outcome = json.loads(path.read_text("utf-8"))
        begun = datetime.fromisoformat(outcome["started"])
        found.append((outcome["job"]["kind"], begun, begun + timedelta(seconds=outcome["seconds"])))
    return found


def together(one: tuple[str, datetime, datetime], two: tuple[str, datetime, datetime]) -> bool:
    return one is not two and one[1] < two[2] and two[1] < one[2]


def values(bench: Bench) -> list[Any]:
    frame = bench.frame({"status": "ok", "kind": "quality"}, ["job_key", "metric", "slice", "value", "n"])
    return sorted(tuple(row) for row in frame.itertuples(index=False))


@pytest.mark.slow
def test_two_slots_score_side_by_side_build_and_time_alone_and_find_what_one_finds(
    bench: Bench, tmp_path: Path
) -> None:
    other = Bench(tmp_path / "other")
    for one in (bench, other):
        one.sweep(method=["fp32", "int8", "int4"], engine={"fake": {"open_seconds": 4.0}}, rounds=1)
    (other.configs / "local.yaml").write_text("slots: 2\n", "utf-8")
    bench.run()
    other.run()
    found = spans(other)
    assert len(found) == 9
    pairs = [(one[0], two[0]) for one in found for two in found if together(one, two)]
    assert ("quality", "quality") in pairs
    assert set(pairs) == {("quality", "quality")}, "what is timed runs beside nothing"
    serial = spans(bench)
    assert not any(together(one, two) for one in serial for two in serial)
    assert values(bench) == values(other) != []
