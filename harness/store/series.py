"""Series: runs that a table can tell apart only by when they ran, so that the newest can stand for all of them.

A series is a job in a place, under the same conditions, with the same quantities in the same order (its shape).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from harness.core.identity import digest
from harness.store import models as m

PLACE = ("name", "gpu", "driver", "cuda", "box", "cpu", "cores", "system", "python")
"""Of the environment: what a table can name. Packages and the harness's commit are not among them."""
CONDITIONS = ("status", "origin", "gpu_count", "provider", "dtype", "protocol", "protocol_version", "artifact",
              "citation")  # fmt: skip
"""Of the run: what a table can name, but session, round and the run itself."""


@dataclass
class Ids:
    """Row ids that a connection has seen; good as long as its transaction stands, or after it was committed."""

    environments: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    quantities: dict[Any, int] = field(default_factory=dict)
    places: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    shapes: dict[tuple[int, ...], int] = field(default_factory=dict)
    series: dict[tuple[Any, ...], int] = field(default_factory=dict)
    labels: set[tuple[str, ...]] = field(default_factory=set)
    schemes: dict[str, tuple[str | None, float | None]] = field(default_factory=dict)
    """Scheme and bits per weight by the artifact's content; of one that is not known, neither."""


def series_of(connection: Connection, ids: Ids, run: Mapping[str, Any], quantities: Sequence[int]) -> int:
    """Find or make the series of a run (columns as in its row), given the ids of its quantities in their order."""
    shape = _shape(connection, ids, tuple(quantities))
    place = _place(connection, ids, run["environment_id"])
    key = (run["job_id"], *place, *(run.get(name) for name in CONDITIONS), shape)
    if key not in ids.series:
        row = {"digest": digest(list(key)), "job_id": run["job_id"], "environment": place[0], "shape_id": shape}
        ids.series[key] = _found(connection, m.SeriesRow, row) or _made(connection, m.SeriesRow, row)
    return ids.series[key]


def fill(connection: Connection) -> int:
    """Give every run that has none its series, as an upgrade or a bulk load needs; returns how many there were."""
    runs, items = _table(m.RunRow), _table(m.MeasurementRow)
    names = ("id", "job_id", "environment_id", *CONDITIONS)
    waiting = connection.execute(select(*[runs.c[name] for name in names]).where(runs.c.series_id.is_(None))).all()
    ids = Ids()
    for run in waiting:
        query = select(items.c.quantity_id).where(items.c.run_id == run.id).order_by(items.c.ordinal)
        found = series_of(connection, ids, run._asdict(), list(connection.execute(query).scalars()))
        connection.execute(runs.update().where(runs.c.id == run.id).values(series_id=found))
    return len(waiting)


def _shape(connection: Connection, ids: Ids, quantities: tuple[int, ...]) -> int:
    if quantities not in ids.shapes:
        row = {"digest": digest(list(quantities))}
        found = _found(connection, m.ShapeRow, row)
        if found is None:
            found = _made(connection, m.ShapeRow, row)
            items = [{"shape_id": found, "ordinal": place, "quantity_id": one} for place, one in enumerate(quantities)]
            if items:
                connection.execute(insert(_table(m.ShapeQuantityRow)), items)
        ids.shapes[quantities] = found
    return ids.shapes[quantities]


def _place(connection: Connection, ids: Ids, environment: int) -> tuple[Any, ...]:
    if environment not in ids.places:
        rows = _table(m.EnvironmentRow)
        query = select(*[rows.c[name] for name in PLACE]).where(rows.c.id == environment)
        ids.places[environment] = tuple(connection.execute(query).one())
    return ids.places[environment]


def _found(connection: Connection, kind: type[m.SeriesRow | m.ShapeRow], row: Mapping[str, Any]) -> int | None:
    return connection.execute(select(kind.id).where(kind.digest == row["digest"])).scalar()


def _made(connection: Connection, kind: type[m.Row], row: Mapping[str, Any]) -> int:
    key = connection.execute(insert(_table(kind)), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _table(row: type[m.Row]) -> Table:
    found = row.__table__
    assert isinstance(found, Table)
    return found
