"""The loop: what a sweep builds and measures, what blocks what, and what is known."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.runner.loop import execute
from tests.fake_machine import Bench
from tests.unit.runner.events import counted, states_of


def test_a_sweep_builds_and_measures_everything_once(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    events = bench.run()
    assert counted(events) == {"session": 1, "done": 6, "finished": 1}
    frame = bench.frame()
    assert set(frame["status"]) == {"ok"}
    assert {"perplexity", "decode_tps", "artifact_bytes", "build_seconds"} <= set(frame["metric"])
    sizes = frame[frame.metric == "artifact_bytes"].set_index("method")["value"]
    assert sizes["fp32"] > sizes["int8"]


def test_a_second_run_rebuilds_nothing_and_measures_only_speed(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    bench.run()
    before = len(bench.frame({"metric": "decode_tps"}))
    events = bench.run()
    assert counted(events) == {"session": 1, "done": 2, "known": 4, "finished": 1}
    assert {event.job.kind for event in events if event.what == "done" and event.job} == {"speed"}
    assert len(bench.frame({"metric": "decode_tps"})) == 2 * before


@pytest.mark.parametrize(("method", "status", "reason"), [
    ("broken", "failed", "asked to"),
    ("greedy", "oom", "no memory"),
    ("deadly", "failed", "signal 9"),
])  # fmt: skip
def test_a_failed_build_blocks_only_its_users(bench: Bench, method: str, status: str, reason: str) -> None:
    bench.sweep(method=["fp32", method])
    became = states_of(bench.run())
    assert became[f"{method} build"] == status
    assert became[f"{method} perplexity"] == became[f"{method} generation"] == "failed"
    assert became["fp32 perplexity"] == became["fp32 generation"] == "ok"
    rows = bench.frame({"method": method}, ["status", "reason"])
    assert len(rows) == (4 if method == "deadly" else 3), "a dead worker is on record, and its job tried once more"
    assert rows["reason"].str.contains(reason).all()


def test_a_failed_reference_blocks_its_users_with_its_reason(bench: Bench) -> None:
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    bench.sweep(
        method=["fp32"],
        engine={"fake": {"fail": "error"}},
        probes={"kl_divergence": {**text, "form": "stored", "reference": {"method": "fp32"}}},
    )
    became = states_of(bench.run())
    assert became["fp32 kl_reference"] == "failed"
    assert became["fp32 kl_divergence"] == "failed"
    reason = bench.frame({"status": "failed", "probe": "kl_divergence"}, ["reason"])["reason"].iloc[0]
    assert "failed because it was asked to" in reason


def test_failures_are_tried_again_by_the_next_command(bench: Bench) -> None:
    bench.sweep(method=["broken"])
    bench.run()
    assert states_of(bench.run())["broken build"] == "failed"
    assert len(bench.frame({"status": "failed", "kind": "build"})) == 2


def test_a_deleted_artifact_is_built_again_when_something_needs_it(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    shutil.rmtree(bench.results / "artifacts")
    events = bench.run()
    assert states_of(events) == {"fp32 build": "ok", "fp32 perplexity": "known", "fp32 generation": "ok"}


def test_an_artifact_changed_since_it_was_sealed_is_not_measured(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    weights = next((bench.results / "artifacts").glob("*/weights.bin"))
    weights.write_bytes(b"tampered")
    became = states_of(bench.run())
    assert became["fp32 generation"] == "failed"
    assert "is not what was sealed" in bench.frame({"status": "failed"}, ["reason"])["reason"].iloc[0]


def test_the_database_can_be_rebuilt_from_the_run_folders(bench: Bench) -> None:
    bench.sweep(method=["fp32", "broken"])
    bench.run()
    before = bench.frame()
    for file in bench.results.glob("bench.db*"):
        file.unlink()
    with bench.opened() as (_, opened):
        opened.database.ingest_folder(bench.results)
    after = bench.frame()
    assert after.drop(columns="measurement_id").equals(before.drop(columns="measurement_id"))


def test_two_commands_on_one_results_folder_are_refused(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    with bench.opened() as (planned, opened):
        first = execute(planned.plan, opened)
        next(first)
        with pytest.raises(HarnessError, match="another command is running"):
            next(execute(planned.plan, opened))
        first.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_results_folder_is_named(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.results.mkdir()
    bench.results.chmod(0o500)
    with pytest.raises(HarnessError, match="results"):
        bench.run()


def test_a_known_build_is_answered_by_the_run_that_sealed_it(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    shutil.rmtree(bench.results / "artifacts")
    bench.sweep(
        method=["fp32"], probes={"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}}
    )
    bench.run()  # skips the build, which nothing needs
    last = max((bench.results / "sessions").glob("*.json"))
    record: dict[str, Any] = json.loads(last.read_text("utf-8"))
    assert [job["kind"] for job in record["jobs"]] == ["build", "quality"]
    assert all((bench.results / "runs" / job["run"]).is_dir() for job in record["jobs"])


def test_what_is_known_says_why_it_is_not(bench: Bench) -> None:
    from harness.runner.decide import decide
    from harness.runner.job_memory import remember

    bench.sweep(method=["fp32"])
    with bench.opened() as (planned, opened):
        memory = remember(opened, planned.plan)
        assert {decide(job, memory)[1] for job in planned.plan.jobs} == {
            "never made here", "never measured", "speed is always measured anew",
        }  # fmt: skip


@pytest.mark.alone
def test_every_second_of_a_run_is_accounted_for(bench: Bench) -> None:
    import time

    bench.sweep(method=["fp32", "int8"])
    with bench.opened() as (planned, opened):
        begun = time.monotonic()
        last = list(execute(planned.plan, opened))[-1]
        wall = time.monotonic() - begun
    assert sum(last.spans.values()) == pytest.approx(wall, rel=0.05, abs=0.5)


def test_a_worker_serves_run_folders_of_a_file_without_a_runner(bench: Bench, tmp_path: Path) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    folders = []
    for path in sorted(bench.results.glob("runs/*-q-*")):
        job = json.loads((path / "job.json").read_text("utf-8"))
        outcome = json.loads((path / "outcome.json").read_text("utf-8"))
        copy = tmp_path / path.name
        copy.mkdir()
        for item in job["inputs"]:
            item["path"] = str(bench.results / "artifacts" / f"b-{item['id'][:12]}")
        (copy / "job.json").write_text(json.dumps(job), "utf-8")
        folders.append((copy, outcome["measurements"]))
    (tmp_path / "folders.txt").write_text("".join(f"{folder}\n" for folder, _ in folders), "utf-8")
    words = [sys.executable, "-m", "harness.worker", "here", "--folders", str(tmp_path / "folders.txt")]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    assert ran.returncode == 0, ran.stderr
    for folder, measured in folders:
        made = json.loads((folder / "outcome.json").read_text("utf-8"))
        assert [one["value"] for one in made["measurements"]] == [one["value"] for one in measured]
        assert not (folder / "heartbeat").exists(), "it is over"
        said = [json.loads(line) for line in (folder / "answers.jsonl").read_text("utf-8").splitlines()]
        assert [next(iter(one)) for one in said if "progress" not in one] == ["begin", "done"]


def test_a_link_in_what_a_build_left_is_refused(bench: Bench) -> None:
    bench.methods({"linked": {"recipes": {"fake": {"fail": "link"}}}})
    bench.sweep(method=["linked"])
    assert states_of(bench.run())["linked build"] == "failed"
    (reason,) = set(bench.frame({"kind": "build"}, ["reason"])["reason"])
    assert "elsewhere is a link, and what it points to could change or go" in reason
    assert not list(bench.results.glob("artifacts/b-*"))


def test_a_path_may_hold_anything(tmp_path: Path) -> None:
    root = tmp_path / 'a\nb "c" ü'
    root.mkdir()
    bench = Bench(root)
    bench.sweep(method=["fp32"])
    assert set(states_of(bench.run()).values()) == {"ok"}
