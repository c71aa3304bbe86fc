from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.plan.jobs import Plan
from harness.runner.loop import execute
from harness.runner.opened import Event
from harness.runner.session import begin
from harness.store import files
from tests.fake_machine import Bench, Say


def _what(events: list[Event]) -> Counter[str]:
    return Counter(event.what for event in events if event.what not in {"begin", "progress"})


def _became(events: list[Event]) -> dict[str, str]:
    return {
        f"{event.job.labels[0].method} {getattr(event.job.spec, 'probe', 'build')}": event.status or event.what
        for event in events
        if event.job and event.what in {"done", "blocked", "refused", "known"}
    }


def test_a_sweep_builds_and_measures_everything_once(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])
    events = bench.run()
    assert _what(events) == {"session": 1, "done": 6, "finished": 1}
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
    assert _what(events) == {"session": 1, "done": 2, "known": 4, "finished": 1}
    assert {event.job.kind for event in events if event.what == "done" and event.job} == {"speed"}
    assert len(bench.frame({"metric": "decode_tps"})) == 2 * before


@pytest.mark.parametrize(("method", "status", "reason"), [
    ("broken", "failed", "asked to"),
    ("greedy", "oom", "no memory"),
    ("deadly", "failed", "signal 9"),
])  # fmt: skip
def test_a_failed_build_blocks_only_its_users(bench: Bench, method: str, status: str, reason: str) -> None:
    bench.sweep(method=["fp32", method])
    became = _became(bench.run())
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
    became = _became(bench.run())
    assert became["fp32 kl_reference"] == "failed"
    assert became["fp32 kl_divergence"] == "failed"
    reason = bench.frame({"status": "failed", "probe": "kl_divergence"}, ["reason"])["reason"].iloc[0]
    assert "failed because it was asked to" in reason


def test_a_hanging_job_becomes_a_timeout(bench: Bench) -> None:
    bench.sweep(method=["stuck"], timeout=2)
    became = _became(bench.run())
    assert became["stuck build"] == "timeout"
    assert bench.frame({"status": "timeout"}, ["reason"])["reason"].iloc[0] == (
        "took longer than its time limit of 2 s; `timeout` in the sweep allows more"
    )


def test_failures_are_tried_again_by_the_next_command(bench: Bench) -> None:
    bench.sweep(method=["broken"])
    bench.run()
    assert _became(bench.run())["broken build"] == "failed"
    assert len(bench.frame({"status": "failed", "kind": "build"})) == 2


def test_a_deleted_artifact_is_built_again_when_something_needs_it(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    shutil.rmtree(bench.results / "artifacts")
    events = bench.run()
    assert _became(events) == {"fp32 build": "ok", "fp32 perplexity": "known", "fp32 generation": "ok"}


def test_an_artifact_changed_since_it_was_sealed_is_not_measured(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    weights = next((bench.results / "artifacts").glob("*/weights.bin"))
    weights.write_bytes(b"tampered")
    became = _became(bench.run())
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


def test_an_interrupted_session_is_continued(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"])

    class Stop(Exception):
        pass

    def stop(event: Event) -> None:
        if event.what == "done" and event.job and event.job.kind == "speed":
            raise Stop

    with pytest.raises(Stop):
        bench.run(stop)
    events = bench.run()
    assert events[0].status == "resumed"
    frame = bench.frame({"metric": "decode_tps"})
    assert len(frame) == 2
    assert frame["session"].nunique() == 1


def test_a_session_names_the_run_that_answers_each_job(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    record: dict[str, Any] = json.loads(next((bench.results / "sessions").glob("*.json")).read_text("utf-8"))
    assert record["finished"]
    assert all((bench.results / "runs" / job["run"]).is_dir() for job in record["jobs"])


def test_a_round_after_a_failed_one_has_no_run_and_what_ran_is_published(bench: Bench, say: Say) -> None:
    probes = {"generation": {"batch": [1, 2], "prompt": 8, "output": 4, "warmup": 0, "repetitions": 1}}
    bench.sweep(method="fp32", engine={"fake": {"fail": "long"}}, rounds=3, probes=probes)
    assert say(bench, "run", "s").code == 1
    path = next((bench.results / "sessions").glob("*.json"))
    for _ in range(2):
        jobs = [job for job in files.read_session(path).jobs if job.kind == "speed"]
        assert sorted((job.stopped or "", bool(job.run)) for job in jobs) == [
            *[("", True)] * 4, *[("round 1 came to failed", False)] * 2,
        ]  # fmt: skip
        said = say(bench, "publish", "s", "--unverified", "--to", str(bench.results / "s.yaml"))
        assert (said.code, said.err) == (0, "")
        raw = json.loads(path.read_text("utf-8"))  # as 0.1 wrote it
        for job in raw["jobs"]:
            job["run"] = job["run"] or job.pop("stopped", None)
        path.write_text(json.dumps(raw), "utf-8")


def test_names_of_sessions_sort_by_time_within_a_second(tmp_path: Path) -> None:
    names = []
    for place, microsecond in enumerate((1, 70_000, 999_999)):
        moment = datetime(2026, 1, 31, 12, 0, 0, microsecond, tzinfo=UTC)
        names.append(begin(tmp_path, Plan(sweep=f"s{place}", jobs=()), moment)[0].session)
    assert names == sorted(names)
    assert all(name.startswith("20260131T120000-") for name in names)


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
    from harness.runner.known_jobs import remember

    bench.sweep(method=["fp32"])
    with bench.opened() as (planned, opened):
        memory = remember(opened, planned.plan)
        assert {decide(job, memory)[1] for job in planned.plan.jobs} == {
            "never made here", "never measured", "speed is always measured anew",
        }  # fmt: skip


def test_every_second_of_a_run_is_accounted_for(bench: Bench) -> None:
    import time

    bench.sweep(method=["fp32", "int8"])
    with bench.opened() as (planned, opened):
        begun = time.monotonic()
        last = list(execute(planned.plan, opened))[-1]
        wall = time.monotonic() - begun
    assert sum(last.spans.values()) == pytest.approx(wall, rel=0.05)


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


def test_a_clock_that_is_set_back_between_rounds_restarts_nothing_and_loses_no_round(bench: Bench) -> None:
    """The runs of the first rounds are dated two hours ahead of those that follow, as after a clock was corrected."""
    bench.sweep(
        method="fp32", rounds=5, precision=None, probes={"generation": {"prompt": 8, "output": 8, "repetitions": 1}}
    )

    class Stop(Exception):
        pass

    def stop(event: Event) -> None:
        if event.what == "done" and event.job and event.job.round == 1:
            raise Stop

    with pytest.raises(Stop):
        bench.run(stop)
    for path in (bench.results / "runs").glob("*-s-*/outcome.json"):
        outcome = json.loads(path.read_text("utf-8"))
        outcome["started"] = (datetime.fromisoformat(outcome["started"]) + timedelta(hours=2)).isoformat()
        path.write_text(json.dumps(outcome), "utf-8")
    for file in bench.results.glob("bench.db*"):
        file.unlink()
    events = bench.run()
    assert events[0].status == "resumed"
    assert sum(event.what == "known" and event.job is not None and event.job.kind == "speed" for event in events) == 2
    rows = bench.frame(
        {"metric": "decode_tps"}, ["round", "session", "run", "started", "counts_from", "notes"]
    ).sort_values("round")
    assert rows["round"].tolist() == [0, 1, 2, 3, 4]
    assert rows["session"].nunique() == 1
    assert rows["started"].tolist() != sorted(rows["started"]), "the clock was set back"
    assert rows["counts_from"].tolist() == sorted(rows["counts_from"]), "a later round counts as later"
    assert [str(said).count("the clock stood at") for said in rows["notes"]] == [0, 0, 1, 1, 1], "and says why"


# ---------------------------------------------------------------- nothing waits without end


def test_a_job_that_is_silent_for_long_is_told_of_with_the_end_of_its_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.runner import flight

    monkeypatch.setattr(flight, "QUIET_SECONDS", 1.0)
    bench.sweep(method=["stuck"], timeout=4)
    events = bench.run()
    quiet = [event for event in events if event.what == "quiet"]
    assert len(quiet) >= 2, "and again after each further such time"
    assert quiet[0].text.startswith("nothing heard for 0.0166667 min, 0 min after it began; its log")
    assert _became(events)["stuck build"] == "timeout"


def test_whoever_asks_on_standard_input_gets_nothing_and_none_of_our_lines(bench: Bench) -> None:
    bench.methods({"asks": {"recipes": {"fake": {"fail": "ask"}}}, "fp32": {"recipes": {"fake": {}}}})
    bench.sweep(method=["asks", "fp32"], timeout=60)
    became = _became(bench.run())
    assert became["asks build"] == "failed"
    assert became["fp32 build"] == "ok", "the lines after it are still ours"
    assert "EOF" in bench.frame({"method": "asks", "kind": "build"}, ["reason"])["reason"].iloc[0]


def test_without_a_time_limit_a_job_may_take_many_times_what_it_took_before() -> None:
    from harness.runner.records import LEAST_LIMIT, LONGEST, TIMES_USUAL, limit_of

    assert limit_of(None, None) == LONGEST
    assert limit_of(None, 10.0) == LEAST_LIMIT
    assert limit_of(None, 1000.0) == 1000.0 * TIMES_USUAL
    assert limit_of(7.0, 1000.0) == 7.0
    assert limit_of(math.inf, 1000.0) is None, "timeout: null"


def test_the_limit_by_history_reaches_the_worker(bench: Bench) -> None:
    from harness.runner.records import LONGEST

    bench.sweep(method=["fp32"])
    bench.run()
    jobs = [json.loads(path.read_text("utf-8")) for path in bench.results.glob("runs/*/job.json")]
    assert {job["timeout_seconds"] for job in jobs} == {LONGEST}
    bench.run()
    again = [json.loads(path.read_text("utf-8")) for path in bench.results.glob("runs/*-s-*/job.json")]
    assert {job["timeout_seconds"] for job in again} == {LONGEST, 3600.0}


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


@pytest.mark.parametrize("kept", [True, False], ids=["to the end", "for a while"])
def test_a_database_that_another_process_writes_ends_no_sweep_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    from harness.store import opening
    from harness.store.database import Database

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32", "int8"])
    events = []
    with bench.opened() as (planned, opened):
        holder = sqlite3.connect(bench.results / "bench.db", isolation_level=None, timeout=5)
        for event in execute(planned.plan, opened):
            events.append(event)
            if event.what == "session":
                holder.execute("BEGIN IMMEDIATE")
            if event.what == "done" and event.done == 4 and not kept:
                holder.execute("ROLLBACK")
    told = [event.text for event in events if event.what == "waiting" and "not in the database" in event.text]
    assert {event.status for event in events if event.what == "done"} == {"ok"}
    assert len(told) == kept
    if kept:
        assert told[0].startswith("6 outcomes are on disk and not in the database")
        holder.execute("ROLLBACK")
        with Database.open(bench.results / "bench.db") as database:
            database.ingest_folder(bench.results)
    holder.close()
    rows = bench.frame({}, ["run"])
    assert rows["run"].nunique() == len(list(bench.results.glob("runs/*/outcome.json"))) == 6


def test_a_database_that_is_held_as_a_sweep_begins_does_not_end_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import opening

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32"])
    bench.run()
    bench.sweep(method=["fp32", "int8"])
    events = []
    with bench.opened() as (planned, opened), held(bench) as holder:
        for event in execute(planned.plan, opened):
            events.append(event)
            if event.what == "done" and event.done == event.total:
                holder.execute("ROLLBACK")
    assert "the sweep goes on" in events[0].text
    assert {event.status for event in events if event.what == "done"} == {"ok"}
    rows = bench.frame({}, ["run"])
    assert set(rows["run"]) == {path.parent.name for path in bench.results.glob("runs/*/outcome.json")}
    with closing(sqlite3.connect(bench.results / "bench.db")) as database:
        assert database.execute("SELECT count(*) FROM session").fetchone() == (2,)


def test_what_an_earlier_command_measured_is_waited_for_and_not_measured_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import opening

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32"])
    bench.run()
    (done,) = bench.results.glob("runs/*-q-*")
    left = bench.results / "runs" / "20990101T000000-q-left"
    shutil.copytree(done, left)
    outcome = json.loads((left / "outcome.json").read_text("utf-8"))
    outcome["job"]["run"] = left.name
    (left / "outcome.json").write_text(json.dumps(outcome), "utf-8")
    with (
        bench.opened() as (planned, opened),
        held(bench),
        pytest.raises(HarnessError, match="another process has been using"),
    ):
        list(execute(planned.plan, opened))


@contextmanager
def held(bench: Bench) -> Iterator[sqlite3.Connection]:
    """Hold a database as a browser does that is about to write."""
    with closing(sqlite3.connect(bench.results / "bench.db", isolation_level=None, timeout=5)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder


def test_a_link_in_what_a_build_left_is_refused(bench: Bench) -> None:
    bench.methods({"linked": {"recipes": {"fake": {"fail": "link"}}}})
    bench.sweep(method=["linked"])
    assert _became(bench.run())["linked build"] == "failed"
    (reason,) = set(bench.frame({"kind": "build"}, ["reason"])["reason"])
    assert "elsewhere is a link, and what it points to could change or go" in reason
    assert not list(bench.results.glob("artifacts/b-*"))


def test_a_path_may_hold_anything(tmp_path: Path) -> None:
    root = tmp_path / 'a\nb "c" ü'
    root.mkdir()
    bench = Bench(root)
    bench.sweep(method=["fp32"])
    assert set(_became(bench.run()).values()) == {"ok"}
