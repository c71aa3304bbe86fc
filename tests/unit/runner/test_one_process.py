"""Workloads of one artifact and round share a process."""

from __future__ import annotations

import json
from typing import Any

from tests.fake_machine import Bench

WORKLOADS = {"generation": {"batch": [2, 1], "prompt": 8, "output": 4, "warmup": 0, "repetitions": 1}}


def _outcomes(bench: Bench) -> list[dict[str, Any]]:
    """Read the outcomes of all speed jobs, in the order in which they ran."""
    found = [json.loads(path.read_text("utf-8")) for path in (bench.results / "runs").glob("*/outcome.json")]
    return sorted((one for one in found if one["job"]["kind"] == "speed"), key=lambda one: one["job"]["order"])


def test_one_process_opens_an_artifact_once_and_measures_all_workloads_of_its_round(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"], rounds=3, probes=WORKLOADS)
    bench.run()
    speed = _outcomes(bench)
    assert len(speed) == 3 * 2 * 2
    assert sum("open" in one["spans"] for one in speed) == 3 * 2, "a fresh process for each method and round"
    assert [one["job"]["spec"]["workload"].get("batch", 1) for one in speed] == [1, 2] * 6, "smallest first"
    for one in speed:
        found = {item["metric"]: item["value"] for item in one["measurements"]}
        assert 0 <= found["peak_rss_increment_bytes"] < found["peak_rss_bytes"] / 2, "libraries are no part of it"
    assert [one["job"]["round"] for one in speed] == sorted(one["job"]["round"] for one in speed)


def test_what_stands_behind_a_failed_workload_gets_a_fresh_process_and_later_rounds_leave_it_out(bench: Bench) -> None:
    probes = {"generation": {**WORKLOADS["generation"], "protocol": ["genai-e2e-0.9", "genai-e2e-0.9-sampling"]}}
    bench.sweep(method="fp32", rounds=3, probes=probes, engine={"fake": {"fail": "long"}})
    events = bench.run()
    speed = _outcomes(bench)
    failed = [one for one in speed if one["status"] == "failed"]
    assert {one["job"]["spec"]["workload"]["batch"] for one in failed} == {2}
    assert len(failed) == 2, "each protocol's job with batch 2, once"
    assert sum(one["status"] == "ok" for one in speed) == 3 * 2
    assert [event.text for event in events if event.what == "skipped"] == ["round 1 came to failed"] * 4
    assert sum("open" in one["spans"] for one in speed) == 3 + 1, "one more process, behind the first failure"
