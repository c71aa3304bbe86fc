"""What the database benchmark copies is what ingestion would have made."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from harness.store import models, sittings
from harness.store.database import Database
from harness.store.row import table
from tests.benchmarks.filled_database import copy_night, fill_in
from tests.benchmarks.many_runs import nightly

WRITTEN, NIGHTS = 2, 6


def test_rounds_of_a_copied_night_come_to_what_their_measurements_say(tmp_path: Path) -> None:
    kept = table(models.SummaryRow)
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_all(one for night in range(WRITTEN) for one in list(nightly(night, NIGHTS, 6))[-30:])
        for night in range(WRITTEN, NIGHTS):
            copy_night(database, night, NIGHTS, written=WRITTEN)
        fill_in(database)
        with database._writing() as connection:
            query = select(kept).order_by(kept.c.sitting, kept.c.quantity_id)
            copied = connection.execute(query).all()
            assert len({row.sitting for row in copied}) > 4 * NIGHTS
            connection.execute(kept.delete())
            connection.execute(table(models.RunRow).update().values(sitting=None))
            assert sittings.fill(connection) > 20 * NIGHTS
            assert connection.execute(query).all() == copied
