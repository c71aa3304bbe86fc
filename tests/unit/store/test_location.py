"""Any database that SQLAlchemy knows, named once, found by every command."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql

from harness.commands.workspace import read_workspace
from harness.core.errors import HarnessError
from harness.core.spec import Labels
from harness.store import opening
from harness.store.database import Database
from harness.store.location import called, database_of, is_there, url_of
from tests.unit.store.outcomes import built, failed, measured, write_run
from tests.unit.store.test_indexes import ASKED, UNIQUE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "configs").mkdir()
    return tmp_path


def test_the_variable_goes_before_the_workspace_and_that_before_the_results_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_DB", raising=False)
    assert read_workspace(place).database == place / "results" / "bench.db"
    (place / "configs" / "local.yaml").write_text("database: kept/mine.db\n", "utf-8")
    assert read_workspace(place).database == place / "kept" / "mine.db"
    (place / "configs" / "local.yaml").write_text("database: sqlite:///kept/mine.db\n", "utf-8")
    assert read_workspace(place).database == f"sqlite:///{place}/kept/mine.db"
    monkeypatch.setenv("HARNESS_DB", "postgresql+psycopg2://me:secret@server/numbers")
    try:
        assert read_workspace(place).database == "postgresql+psycopg2://me:secret@server/numbers"
    except HarnessError as error:  # where its driver is not installed
        assert "needs the package psycopg2" in str(error)  # noqa: PT017
    monkeypatch.chdir(place / "configs")
    monkeypatch.setenv("HARNESS_DB", "here.db")
    assert read_workspace(place).database == place / "configs" / "here.db"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("sqlite://", "HARNESS_DB: sqlite:// is a database in memory, which keeps nothing"),
        ("sqlite:///:memory:", "HARNESS_DB: sqlite:///:memory: is a database in memory, which keeps nothing"),
        ("nosql://host/x", "HARNESS_DB: 'nosql://...' is the URL of no database that SQLAlchemy knows"),
        ("http://[host/x", "HARNESS_DB: 'http://...' is the URL of no database"),
        ("oracle://me:secret@host/x", "HARNESS_DB: a database of oracle needs the package"),
    ],
)
def test_what_is_no_database_to_keep_results_in_is_refused(
    said: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DB", said)
    with pytest.raises(HarnessError) as caught:
        database_of(tmp_path)
    assert str(caught.value).startswith(told)
    assert "secret" not in str(caught.value)


def test_a_password_is_shown_to_nobody() -> None:
    assert called("sqlite:////a/b.db") == "/a/b.db"
    url = url_of("sqlite:////a/b.db").set(drivername="postgresql", username="me", password="secret", host="server")
    said = opening._unanswered(url, opening.OperationalError("SELECT 1", {}, Exception("no route\n to server")))
    assert said is not None
    assert "postgresql://me:***@server" in said
    assert "(no route to server); see that its server runs" in said


def test_what_is_in_memory_is_not_there_and_a_file_is_where_it_is(tmp_path: Path) -> None:
    assert not is_there("sqlite://")
    assert not is_there(tmp_path / "a.db")
    (tmp_path / "a.db").touch()
    assert is_there(f"sqlite:///{tmp_path}/a.db")


def test_every_command_uses_the_database_that_is_named(place: Path) -> None:
    """Real commands, each a process: nothing makes or reads `bench.db`."""
    (place / "configs" / "local.yaml").write_text("database: elsewhere/mine.db\n", "utf-8")
    write_run(place / "results", measured(1, labels=Labels(sweep="mine", model="tiny", method="int4_rtn")))
    wrong = place / "results" / "bench.db"
    wrong.write_text("whoever opens this file fails", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("HARNESS_DB", None)
    for words, said in (
        (["ingest"], "1 runs are new"),
        (["export", "all.csv"], "1 rows written"),
        (["report", "mine"], "tiny"),
        (["doctor", "--files"], "mine.db"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    with closing(sqlite3.connect(place / "elsewhere" / "mine.db")) as connection:
        assert connection.execute("SELECT value FROM latest").fetchall() == [(100.0,)]
    assert wrong.read_text("utf-8") == "whoever opens this file fails"


def test_no_module_but_one_says_what_the_file_is_called() -> None:
    said = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "harness").rglob("*.py"))
        if '"bench.db"' in path.read_text("utf-8")
    ]
    assert said == ["harness/store/location.py"]


# ---------------------------------------------------------------- PostgreSQL, compiled only


def test_every_statement_of_every_question_compiles_for_postgresql(tmp_path: Path) -> None:
    """All that is asked or written, as SQLAlchemy hands it to the database; what is SQLite's alone is not asked elsewhere."""
    asked: list[Any] = []
    raw: list[str] = []
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_all([measured(1), failed(2), built(3)])

        def note(_connection: Any, clause: Any, *_: Any) -> None:
            asked.append(clause)

        event.listen(database._engine, "before_execute", note)
        for ask in (*ASKED.values(), *UNIQUE.values()):
            try:
                ask(database)
            except HarnessError:
                continue  # a run that this small database lacks
        assert database.forget_reported(["s-1"], []) == 0
        database.history(), database.environments(), database.sweeps(), database.artifact_runs()
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for clause in asked:
        if isinstance(clause, str):
            raw.append(clause)
        else:
            text = str(clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": False}))
            assert "PRAGMA" not in text
            assert text
    assert len(asked) > 60
    assert {text.split()[0] for text in raw} <= {"BEGIN", "PRAGMA", "ANALYZE", "SELECT"}


def test_the_migrations_are_written_as_sql_for_postgresql() -> None:
    from alembic import command

    config = opening._config()
    config.attributes["dialect"] = "postgresql"
    written = io.StringIO()
    config.output_buffer = written
    with redirect_stdout(io.StringIO()):
        command.upgrade(config, "head", sql=True)
    text = written.getvalue()
    assert text.count("CREATE VIEW") == 8
    assert text.count("CREATE TABLE") - text.count("DROP TABLE") == 12
    assert text.count("CREATE INDEX") - text.count("DROP INDEX") >= 18
    for word in ("PRAGMA", "WITHOUT ROWID", "AUTOINCREMENT", "rowid", "typeof", "json_extract"):
        assert word not in text
    assert "CREATE INDEX ix_run_newest ON run (series) WHERE newest" in text
    assert "TIMESTAMP WITH TIME ZONE" in text
