"""Columns of the frame: every dimension and every option of a probe has one."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from harness.core.options import Options
from harness.core.registry import load
from harness.core.spec import MeasureSpec
from harness.probes import PROBES
from harness.store import frame as frames
from harness.store import workload
from harness.store.database import Database
from tests.unit.store.outcomes import failed, measured

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
    "machine",
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


class Workload(Options):
    batch: int = 1
    window: int = 512
    text: str = "reference"


class MadeUp:
    workload = Workload
    version = 1
    earlier: ClassVar[dict[int, Any]] = {}


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
