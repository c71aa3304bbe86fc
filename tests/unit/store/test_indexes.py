"""Twelve tables at most, and no index but where a question of ours reads it: SQLite's own plans say so."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from harness.core.spec import Labels
from harness.store.database import Database
from harness.store.latest import LatestQuery
from harness.store.session import SessionRecord
from tests.benchmarks import filled_database as benchmark
from tests.benchmarks.many_runs import nightly
from tests.unit.store.outcomes import BEGIN, built, failed, measured

TABLES, INDEXES = 12, 40
LABELS = {"sweep": ("other-7",)}
Asks = Callable[[Database], Any]
ASKED: dict[str, Asks] = {
    "ix_configuration_job_id": lambda database: database.latest(
        LABELS, ["value"], LatestQuery(frozenset({"decode_tps"}))
    ),
    "ix_measurement_quantity_id": lambda database: database.frame({"metric": "build_seconds"}, ["value"]),
    "ix_placement_model": lambda database: database.latest({"model": ("tiny",)}, ["value"], LatestQuery(frozenset())),
    "ix_placement_sweep": lambda database: database.frame({"sweep": "other-7"}, ["value"]),
    "ix_quantity_metric": lambda database: database.frame({"metric": "build_seconds"}, ["value"]),
    "ix_run_artifact": lambda database: database.ingest(built(90_001), None),
    "ix_run_artifact_content": lambda database: database.ingest(built(90_002), None),
    "ix_run_configuration_id_counts_from": lambda database: database.latest(
        LABELS, ["value"], LatestQuery(frozenset())
    ),
    "ix_run_configuration_id_session": lambda database: database.latest(LABELS, ["value"], LatestQuery(frozenset())),
    "ix_run_environment_id": lambda database: database.frame({"harness": "0.1.0+0000001", "status": "ok"}, ["run"]),
    "ix_run_job_id": lambda database: database.known_quality(["no such key"]),
    "ix_run_newest": lambda database: _sql(database, "SELECT value FROM latest WHERE metric = 'decode_tps'"),
    "ix_run_origin_counts_from": lambda database: database.newest(),
    "ix_run_session_counts_from": lambda database: database.frame({"session": "night-00001"}, ["run"]),
    "ix_run_sitting": lambda database: database.ingest(measured(90_003), None),
    "ix_run_status": lambda database: database.frame({"status": "oom", "metric": None}, ["run"]),
    "ix_run_written_by": lambda database: database.frame({"written_by": "runner", "seconds": 0.0}, ["run"]),
}
"""Index to the question that needs it, each one that a command asks."""
UNIQUE: dict[str, Asks] = {
    "configuration": lambda database: database.ingest(measured(90_004), None),
    "environment": lambda database: database.ingest(measured(90_005), None),
    "job": lambda database: database.ingest(measured(90_006), None),
    "measurement": lambda database: database.frame({"run": "00001-0001"}, ["value"]),
    "placement": lambda database: database.ingest(measured(90_007), None),
    "quantity": lambda database: database.ingest(measured(90_008), None),
    "run": lambda database: database.outcome("00001-0001"),
    "samples": lambda database: database.array_shapes("00001-0001"),
    "session": lambda database: database.place(SESSION),
    "summary": lambda database: database.frame({"run": "00001-0001"}, ["summary_value"]),
}
"""Table to the question that needs what SQLite makes itself for its primary key or unique columns."""
SESSION = SessionRecord(session="s-1", sweep="nightly", started=BEGIN, plan="p", jobs=())


def _sql(database: Database, text: str) -> None:
    with database._reading() as connection:
        connection.exec_driver_sql(text).all()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A thousand runs, with statistics of their indexes, as closing a database leaves them."""
    path = tmp_path_factory.mktemp("indexes") / "bench.db"
    with Database.open(path) as database:
        database.ingest_all(one for night in range(4) for one in nightly(night, 4, 6))
        database.ingest_all([failed(number) for number in range(20)])
        database.ingest_all(
            measured(1_000 + number, labels=Labels(sweep=f"other-{number}"), workload={"batch": number})
            for number in range(200)
        )
        for night in range(4, 8):
            benchmark.copy_night(database, night, 8, written=4)
        benchmark.fill_in(database)
    with Database.open(path) as database:
        yield database


def _steps(database: Database, ask: Asks) -> str:
    """Ask, and return the plan of every statement that this took."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        asked.append((text, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        ask(database)
    finally:
        event.remove(database._engine, "before_cursor_execute", note)
    words = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
    with database._reading() as connection:
        return "\n".join(
            str(row[3])
            for text, given in asked
            if text.startswith(words)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)
        )


@pytest.mark.parametrize("name", ASKED)
def test_each_index_is_read_by_the_question_that_it_is_for(filled: Database, name: str) -> None:
    steps = _steps(filled, ASKED[name])
    assert re.search(rf"INDEX {name}\b", steps), steps


@pytest.mark.parametrize("name", UNIQUE)
def test_each_key_is_read_by_the_question_that_it_is_for(filled: Database, name: str) -> None:
    steps = _steps(filled, UNIQUE[name])
    assert re.search(rf"INDEX sqlite_autoindex_{name}_1\b|USING PRIMARY KEY", steps), steps


def test_a_fresh_database_has_these_tables_and_indexes_and_no_more(tmp_path: Path) -> None:
    Database.open(tmp_path / "bench.db").close()
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = connection.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'").fetchall()
    made = {name for name, _, sql in rows if sql is not None}
    of_keys = {table for _, table, sql in rows if sql is None}
    assert len(tables) <= TABLES, "alembic's own included"
    assert len(rows) <= INDEXES, "those of keys included"
    assert made == set(ASKED)
    assert of_keys - {"alembic_version"} <= set(UNIQUE)
