"""Rows of the frame, and the filters that choose them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.spec import Labels, Status
from harness.store import frame as frames
from harness.store.database import Database
from tests.unit.store.outcomes import BEGIN, CONTENT, H200, environment, failed, measured, measurement, session


def test_a_measurement_is_one_row_with_all_its_dimensions(database: Database) -> None:
    place = environment("cuda", (H200, H200))
    outcome = measured(1, place=place, workload={"batch": 4, "prompt": 128, "text": "reference", "task": ["a", "b"]})
    database.ingest(outcome, None)
    frame = database.frame()
    assert len(frame) == 1
    assert list(frame.columns) == list(frames.COLUMNS)
    row = frame.iloc[0].to_dict()
    wanted: dict[str, Any] = {
        "run": "run-000001",
        "job_key": outcome.job.key,
        "started": pd.Timestamp(outcome.started),
        "counts_from": pd.Timestamp(outcome.started),
        "status": "ok",
        "environment": "cuda",
        "gpu": "NVIDIA H200",
        "driver": "570.1",
        "cores": 2.0,
        "sweep": "quickstart",
        "method": "int4_rtn",
        "reference": "",
        "engine_options": '{"provider":"cpu","provider_options":{},"threads":null}',
        "batch": 4.0,
        "text": "reference",
        "task": '["a","b"]',
        "artifact": "b-0123456789ab",
        "artifact_content": CONTENT,
        "metric": "decode_tps",
        "value": 100.0,
        "bos": True,
        "warmups": 1.0,
        "measurement_id": "run-000001#0",
    }
    assert {name: row[name] for name in wanted} == wanted
    for name in ("reason", "source", "low", "output", "scored"):
        assert pd.isna(row[name]), name
    assert database.environments()[row["environment_id"]] == place


def test_a_run_that_is_not_ok_is_one_row_without_metric(database: Database) -> None:
    for number, status in enumerate(status for status in Status if status is not Status.OK):
        database.ingest(failed(number, status), None)
    frame = database.frame({"sweep": "quickstart"})
    assert frame["status"].tolist() == ["failed", "oom", "timeout", "unsupported"]
    assert frame["metric"].isna().all()
    assert set(frame["reason"]) == {"killed for memory"}


def test_a_filter_on_the_metric_leaves_failures_out_unless_it_asks_for_absence(database: Database) -> None:
    database.ingest(measured(1, (measurement(), measurement("ttft", 0.5))), None)
    database.ingest(failed(2), None)
    assert database.frame({"metric": "ttft"})["value"].tolist() == [0.5]
    assert len(database.frame({"metric": ["ttft", None]})) == 2
    assert len(database.frame({"metric": None})) == 1
    assert len(database.frame({"metric": []})) == 0
    assert len(database.frame({"status": "oom"})) == 1


def test_a_job_with_two_names_is_a_row_for_each_where_names_are_asked_for(database: Database) -> None:
    outcome = measured(1)
    database.ingest(outcome, None)
    database.place(session(outcome, labels=Labels(sweep="nightly", model="tiny")))
    database.place(session(outcome, labels=Labels(sweep="nightly", model="tiny")))
    assert database.frame(columns=["sweep"])["sweep"].tolist() == ["nightly", "quickstart"]
    assert len(database.frame(columns=["value"])) == 1
    assert len(database.frame({"sweep": "nightly"}, ["value"])) == 1
    assert len(database.frame({"sweep": ["nightly", "quickstart"]}, ["value"])) == 2


def test_a_placement_belongs_to_one_environment(database: Database) -> None:
    here, there = measured(1), measured(2, place=environment("latest"), labels=Labels(sweep="other"))
    assert here.job.key == there.job.key
    database.ingest(here, None)
    database.ingest(there, None)
    frame = database.frame(columns=["run", "environment", "sweep"])
    assert frame.values.tolist() == [["run-000001", "cpu", "quickstart"], ["run-000002", "latest", "other"]]


def test_labels_that_nobody_gave_are_empty(database: Database) -> None:
    bare = measured(1)
    bare = bare.model_copy(update={"job": bare.job.model_copy(update={"labels": Labels()})})
    database.ingest(bare, None)
    assert database.frame()["sweep"].tolist() == [""]
    for nothing in ("", None, ["", "quickstart"]):
        assert len(database.frame({"sweep": nothing})) == 1
    assert len(database.frame({"sweep": "quickstart"})) == 0


def test_filters_take_values_lists_and_absence(database: Database) -> None:
    database.ingest(measured(1, workload={"batch": 1}), None)
    database.ingest(measured(2, workload={"batch": 8, "limit": 5, "request_rate": 0.5}), None)
    assert database.frame({"batch": 8})["run"].tolist() == ["run-000002"]
    assert len(database.frame({"batch": [1, 8]})) == 2
    assert database.frame({"limit": None})["run"].tolist() == ["run-000001"]
    assert database.frame({"request_rate": [None, 0.5]})["run"].tolist() == ["run-000001", "run-000002"]
    assert len(database.frame({"bos": True})) == 2
    assert len(database.frame({"started": BEGIN})) == 0
    assert database.frame({"measurement_id": ["run-000001#0", "run-000009#0"]})["run"].tolist() == ["run-000001"]


@pytest.mark.parametrize(
    ("where", "columns", "said"),
    [
        ({"methd": "x"}, None, "unknown column 'methd'; did you mean 'method'"),
        ({}, ["sweeps"], "did you mean 'sweep'"),
        ({"batch": "1"}, None, "column 'batch' holds a number"),
        ({"batch": True}, None, "column 'batch' holds a number"),
        ({"cuda": 12.8}, None, "column 'cuda' holds text"),
        ({"bos": 1}, None, "column 'bos' holds true or false"),
    ],
)
def test_a_wrong_question_is_answered_with_the_right_name(
    database: Database, where: dict[str, Any], columns: list[str] | None, said: str
) -> None:
    with pytest.raises(HarnessError, match=re.escape(said)):
        database.frame(where, columns)


def test_rows_come_in_the_order_of_start_run_and_place(database: Database) -> None:
    for number in (3, 1, 2):
        items = (measurement("ttft", 1.0), measurement("decode_tps", 2.0))
        database.ingest(measured(number, items, started=BEGIN if number > 1 else measured(9).started), None)
    ids = database.frame(columns=["measurement_id"])["measurement_id"].tolist()
    assert ids == [f"run-00000{run}#{place}" for run in (2, 3, 1) for place in (0, 1)]


def test_moments_are_kept_in_utc(database: Database) -> None:
    moment = datetime.fromisoformat("2026-01-31T23:30:00.000001-05:00")
    database.ingest(measured(1, started=moment), None)
    assert database.frame()["started"][0] == moment.astimezone(UTC)


def test_an_unknown_run_is_named(database: Database) -> None:
    with pytest.raises(HarnessError, match="no run 'nope'"):
        database.outcome("nope")
