"""Configurations: runs that a table can tell apart only by when they ran, so that the newest can stand for all of them.

A configuration is a job in a place, under the same conditions, with the same variants in the same order. Its runs are of one
*series*, the history of a job on a GPU model and machine, along which drivers, packages and environments may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from harness.core.identity import DIGITS, digest
from harness.store import models as m
from harness.store.row import table

PLACE = ("name", "gpu", "driver", "cuda", "machine_id", "cpu", "cores", "system", "python")
"""Of the environment: what a table can name. Packages and the harness's commit are not among them."""
CONDITIONS = ("status", "origin", "gpu_count", "provider", "dtype", "protocol", "protocol_version", "artifact",
              "citation")  # fmt: skip
"""Of the run: what a table can name, but session, round and the run itself."""


@dataclass
class Ids:
    """Row ids that a connection has seen; good as long as its transaction stands, or after it was committed."""

    environments: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    variants: dict[Any, int] = field(default_factory=dict)
    places: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    configurations: dict[tuple[Any, ...], int] = field(default_factory=dict)
    labels: set[tuple[str, ...]] = field(default_factory=set)
    schemes: dict[str, tuple[str | None, float | None]] = field(default_factory=dict)
    """Scheme and bits per weight by the artifact's content; of one that is not known, neither."""
    recipes: dict[str, str | None] = field(default_factory=dict)
    """Options of its build by the artifact's id; None of one that is not known."""


def series_of(job_key: str, gpu: str | None, machine: str) -> str:
    """Name the history that a run is part of: the same in every database."""
    return digest([job_key, gpu, machine])[:DIGITS]


def configuration_of(connection: Connection, ids: Ids, run: Mapping[str, Any], variants: Sequence[int]) -> int:
    """Find or make the configuration of a run (columns as in its row), given the ids of its variants in their order."""
    place = _place(connection, ids, run["environment_id"])
    key = (run["job_id"], *place, *(run.get(name) for name in CONDITIONS), tuple(variants))
    if key not in ids.configurations:
        row = {"digest": digest([*key[:-1], list(variants)]), "job_id": run["job_id"], "environment": place[0]}
        kind = m.ConfigurationRow
        found = connection.execute(select(kind.id).where(kind.digest == row["digest"])).scalar()
        if found is None:
            new = {**row, "quantities": json.dumps(list(variants), separators=(",", ":"))}
            made = connection.execute(insert(table(kind)), new).inserted_primary_key
            assert made is not None
            found = int(made[0])
        ids.configurations[key] = found
    return ids.configurations[key]


def fill(connection: Connection) -> int:
    """Give every run that has none its configuration and series, as an upgrade or a bulk load needs; returns how many there were."""
    runs, jobs, places = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    items = table(m.MeasurementRow)
    columns = [runs.c[name] for name in ("id", "job_id", "environment_id", *CONDITIONS)]
    query = select(*columns, jobs.c.key, places.c.gpu, places.c.machine_id).where(runs.c.configuration_id.is_(None))
    query = query.join(jobs, jobs.c.id == runs.c.job_id).join(places, places.c.id == runs.c.environment_id)
    waiting = connection.execute(query).all()
    ids = Ids()
    for run in waiting:
        of_run = select(items.c.quantity_id).where(items.c.run_id == run.id).order_by(items.c.ordinal)
        found = configuration_of(connection, ids, run._asdict(), list(connection.execute(of_run).scalars()))
        row = {"configuration_id": found, "series": series_of(run.key, run.gpu, run.machine_id)}
        connection.execute(runs.update().where(runs.c.id == run.id).values(**row))
    return len(waiting)


def _place(connection: Connection, ids: Ids, environment: int) -> tuple[Any, ...]:
    if environment not in ids.places:
        rows = table(m.EnvironmentRow)
        query = select(*[rows.c[name] for name in PLACE]).where(rows.c.id == environment)
        ids.places[environment] = tuple(connection.execute(query).one())
    return ids.places[environment]
