from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.commands.doctor import _database, held_files
from harness.commands.workspace import Workspace
from harness.store import health as health_module
from harness.store.database import Database
from harness.store.health import health
from harness.store.opening import REVISION
from tests.unit.store.old_database import make_old
from tests.unit.store.outcomes import measured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_all(measured(number) for number in range(50))
    return tmp_path / "bench.db"


def test_a_sound_database_says_what_it_is(path: Path) -> None:
    found = health(path)
    assert found is not None
    assert found.troubles == ()
    pages = path.stat().st_size // 4096
    assert f"MB in {pages} pages, journal wal, schema {REVISION}, integrity check" in found.about


def test_a_large_one_is_looked_at_quickly_unless_all_is_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "QUICK_FROM", 1)
    for full, kind in ((False, "quick check"), (True, "integrity check")):
        found = health(path, full=full)
        assert found is not None
        assert found.about.endswith(kind)


def test_where_there_is_none_none_is_made(tmp_path: Path) -> None:
    assert health(tmp_path / "bench.db") is None
    assert list(tmp_path.iterdir()) == []


def test_an_older_one_is_looked_at_and_not_upgraded(tmp_path: Path) -> None:
    path = make_old(tmp_path / "results")
    before = path.read_bytes()
    found = health(path)
    assert found is not None
    assert f"journal delete, schema 0001 (this harness writes {REVISION})" in found.about
    assert path.read_bytes() == before


def test_a_row_astray_and_a_wrong_index_are_told(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET environment_id = 77 WHERE id < 4")
        connection.commit()
    found = health(path)
    assert found is not None
    assert found.troubles == ("3 rows refer to what is not there, as of table run",)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        names = ("ix_run_status", "ix_run_sitting")
        roots = [
            connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (one,)).fetchone() for one in names
        ]
        for name, (root,) in zip(names, reversed(roots), strict=True):
            connection.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (root, name))
        connection.commit()
    found = health(path, full=True)
    assert found is not None
    assert any("ix_run_status" in trouble for trouble in found.troubles)


def test_doctor_tells_health_and_what_to_do(path: Path) -> None:
    workspace = Workspace(path.parent, (path.parent,), (), path.parent, beside=path.parent)
    assert [line.mark for line in _database(workspace)] == ["ok"]
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 9] ^= 0xFF
    path.write_bytes(damaged)
    for lines in (_database(workspace), held_files(workspace)):
        assert "wrong" in {line.mark for line in lines}
        assert "put a copy in its place, or move it away and run `harness ingest`" in lines[-1].text
    path.write_bytes(b"no database at all, but long enough to be read as the header of one" * 20)
    (line,) = _database(workspace)
    assert (line.mark, "is not a sound SQLite database" in line.text) == ("wrong", True)
    path.unlink()
    assert [line.mark for line in _database(workspace)] == ["note"]
