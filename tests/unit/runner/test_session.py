"""Sessions: continued, named in order, each job with the run that answers it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.plan.jobs import Plan
from harness.runner.opened import Event
from harness.runner.session import begin, drawn, write
from harness.store import files
from tests.fake_machine import Bench, Say
from tests.unit.runner.test_choosing import job


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
        for one in raw["jobs"]:
            one["run"] = one["run"] or one.pop("stopped", None)
        path.write_text(json.dumps(raw), "utf-8")


def test_names_of_sessions_sort_by_time_within_a_second(tmp_path: Path) -> None:
    names = []
    for place, microsecond in enumerate((1, 70_000, 999_999)):
        moment = datetime(2026, 1, 31, 12, 0, 0, microsecond, tzinfo=UTC)
        names.append(begin(tmp_path, Plan(sweep=f"s{place}", jobs=()), moment)[0].session)
    assert names == sorted(names)
    assert all(name.startswith("20260131T120000-") for name in names)


def test_rounds_that_their_sessions_name_draws_are_continued_by_that_name_and_drawn_anew_afterwards(
    tmp_path: Path,
) -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    asked: list[str] = []

    def planned(name: str) -> Plan:
        asked.append(name)
        return Plan("s", (job(f"j#{name}", "speed", "int4"),), chosen=frozenset({name}), live="a and b")

    plan, name = drawn(tmp_path, "s", planned, now)
    others = begin(tmp_path, Plan("s", (job("k", "speed", "int4"),), chosen=frozenset({"k"})), now)[0].session
    assert drawn(tmp_path, "s", planned, now)[1] not in {name, others}
    assert others not in asked, "nobody plans for sessions of other jobs"
    session, resumed = begin(tmp_path, plan, now, name=name)
    assert (session.session, resumed) == (name, False)
    assert drawn(tmp_path, "s", planned, now) == (plan, name)
    assert begin(tmp_path, plan, now, name=name) == (session, True)
    write(tmp_path, session.model_copy(update={"finished": now}))
    other, later = drawn(tmp_path, "s", planned, now)
    assert later != name
    assert other.digest != plan.digest
    assert begin(tmp_path, plan, now, name=name)[0].session != name, "no session takes another's place"


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
