"""What is known: sealed artifacts, quality that counts, and how long jobs took."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from harness.core.outcome import Outcome
from harness.core.spec import Status
from harness.store import files, samples
from harness.store.database import Database
from harness.store.mark import RunMark
from tests.unit.store.outcomes import CONTENT, H200, built, environment, failed, measured, with_array, write_run


def test_known_artifacts_are_those_that_were_sealed_last(database: Database) -> None:
    database.ingest(built(2, content="b" * 64), None)
    database.ingest(built(1, content="a" * 64), None)
    assert database.known_artifacts() == {"b-0123456789ab": "b" * 64}


def test_makers_of_an_artifact_are_all_that_sealed_it_in_order_also_those_that_do_not_count(
    database: Database, tmp_path: Path
) -> None:
    outcomes = [built(number, environment=environment(f"place-{number}")) for number in (2, 1, 3)]
    outcomes.append(built(4, artifact=None, measurements=(), status=Status.FAILED, reason="it broke"))
    for outcome in outcomes:
        folder = write_run(tmp_path, outcome)
        if outcome.job.run in {"run-000002", "run-000004"}:
            files.write_mark(folder, RunMark(void="a bad disk"))
    database.ingest_folder(tmp_path)
    assert {*database.marked.all()} == {"run-000002", "run-000004"}
    made = database.makers()["b-0123456789ab"]
    assert [one.environment for one in made] == ["place-1", "place-2", "place-3"]
    assert made[0].moment == "2026-01-31T12:00:01+00:00"
    assert made[0].machine == "f00dfeed"


def test_known_quality_carries_what_decides_whether_it_counts(database: Database) -> None:
    key = measured(1).job.key
    database.ingest(measured(1, kind="quality", place=environment(torch="2.13.0")), None)
    database.ingest(measured(2, kind="quality", place=environment("cuda", (H200,)), provider="cuda"), None)
    database.ingest(failed(3, kind="quality"), None)
    database.ingest(measured(4, kind="quality", origin="reported"), None)
    found = database.known_quality([key, "f" * 64])
    assert list(found) == [key]
    latest, earlier = found[key]
    assert (latest.run, latest.provider, latest.gpu) == ("run-000002", "cuda", "NVIDIA H200")
    assert (earlier.provider, earlier.gpu, earlier.packages) == ("cpu", None, {"torch": "2.13.0"})
    assert earlier.artifact_content == CONTENT
    assert earlier.inputs == {"artifact": CONTENT}


def test_speed_is_never_known(database: Database) -> None:
    database.ingest(measured(1), None)
    assert database.known_quality([measured(1).job.key]) == {}


def test_history_estimates_by_key_and_else_by_likeness(database: Database) -> None:
    for number, seconds in enumerate((1.0, 5.0, 2.0)):
        database.ingest(measured(number, seconds=seconds), None)
    database.ingest(measured(5, seconds=100.0, workload={"batch": 2}), None)
    database.ingest(failed(6, seconds=1000.0), None)
    database.ingest(built(7), None)
    history = database.history()
    assert history.seconds(measured(1).job.key) == 2.0
    shape = ("speed", "made_up", "ort-genai", "tiny")
    assert history.seconds("unknown", shape) == 3.5
    assert history.seconds("unknown", ("build", "ort-genai", "", "tiny")) == 20.25
    assert history.seconds("unknown") is None


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_a_job_has_failed_at_last_where_its_last_session_says_so_whatever_the_sessions_are_called(
    database: Database, first: str, second: str
) -> None:
    key, place = measured(1).job.key, measured(1).job.environment
    database.ingest(in_session(failed(1), first), None)
    assert database.failed_at_last([key]) == {(key, place)}
    database.ingest(in_session(measured(2), second), None)
    assert database.failed_at_last([key]) == set()


def in_session(outcome: Outcome, session: str) -> Outcome:
    return outcome.model_copy(update={"job": outcome.job.model_copy(update={"session": session})})


def test_what_a_run_used_is_told_by_the_content_of_all_that_it_read_and_made(database: Database) -> None:
    database.ingest(measured(1), None)
    database.ingest(built(2, content="b" * 64), None)
    uses = {one.run: one for one in database.uses()}
    assert uses[measured(1).job.run].contents == {CONTENT}
    assert "b" * 64 in uses[built(2).job.run].contents


def test_what_is_stored_of_a_run_is_its_own_arrays_alone(database: Database, tmp_path: Path) -> None:
    for number in (1, 2):
        outcome = with_array(number, f"steps_{number}", np.arange(4.0) + number)
        database.ingest(outcome, write_run(tmp_path, outcome, **{f"steps_{number}": np.arange(4.0) + number}))
    with database._reading() as connection:
        for number in (1, 2):
            assert [one.name for one in samples.stored(connection, measured(number).job.run)] == [f"steps_{number}"]


def test_a_database_file_keeps_what_its_planner_needs_to_know(tmp_path: Path) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_all([measured(number) for number in range(30)])
    with sqlite3.connect(tmp_path / "bench.db") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0]
