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

from harness.store import opening
from harness.store.database import Database
from tests.unit.store.outcomes import measured

Schema = list[tuple[str, str, str]]


def migrated(path: Path) -> str:
    """Write the schema of a file that went through all migrations, as SQL."""
    engine = opening.make_engine(opening.url_of(path))
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
