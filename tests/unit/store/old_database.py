"""A database as harness 0.1.0 left it, made by the script that its own `iterdump` wrote, and as later versions did."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from harness.store import location, opening

GOLDEN = Path(__file__).parents[2] / "golden" / "0.1.0"


def make_old(folder: Path, revision: str = "0001") -> Path:
    """Make the results folder of 0.1.0, run folders and `bench.db`, the database brought up to a schema as it was then."""
    shutil.copytree(GOLDEN / "results", folder)
    path = folder / "bench.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "database.sql").read_text("utf-8"))
    if revision != "0001":
        upgraded(path, revision)
    return path


def upgraded(path: Path, revision: str) -> None:
    """Bring a database up to a schema."""
    from alembic import command

    engine = opening.make_engine(location.url_of(path))
    with opening.writing(engine) as connection:
        config = opening._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
