from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from harness.core.errors import HarnessError
from harness.store import frame, location, models, opening
from harness.store.database import Database
from tests.unit.store.outcomes import measured


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    engine = opening.make_engine(location.url_of(tmp_path / "bench.db"))
    opening.bring_up(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.Row.metadata) == []
    engine.dispose()
    assert opening.known_revisions()[0] == opening.REVISION


def test_migrated_tables_are_clustered_as_the_models_say(tmp_path: Path) -> None:
    Database.open(tmp_path / "bench.db").close()
    with sqlite3.connect(tmp_path / "bench.db") as connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'measurement'").fetchone()
    connection.close()
    assert "WITHOUT ROWID" in made
    assert "CONSTRAINT ck_measurement_n CHECK (n >= 1)" in made


def test_every_constraint_has_a_name() -> None:
    for table in models.Row.metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints), table.name


def test_foreign_keys_and_the_write_ahead_log_are_on(tmp_path: Path) -> None:
    engine = opening.make_engine(location.url_of(tmp_path / "bench.db"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    engine.dispose()


def test_a_database_without_revision_is_upgraded_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    path.touch()
    with Database.open(path) as database:
        database.ingest(measured(1), None)
    with Database.open(path) as database:
        assert database.count() == 1


def _revised(path: Path, revision: str) -> None:
    Database.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    _revised(tmp_path / "bench.db", "0999")
    with pytest.raises(
        HarnessError, match=rf"bench\.db has schema 0999 .* up to {opening.REVISION}; update the harness"
    ):
        Database.open(tmp_path / "bench.db")


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bench.db") as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    connection.close()
    with pytest.raises(HarnessError, match="database of something else"):
        Database.open(tmp_path / "bench.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bench.db").write_text("no database at all, but long enough to be read as a header of one\n" * 20)
    with pytest.raises(HarnessError, match="not a sound SQLite database"):
        Database.open(tmp_path / "bench.db")


def test_an_upgrade_that_fails_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: object) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "_upgrade", broken)
    with pytest.raises(KeyboardInterrupt):
        Database.open(tmp_path / "bench.db")
    monkeypatch.undo()
    with Database.open(tmp_path / "bench.db") as database:
        assert database.count() == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir(mode=0o555)
    with pytest.raises(HarnessError, match=r"cannot write the database bench\.db in .*results.*writable"):
        Database.open(tmp_path / "results" / "bench.db")


@pytest.mark.skipif(not Path("/proc/sys/kernel").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_nobody_can_write_to_is_named() -> None:
    with pytest.raises(HarnessError, match=r"cannot write the database bench\.db in /proc/sys/kernel .*writable"):
        Database.open("/proc/sys/kernel/bench.db")
    with pytest.raises(HarnessError, match="cannot make the results folder"):
        Database.open("/proc/sys/kernel/results/bench.db")


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    Database.open(tmp_path / "bench.db").close()
    with Database.open(tmp_path / "bench.db") as database:
        with database._reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.rollback()
        with pytest.raises(HarnessError, match="writable for this user"):
            database.ingest(measured(1), None)


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        with database._reading() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.rollback()
        huge = measured(1, reason="x" * 1_000_000)
        with pytest.raises(HarnessError, match=r"disk that holds .*bench\.db is full"):
            database.ingest(huge, None)
        assert database.count() == 0


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.1)
    with Database.open(tmp_path / "bench.db") as one, Database.open(tmp_path / "bench.db") as other:
        with one._writing(), pytest.raises(HarnessError, match="another process has been using"):
            other.ingest(measured(1), None)
        assert other.ingest(measured(1), None)
        assert one.count() == 1


def test_a_database_that_another_process_is_about_to_write_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "bench.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("ROLLBACK")).start()
    with Database.open(tmp_path / "bench.db") as database:
        assert database.count() == 0
    other.close()


OPENING = "import sys; from harness.store.database import Database; Database.open(sys.argv[1]).close()"


def test_two_processes_may_make_the_database_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENING, str(tmp_path / "bench.db")]
    running = [subprocess.Popen(command, cwd=Path(__file__).parents[3]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    with Database.open(tmp_path / "bench.db") as database:
        assert database.count() == 0


def test_tables_and_questions_compile_for_postgresql() -> None:
    """Compiled only: no PostgreSQL server runs here."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in models.Row.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
    query = frame.statement({"sweep": "quickstart", "metric": ["ttft", None]}, list(frame.COLUMNS))
    assert "UNION ALL" in str(query.compile(dialect=dialect))
