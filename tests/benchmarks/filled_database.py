"""A database of many nights: ten of them are ingested, what follows is copied inside of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from harness.published.records import Published
from harness.store import configurations, dimensions, models, newest, sittings
from harness.store.database import Database
from harness.store.row import table
from tests.benchmarks.many_runs import again, machine, nightly, write_folders

WRITTEN = 10
"""Nights that are ingested as files."""
BULK = ("outcome", "measurement", "samples")
"""What is copied with a run."""


def fill(folder: Path, published: Published, nights: int, parts: int) -> None:
    """Ingest ten nights, then copy them."""
    with Database.open(folder / "bench.db") as database:
        for what, count in (("many parts", parts), ("few measurements", 6)):
            sample = folder / f"sample-{count}"
            write_folders(sample, [one for night in range(3) for one in nightly(night, nights, count)])
            with Database.open(sample / "bench.db") as other:
                _rate(f"ingest of files with {what}", other, sample)
        for night in range(WRITTEN):
            database.ingest_all([*nightly(night, nights, parts), *(again(one, night) for one in published.outcomes)])
        for session in published.sessions:
            database.place(session)
        begun, worked = time.monotonic(), time.process_time()
        for night in range(WRITTEN, nights):
            copy_night(database, night, nights)
        seconds = time.monotonic() - begun
        print(
            f"copied to {database.count():,} runs in {seconds:.0f} s, {time.process_time() - worked:.0f} of the processor"
        )
        fill_in(database)


def fill_in(database: Database) -> None:
    """Give what was copied what ingestion gives, and say how long an upgrade would take for it."""
    for what, made in (("configurations", configurations.fill), ("newest", newest.settle)):
        begun, worked = time.monotonic(), time.process_time()
        with database._writing() as connection:
            made(connection)
        seconds = time.monotonic() - begun
        print(
            f"{what} found in {seconds:.0f} s, {time.process_time() - worked:.0f} of the processor (what an upgrade does)",
            flush=True,
        )


def _rate(what: str, database: Database, results: Path) -> None:
    begun = time.monotonic()
    runs = database.ingest_folder(results).new
    seconds = time.monotonic() - begun
    rows = len(database.frame({}, ["value"]))
    print(f"{what}: {runs / seconds:,.0f} outcomes/s, {rows / seconds:,.0f} measurements/s")


def copy_night(database: Database, night: int, nights: int, written: int = WRITTEN) -> None:
    """Repeat one of the nights that were written."""
    runs = table(models.RunRow)
    template = night % written
    with database._writing() as connection:
        found = connection.execute(select(runs).where(runs.c.name.like(f"{template:05d}-%")).order_by(runs.c.id)).all()
        places = {one: _place(connection, one, night, nights) for one in {row.environment_id for row in found}}
        offset = connection.exec_driver_sql("SELECT max(id) FROM run").scalar_one() + 1 - found[0].id
        rows = [
            {
                **row._asdict(),
                "id": row.id + offset,
                "configuration_id": None,
                "newest": False,
                "sitting": None,
                "session": row.session.replace(f"{template:05d}", f"{night:05d}"),
                "name": f"{night:05d}{row.name[5:]}",
                "started": row.started + timedelta(days=night - template),
                "counts_from": row.counts_from + timedelta(days=night - template),
                "environment_id": places[row.environment_id],
            }
            for row in found
        ]
        connection.execute(insert(runs), rows)
        for name in BULK:
            columns = [column.name for column in models.Row.metadata.tables[name].columns if column.name != "run_id"]
            listed = ", ".join(f'"{column}"' for column in columns)
            connection.exec_driver_sql(
                f"INSERT INTO {name} (run_id, {listed}) SELECT run_id + {offset}, {listed} FROM {name} "
                f"WHERE run_id BETWEEN {found[0].id} AND {found[-1].id}"
            )
        copy_rounds(connection, night, written)


def copy_rounds(connection: Connection, night: int, written: int = WRITTEN) -> None:
    """Give the runs of a night their sittings, and these the summaries of the night that it repeats: equal rounds come to equal means."""
    runs, places, kept = table(models.RunRow), table(models.EnvironmentRow), table(models.SummaryRow)
    texts = {row.id: json.loads(row.json) for row in connection.execute(select(places.c.id, places.c.json))}
    before = {row.name[5:]: row.sitting for row in _runs_of(connection, night % written) if row.sitting}
    named = {
        row.id: (sittings.name_of(row._asdict(), row.key, texts[row.environment_id]), before[row.name[5:]])
        for row in _runs_of(connection, night)
        if row.name[5:] in before
    }
    found = [{"which": id_, "sitting": sitting} for id_, (sitting, _) in named.items()]
    connection.execute(runs.update().where(runs.c.id == bindparam("which")), found)
    columns = ", ".join(column.name for column in kept.columns if column.name != "sitting")
    copied = f"INSERT INTO summary (sitting, {columns}) SELECT ?, {columns} FROM summary WHERE sitting = ?"
    connection.exec_driver_sql(copied, sorted(set(named.values())))


def _runs_of(connection: Connection, night: int) -> Sequence[Any]:
    runs, jobs = table(models.RunRow), table(models.JobRow)
    query = select(runs, jobs.c.key).join(jobs, jobs.c.id == runs.c.job_id)
    return connection.execute(query.where(runs.c.name.like(f"{night:05d}-%"))).all()


def _place(connection: Any, template: int, night: int, nights: int) -> int:
    """Describe the machine of another night."""
    from harness.core.outcome import Environment

    rows = table(models.EnvironmentRow)
    text = connection.execute(select(rows.c.json).where(rows.c.id == template)).scalar_one()
    place = Environment.model_validate_json(text)
    tonight = machine(night, nights)
    place = tonight if place.name == tonight.name else place.model_copy(update={"harness": tonight.harness})
    return dimensions.environment_row(connection, place)
