"""The views for people who open the database say what the tables say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from harness.commands.publish import take_published
from harness.environments import ROOT
from harness.pages import pages
from harness.published.sources import from_published
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of
from harness.tables.result import Cell
from tests.unit.store.outcomes import BEGIN, failed, measured, measurement

OF_A_MEASUREMENT = """
SELECT r.job_id, q.metric, q.part, m.value FROM run r
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
