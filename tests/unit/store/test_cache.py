"""What is known: sealed artifacts, quality that counts, and how long jobs took."""

from __future__ import annotations

from harness.store.database import Database
from tests.unit.store.outcomes import CONTENT, H200, built, environment, failed, measured


def test_known_artifacts_are_those_that_were_sealed_last(database: Database) -> None:
    database.ingest(built(2, content="b" * 64), None)
    database.ingest(built(1, content="a" * 64), None)
    assert database.known_artifacts() == {"b-0123456789ab": "b" * 64}


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
