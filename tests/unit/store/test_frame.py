from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.outcome import Outcome
from harness.core.seam import load
from harness.core.spec import Labels, MeasureSpec, Status
from harness.probes import PROBES
from harness.store import frame as frames
from harness.store import workload
from harness.store.database import Database
from tests.unit.store.outcomes import BEGIN, CONTENT, H200, built, environment, failed, measured, measurement, session

CONTRACT = [
    "run",
    "job_key",
    "kind",
    "status",
    "reason",
    "origin",
    "started",
    "counts_from",
    "seconds",
    "session",
    "round",
    "order",
    "written_by",
    "harness",
    "environment",
    "gpu",
    "gpu_count",
    "driver",
    "cuda",
    "box",
    "cpu",
    "cores",
    "system",
    "python",
    "environment_id",
    "sweep",
    "block",
    "model",
    "method",
    "recipe",
    "reference",
    "engine",
    "engine_options",
    "provider",
    "dtype",
    "probe",
    "protocol",
    "protocol_version",
    "batch",
    "prompt",
    "output",
    "shots",
    "limit",
    "window",
    "stride",
    "text",
    "task",
    "tokens",
    "artifact",
    "artifact_content",
    "metric",
    "metric_version",
    "slice",
    "value",
    "low",
    "high",
    "interval",
    "n",
    "unit",
    "source",
    "items",
    "scored",
    "skipped",
    "truncated",
    "warmups",
    "repetitions",
    "bos",
    "prompt_tokens",
    "beyond_trained",
    "measurement_id",
]


def test_every_dimension_is_a_column() -> None:
    assert set(CONTRACT) <= set(frames.COLUMNS)


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


def test_types_do_not_depend_on_what_is_there(database: Database) -> None:
    empty = database.frame()
    database.ingest(measured(1), None)
    database.ingest(failed(2), None)
    full = database.frame()
    assert len(empty) == 0
    assert len(full) == 2
    assert dict(empty.dtypes) == dict(full.dtypes)
    assert full["value"].dtype == np.float64
    assert full["started"].dtype == "datetime64[us, UTC]"
    assert full["source"].isna().all()


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


class Workload(Options):
    batch: int = 1
    window: int = 512
    text: str = "reference"


class MadeUp:
    workload = Workload
    version = 1


def test_defaults_of_a_workload_are_columns_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "_probe", lambda name: MadeUp if name == "made_up" else None)
    database.ingest(measured(1, workload={"batch": 8}), None)
    row = database.frame(columns=["batch", "window", "text"]).iloc[0].tolist()
    assert row == [8.0, 512.0, "reference"]
    monkeypatch.setattr(MadeUp, "version", 2)
    database.ingest(measured(2, workload={"window": 64}), None)
    row = database.frame({"run": "run-000002"}, ["batch", "window", "text"]).iloc[0].tolist()
    assert row[1] == 64.0
    assert pd.isna(row[0])


@pytest.mark.parametrize("name", list(PROBES))
def test_every_option_of_a_probe_is_in_a_column(name: str) -> None:
    probe = load(PROBES, "probe", name)
    given = {"run": "python b.py {out}", "read": {"decode_tps": "a"}} if name == "command" else {}
    spec = MeasureSpec(probe=name, version=probe.version, workload=given, engine="fake", engine_version=1, artifact="a")
    columns = workload.workload_columns(spec)
    assert set(probe.workload.model_fields) <= {*columns, *json.loads(columns["workload"])}
    assert not {name for name, value in columns.items() if value is not None} & set(json.loads(columns["workload"]))


def test_what_a_column_of_numbers_cannot_hold_is_kept_beside_it() -> None:
    spec = MeasureSpec(probe="?", version=1, workload={"batch": [1, 2]}, engine="fake", engine_version=1, artifact="a")
    columns = workload.workload_columns(spec)
    assert (columns["batch"], columns["workload"]) == (None, '{"batch":[1,2]}')


QUESTIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"sweep": "sweep-3", "metric": ["decode_tps", None]}, ["sweep", "model", "method", "metric", "value"]),
    ({"model": "model-2", "gpu": "NVIDIA H200"}, ["gpu", "method", "batch", "metric", "value"]),
    ({"metric": "ttft", "session": "s-4"}, ["run", "value"]),
    ({"run": "run-000004"}, ["metric", "value"]),
    ({"job_key": "0" * 64}, ["metric", "value"]),
]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "bench.db"
    with Database.open(path) as database:
        for number in range(120):
            labels = Labels(sweep=f"sweep-{number // 6}", model=f"model-{number // 12}", method=f"m-{number % 7}")
            outcome: Outcome = measured(
                number,
                [measurement("ttft", 1.0), measurement(value=float(number + 1))],
                labels=labels,
                workload={"batch": number},
                place=environment("cuda", (H200,)) if number % 10 == 0 else environment(),
            )
            job = outcome.job.model_copy(update={"session": f"s-{number // 6}"})
            database.ingest(outcome.model_copy(update={"job": job}), None)
    return path


@pytest.mark.parametrize(("where", "columns"), QUESTIONS)
def test_a_question_goes_by_the_indexes(many: Path, where: dict[str, Any], columns: list[str]) -> None:
    with Database.open(many) as database, database._reading() as connection:
        query = frames.statement(where, columns).compile(connection, compile_kwargs={"literal_binds": True})
        plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    steps = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    assert any("SEARCH measurement USING" in step for step in steps)
    scans = [step for step in steps if re.match(r"SCAN (run|job|placement|measurement)\b", step)]
    assert not scans, "\n".join(plan)


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


def test_an_unknown_run_is_named(database: Database) -> None:
    with pytest.raises(HarnessError, match="no run 'nope'"):
        database.outcome("nope")
