from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.core.errors import HarnessError
from harness.core.spec import Labels, Note
from harness.store.database import Database
from harness.store.export import FORMATS, export
from tests.unit.store.outcomes import built, failed, measured, measurement

ODD = (0.1 + 0.2, 1e-300, 5e-324, 1.7976931348623157e308, 1234567890123456.7, 3.0)


@pytest.fixture
def frame(database: Database) -> pd.DataFrame:
    labels = Labels(sweep="größe", model='a "quoted", name', method="line\nbreak")
    database.ingest(measured(1, [measurement(value=value) for value in ODD], labels=labels), None)
    database.ingest(failed(2, labels=labels), None)
    return database.frame()


@pytest.mark.parametrize("form", FORMATS)
def test_equal_frames_give_equal_bytes(form: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    one, two = (export(frame.copy(), tmp_path / f"{name}.{form}").read_bytes() for name in "ab")
    assert one == two


def test_csv_loses_no_digit(frame: pd.DataFrame, tmp_path: Path) -> None:
    content = export(frame, tmp_path / "all.csv").read_bytes()
    assert b"\r" not in content
    again = pd.read_csv(io.BytesIO(content), float_precision="round_trip")
    assert list(again.columns) == list(frame.columns)
    assert again["value"].tolist()[:-1] == list(ODD)
    assert np.isnan(again["value"].iloc[-1])
    assert again["sweep"][0] == "größe"
    assert again["method"][0] == "line\nbreak"
    assert again["started"][0] == "2026-01-31T12:00:01.000000+00:00"


def test_json_lines_write_absence_as_null(frame: pd.DataFrame, tmp_path: Path) -> None:
    lines = export(frame, tmp_path / "all.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["value"] for row in rows] == [*ODD, None]
    assert rows[-1]["metric"] is None
    assert rows[0]["bos"] is True
    assert rows[-1]["bos"] is None
    assert "größe" in lines[0]


def test_parquet_has_the_same_types_for_any_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    full = pq.read_table(export(frame, tmp_path / "full.parquet"))
    empty = pq.read_table(export(frame.iloc[:0], tmp_path / "empty.parquet"))
    assert full.schema == empty.schema
    assert full.schema.field("value").type == pa.float64()
    assert full.schema.field("bos").type == pa.bool_()
    assert full.column("value").to_pylist() == [*ODD, None]
    assert full.column("started").to_pylist()[0] == frame["started"][0]


def test_an_unknown_format_is_answered_with_the_known_ones(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="unknown export format 'xlsx'"):
        export(frame, tmp_path / "all.xlsx")


def test_a_place_that_cannot_be_written_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match="cannot write"):
        export(frame, tmp_path / "file" / "all.csv")


def test_what_an_artifact_was_built_with_stands_beside_its_numbers(database: Database, tmp_path: Path) -> None:
    note = Note(code="unstable", text="steps varied")
    database.ingest_all([built(1), measured(2, notes=(note,)), failed(3)])
    frame = database.frame()
    assert frame["recipe_options"].tolist() == ['{"precision":"int4"}'] * 3
    place = export(frame, tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in place.read_text("utf-8").splitlines()]
    assert json.loads(rows[1]["notes"]) == [{"code": "unstable", "text": "steps varied"}]
    assert rows[1]["engine_options"] == '{"provider":"cpu","provider_options":{},"threads":null}'
    assert rows[1]["rounds"] == 1
    assert export(database.frame({"run": "nothing"}), tmp_path / "none.parquet").exists()
