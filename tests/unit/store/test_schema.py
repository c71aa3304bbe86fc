"""The schema that a new database gets at once is the one that the migrations lead to.

python -m tests.unit.store.test_schema writes it, after a new migration.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect

from harness.store import location, models, opening
from harness.store.database import Database
from tests.unit.store.outcomes import measured

Schema = list[tuple[str, str, str]]


def migrated(path: Path) -> str:
    """Write the schema of a file that went through all migrations, as SQL."""
    engine = opening.make_engine(location.url_of(path))
    with opening.writing(engine) as connection:
        config = opening._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    statements = [sql for _, _, sql in _schema(path)]
    statements.append(f"INSERT INTO alembic_version (version_num) VALUES ('{opening.REVISION}')")
    return "".join(f"{statement};\n" for statement in statements)


def _schema(path: Path) -> Schema:
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    connection = sqlite3.connect(path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def test_a_new_database_has_the_schema_that_migrations_lead_to(tmp_path: Path) -> None:
    written = opening.NEWEST.read_text("utf-8")
    assert written == migrated(tmp_path / "old.db"), "python -m tests.unit.store.test_schema"
    Database.open(tmp_path / "new.db").close()
    assert _schema(tmp_path / "new.db") == _schema(tmp_path / "old.db")


def test_a_database_that_was_made_at_once_is_of_the_newest_schema_and_takes_runs(tmp_path: Path) -> None:
    with Database.open(tmp_path / "new.db") as database:
        assert database.ingest(measured(1), None)
    with Database.open(tmp_path / "new.db") as database:
        assert database.outcome(measured(1).job.run) == measured(1)


def test_a_new_database_needs_no_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alembic", None)
    Database.open(tmp_path / "new.db").close()


def test_a_revision_table_without_a_revision_goes_the_long_way(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "half.db")
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.close()
    with Database.open(tmp_path / "half.db") as database:
        assert database.ingest(measured(1), None)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        opening.NEWEST.write_text(migrated(Path(folder) / "old.db"), "utf-8")


def test_the_tables_that_queries_speak_of_are_those_of_the_schema(tmp_path: Path) -> None:
    """Columns by name, whether they may be absent, keys, and what a key of another table refers to."""
    with Database.open(tmp_path / "new.db") as database, database._engine.connect() as connection:
        there = inspect(connection)
        assert set(there.get_table_names()) - {"alembic_version"} == set(models.RunRow.metadata.tables)
        for name, table in models.RunRow.metadata.tables.items():
            columns = {one["name"]: one["nullable"] for one in there.get_columns(name)}
            assert columns == {one.name: bool(one.nullable) for one in table.columns}, name
            keys = there.get_pk_constraint(name)["constrained_columns"]
            assert keys == [one.name for one in table.primary_key.columns], name
            theirs = {
                (tuple(one["constrained_columns"]), one["referred_table"]) for one in there.get_foreign_keys(name)
            }
            ours = {(tuple(one.column_keys), one.referred_table.name) for one in table.foreign_key_constraints}
            assert theirs == ours, name
