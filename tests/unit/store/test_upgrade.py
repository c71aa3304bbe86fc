"""Databases of every older schema, sound and damaged, alone and in use, and an upgrade that is killed."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from harness.core.errors import Busy, HarnessError
from harness.store import opening
from harness.store.database import Database
from tests.unit.store.old_database import GOLDEN, make_old

ROOT = Path(__file__).parents[3]
OLDER = sorted(set(opening.known_revisions()) - {opening.REVISION})
REMEDY = "put a copy (of it )?in its place, or move it away and run `harness ingest`"


def views(path: Path) -> list[list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        order = "ORDER BY run, metric, slice, source, sweep, model"
        return [connection.execute(f"SELECT * FROM {name} {order}").fetchall() for name in ("results", "latest")]


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, list[Any], dict[str, Any]]:
    """Frame, views and outcomes of the same run folders, taken in today."""
    path = tmp_path_factory.mktemp("anew") / "bench.db"
    with Database.open(path, results=GOLDEN / "results") as database:
        found = database.ingest_folder(GOLDEN / "results")
        assert (found.new, found.sessions, found.problems) == (28, 1, ())
        outcomes = {run: database.outcome(run) for run in database.run_names()}
        frame, artifacts = database.frame(), database.known_artifacts()
    return frame, views(path), outcomes | {"artifacts": artifacts}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_old(tmp_path_factory.mktemp("old") / "results").read_bytes()


@pytest.mark.parametrize("revision", OLDER)
def test_an_older_database_is_upgraded_to_what_its_run_folders_give(
    revision: str, tmp_path: Path, anew: tuple[pd.DataFrame, list[Any], dict[str, Any]]
) -> None:
    path = make_old(tmp_path / "results", revision)
    frame, seen, told = anew
    with Database.open(path) as database:
        assert_frame_equal(database.frame(), frame, check_exact=True)
        assert {run: database.outcome(run) for run in database.run_names()} | {
            "artifacts": database.known_artifacts()
        } == told
        assert database.samples("run-000092#0").shape == (12,)
    assert views(path) == seen
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM run WHERE newest").fetchone()[0] >= 5


def test_the_old_database_is_one_of_its_time(tmp_path: Path) -> None:
    with closing(sqlite3.connect(make_old(tmp_path / "results"))) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        columns = {row[1] for row in connection.execute("PRAGMA table_info(run)")}
        assert not columns & {"sitting", "newest", "series_id", "counts_from"}


# ---------------------------------------------------------------- damage


def _flipped(content: bytes, page: int, draw: random.Random) -> bytes:
    """Flip sixteen bytes in a page of 4,096, and the first of it, which says what kind of page it is."""
    damaged = bytearray(content)
    for place in (0, *(draw.randrange(4096) for _ in range(16))):
        damaged[4096 * page + place] ^= 0xFF
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_page_is_told_with_file_and_remedy_and_nothing_is_overwritten(
    seed: int, tmp_path: Path, old: bytes
) -> None:
    draw = random.Random(seed)
    path = tmp_path / "bench.db"
    path.write_bytes(_flipped(old, draw.randrange(1, len(old) // 4096), draw))
    before = path.read_bytes()
    with pytest.raises(HarnessError, match=rf"bench\.db is not a sound SQLite database .*{REMEDY}"):
        Database.open(path)
    assert _but_header(path.read_bytes()) == _but_header(before)


def _but_header(content: bytes) -> bytes:
    """Leave out what changes when the write-ahead log is switched on."""
    return content[100:]


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_byte_is_an_error_that_says_what_to_do_or_changes_no_schema(
    seed: int, tmp_path: Path, old: bytes
) -> None:
    """SQLite keeps no checksums: what is damaged inside of a text, an outcome or a moment is found where it is read."""
    draw = random.Random(1000 + seed)
    damaged = bytearray(old)
    for _ in range(6):
        damaged[draw.randrange(4096, len(old))] ^= 1 << draw.randrange(8)
    path = tmp_path / "bench.db"
    path.write_bytes(damaged)
    told = ""
    try:
        with Database.open(path) as database:
            database.frame()
            for run in sorted(database.run_names()):
                database.outcome(run)
    except HarnessError as error:
        told = str(error)
    assert not told or re.search(REMEDY + "|harness doctor|harness ingest", told)


def test_a_text_that_is_no_json_any_more_stops_the_upgrade(tmp_path: Path) -> None:
    path = make_old(tmp_path / "results")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE job SET spec = substr(spec, 2) WHERE probe = 'made_up'")
    with pytest.raises(HarnessError, match=rf"bench\.db is not a sound SQLite database .*{REMEDY}"):
        Database.open(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


def test_a_command_ends_with_two_and_one_line(tmp_path: Path, old: bytes) -> None:
    path = tmp_path / "bench.db"
    path.write_bytes(_flipped(old, 5, random.Random(5)))
    words = [sys.executable, "-m", "harness", "export", str(tmp_path / "all.csv"), "--results", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "bench.db is not a sound SQLite database" in done.stderr
    assert not (tmp_path / "all.csv").exists()


# ---------------------------------------------------------------- others

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[3] == "wal":
    connection.execute("PRAGMA journal_mode = WAL")
connection.execute(sys.argv[2])
print(connection.execute("SELECT count(*) FROM run").fetchone(), flush=True)
sys.stdin.readline()
print(connection.execute("SELECT count(*), max(version_num) FROM run, alembic_version").fetchone(), flush=True)
connection.execute("COMMIT")
"""


@contextmanager
def held(path: Path, begin: str, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a transaction until it is told to end."""
    words = [sys.executable, "-c", HOLDER, str(path), begin, mode]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "(28,)\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_reader_in_another_process_sees_the_old_database_to_its_end(tmp_path: Path) -> None:
    path = make_old(tmp_path / "results")
    with held(path, "BEGIN", "wal") as reader:
        with Database.open(path) as database:
            assert database.count() == 28
        assert reader.communicate("go\n")[0] == "(28, '0001')\n"


@pytest.mark.parametrize(
    ("begin", "mode"), [("BEGIN IMMEDIATE", "wal"), ("BEGIN IMMEDIATE", "delete"), ("BEGIN", "delete")]
)
def test_who_holds_the_database_is_waited_for_and_then_named(
    begin: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.5)
    path = make_old(tmp_path / "results")
    with held(path, begin, mode) as other:
        who = rf": process {other.pid} \(.*\)" if Path("/proc/locks").exists() else ""
        with pytest.raises(Busy, match=rf"another process has been using .*bench\.db for 0\.5 s{who}; wait for it"):
            Database.open(path)
        assert other.communicate("go\n")[0] == "(28, '0001')\n"
    with Database.open(path) as database:
        assert database.count() == 28


KILLED = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from harness.store.database import Database
left = [int(sys.argv[2])]
def strike(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", strike)
event.listen(Engine, "commit", strike)
Database.open(sys.argv[1]).close()
print(int(sys.argv[2]) - left[0])
"""


def _killed(path: Path, at: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", KILLED, str(path), str(at)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_an_upgrade_that_is_killed_leaves_the_old_database_whole(
    tmp_path: Path, anew: tuple[pd.DataFrame, list[Any], dict[str, Any]]
) -> None:
    steps = int(_killed(make_old(tmp_path / "whole"), 10**6).stdout)
    assert steps > 200
    for at in (*random.Random(7).sample(range(20, steps - 4), 4), steps - 3):
        path = make_old(tmp_path / f"killed-{at}")
        assert _killed(path, at).returncode == -signal.SIGKILL
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        assert version in {"0001", opening.REVISION}
        with Database.open(path) as database:
            assert_frame_equal(database.frame(), anew[0], check_exact=True)
