"""The views for people who open the database say what the tables say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pandas import isna

from harness.commands.publish import take_published
from harness.environments import ROOT
from harness.pages import pages
from harness.published.sources import from_published
from harness.store.database import Database
from harness.store.frame import COLUMNS
from harness.tables.catalogue import catalogue_of
from harness.tables.result import Cell
from tests.unit.store.outcomes import BEGIN, built, failed, measured, measurement

OF_A_MEASUREMENT = """
SELECT r.job_id, q.metric, q.slice, m.value FROM run r
JOIN measurement m ON m.run_id = r.id JOIN quantity q ON q.id = m.quantity_id WHERE r.name = ? AND m.ordinal = ?
"""
LATEST = """
SELECT DISTINCT l.value, l.rounds FROM latest l JOIN run r ON r.name = l.run WHERE r.job_id = ? AND l.metric = ? AND l.slice = ?
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sqlite3.Connection, list[Cell]]]:
    """The committed runs of the quickstart as a database, and every cell with a number that its tables show."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "published").mkdir()
    file = ROOT / "results" / "published" / "quickstart.yaml"
    (folder / "published" / file.name).write_bytes(file.read_bytes())
    with Database.open(folder / "bench.db") as database:
        take_published(database, folder / "published")
    catalogue = catalogue_of(ROOT / "configs")
    specs = pages.specs_in([ROOT / "reports" / "tables" / "quickstart.tables.yaml"], catalogue)
    with from_published(folder / "published") as source:
        render = pages.renderer(source, catalogue)
        cells = [
            cell
            for spec in specs
            for section in render(spec).table.sections
            for row in section.rows
            for cell in row
            if cell.trace is not None
        ]
    connection = sqlite3.connect(folder / "bench.db")
    yield connection, cells
    connection.close()


def test_latest_has_the_number_of_every_cell_of_the_quickstart(kept: tuple[sqlite3.Connection, list[Cell]]) -> None:
    connection, cells = kept
    seen = 0
    for cell in cells:
        assert cell.trace is not None
        for side in cell.trace.sides:
            run, ordinal = side.measurement.split("#")
            *about, value = connection.execute(OF_A_MEASUREMENT, (run, int(ordinal))).fetchone()
            rows = connection.execute(LATEST, about).fetchall()
            expected = (float(side.stored), side.rounds) if side.stored is not None else (value, None)
            assert len(rows) == 1
            assert rows[0] == (pytest.approx(expected[0], rel=1e-12), expected[1])
            seen += 1
    assert seen > 100


def test_latest_is_the_newest_by_what_the_database_saw_and_results_has_all(results: Path) -> None:
    first = measured(1, (measurement(value=3.0),))
    back = measured(2, (measurement(value=2.0),), started=BEGIN - timedelta(days=300))
    back = back.model_copy(
        update={"job": back.job.model_copy(update={"not_before": BEGIN + timedelta(hours=1), "session": "s-2"})}
    )
    with Database.open(results / "bench.db") as database:
        for outcome in (first, back, failed(3)):
            database.ingest(outcome, None)
    with sqlite3.connect(results / "bench.db") as connection:
        assert connection.execute("SELECT value, status FROM results ORDER BY run").fetchall() == [
            (3.0, "ok"), (2.0, "ok"), (None, "oom"),
        ]  # fmt: skip
        assert connection.execute("SELECT value, typeof(batch), method FROM latest").fetchall() == [
            (2.0, "integer", "int4_rtn")
        ]


PLAIN: dict[str, str] = {}
"""Columns of the frame that the views call by a plainer name."""
SUMMED = {"summary_value", "summary_low", "summary_high", "rounds", "round_values", "marks"}
ASKED = [
    "model",
    "method",
    "recipe",
    "engine",
    "environment",
    "gpu",
    "machine",
    "batch",
    "prompt",
    "metric",
    "slice",
    "value",
    "low",
    "high",
    "unit",
    "status",
    "origin",
    "started",
    "session",
    "round",
    "run",
    "artifact",
    "recipe_options",
    "engine_options",
]


@pytest.mark.parametrize("view", ["results", "latest"])
def test_the_views_have_every_dimension_by_its_plain_name(view: str, results: Path) -> None:
    Database.open(results / "bench.db").close()
    with closing(sqlite3.connect(results / "bench.db")) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({view})")]
    assert set(ASKED) <= set(columns)
    assert len(columns) == len(set(columns))
    inner = {"measurement_id", "environment_id", "sitting", *SUMMED}
    gone = {PLAIN.get(name, name) for name in COLUMNS if name not in inner} - set(columns)
    assert gone == ({"interval"} if view == "latest" else set())


def test_rows_that_differ_in_one_option_are_told_apart(results: Path) -> None:
    made = []
    for number, bits in enumerate((4, 8)):
        build = built(number)
        spec = build.job.spec.model_copy(update={"quantizer": "other", "options": {"bits": bits}})
        job = build.job.model_copy(update={"spec": spec, "key": f"k{bits}", "artifact": f"b-{bits}"})
        assert build.artifact is not None
        made.append(
            build.model_copy(update={"job": job, "artifact": build.artifact.model_copy(update={"id": f"b-{bits}"})})
        )
        run = measured(10 + number)
        of = run.job.spec.model_copy(
            update={"artifact": f"b-{bits}", "engine_options": {"provider": "cpu", "threads": bits}}
        )
        made.insert(number, run.model_copy(update={"job": run.job.model_copy(update={"spec": of, "key": f"m{bits}"})}))
    with Database.open(results / "bench.db") as database:
        database.ingest_all(made)
        frame = database.frame({"metric": "decode_tps"}, ["recipe_options", "engine_options"])
    with closing(sqlite3.connect(results / "bench.db")) as connection:
        text = (
            "SELECT json_extract(recipe_options, '$.bits'), json_extract(engine_options, '$.threads') FROM latest "
            "WHERE metric = 'decode_tps' ORDER BY 1"
        )
        assert connection.execute(text).fetchall() == [(4, 4), (8, 8)]
    assert sorted(frame["recipe_options"]) == ['{"bits":4}', '{"bits":8}']


def test_a_count_is_whole_and_what_is_not_stands_in_the_workload(results: Path) -> None:
    outcome = measured(1, workload={"batch": 8.0, "prompt": 12.5, "request_rate": 0.5})
    with Database.open(results / "bench.db") as database:
        database.ingest(outcome, None)
        row = database.frame({}, ["batch", "prompt", "request_rate", "workload"]).iloc[0]
        assert (row["batch"], row["request_rate"], row["workload"]) == (8.0, 0.5, '{"prompt":12.5}')
        assert isna(row["prompt"])
    with closing(sqlite3.connect(results / "bench.db")) as connection:
        about = "typeof(batch), typeof(prompt), typeof(request_rate)"
        assert connection.execute(f"SELECT {about} FROM results").fetchall() == [("integer", "null", "real")]


def test_a_reported_number_that_its_file_no_longer_says_uncovers_the_one_before(results: Path) -> None:
    both = [measured(number, origin="reported", started=BEGIN + timedelta(days=number)) for number in (1, 2)]
    text = "SELECT run FROM latest"
    with Database.open(results / "bench.db") as database:
        database.ingest_all(both)
        with closing(sqlite3.connect(results / "bench.db")) as connection:
            assert connection.execute(text).fetchall() == [("run-000002",)]
        assert database.forget_reported(["s-1"], ["run-000001"]) == 1
        with closing(sqlite3.connect(results / "bench.db")) as connection:
            assert connection.execute(text).fetchall() == [("run-000001",)]
