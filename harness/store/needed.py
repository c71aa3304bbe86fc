"""What of all history a table needs: the newest session of every series, and the quantities that its cells name."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select

from harness.core.spec import Status
from harness.store import models as m
from harness.store import series
from harness.store.ingest import table

_RUN, _JOB, _SERIES, _PLACEMENT = table(m.RunRow), table(m.JobRow), table(m.SeriesRow), table(m.PlacementRow)
_QUANTITY, _SHAPED = table(m.QuantityRow), table(m.ShapeQuantityRow)
_NAMED = {"name": "environment"}
CONSTANT = frozenset({*series.CONDITIONS, *(_NAMED.get(name, name) for name in series.PLACE)})
"""Columns of run and environment with which a series is the same throughout, as the frame calls them."""


@dataclass(frozen=True)
class Needed:
    """What a table can use of the rows that its labels select. More than this changes nothing in it."""

    metrics: frozenset[str]
    """Of measurements; builds and runs that are not ok are needed whatever the metric."""
    parts: frozenset[str] | None = None
    """None: all of them. Of what has none of these, one other part is kept: it tells that something was measured."""
    history: bool = False
    """All runs; else, of each series, those in any session that is the newest of one of the series."""


@dataclass(frozen=True)
class Kept:
    """Ids of rows that answer a need. Of runs nothing where all are kept."""

    quantities: tuple[int, ...]
    ordinals: tuple[int, ...] = ()
    """Where measurements of these quantities stand in their runs; something else may stand there in others."""
    measured: tuple[int, ...] = ()
    built: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()


def kept(connection: Connection, labels: Mapping[str, Sequence[str]], needed: Needed) -> Kept:
    """Find the runs and quantities that answer a need. labels: placement column to values; "" is the absent one."""
    quantities = _quantities(connection, needed)
    if needed.history:
        return Kept(quantities)
    runs = _runs(connection, labels)
    shaped = connection.execute(_shaped_query(), {"quantities": quantities}).all()
    shapes = {row.shape_id for row in shaped}
    return Kept(
        quantities,
        tuple(sorted({row.ordinal for row in shaped})),
        tuple(row.id for row in runs if row.status == Status.OK and row.kind != "build" and row.shape_id in shapes),
        tuple(row.id for row in runs if row.status == Status.OK and row.kind == "build"),
        tuple(row.id for row in runs if row.status != Status.OK),
    )


def _runs(connection: Connection, labels: Mapping[str, Sequence[str]]) -> list[Row[Any]]:
    """Find the runs of each series' newest session, and those of sessions that went on while it was the newest."""
    runs = list(connection.execute(newest_query(tuple(labels), is_left(labels)), dict(labels)))
    ages: dict[int, tuple[Any, str]] = {}
    last: dict[str, tuple[Any, str]] = {}
    first = {run.session: run.first for run in runs}
    for run in runs:
        age = (run.counts_from, run.name)
        ages[run.series_id] = max(age, ages.get(run.series_id, age))
        last[run.session] = max(age, last.get(run.session, age))
    own = {run.series_id: run.session for run in runs}
    moments = [(session, first[session], last[session]) for session in first]
    beside = [
        (one, session)
        for one, age in ages.items()
        for session, begun, ended in moments
        if begun <= age[0] and ended > age and session != own[one]
    ]
    if not beside:
        return runs
    asked = {"series": sorted({one for one, _ in beside}), "sessions": sorted({session for _, session in beside})}
    return list({run.id: run for run in (*runs, *connection.execute(beside_query(), asked))}.values())


def is_left(labels: Mapping[str, Sequence[str]]) -> bool:
    """Say whether labels select also what is not placed at all."""
    return all("" in values for values in labels.values())


@functools.lru_cache(maxsize=64)
def newest_query(labels: tuple[str, ...], left: bool) -> Select[Any]:
    """Ask for each series that labels select for the runs of its newest run's session; parameters: the labels' values."""
    latest = select(_RUN.c.session).where(_RUN.c.series_id == _SERIES.c.id)
    latest = latest.order_by(_RUN.c.counts_from.desc(), _RUN.c.name.desc()).limit(1)
    query = select(_SERIES.c.id, _SERIES.c.shape_id, _JOB.c.kind)
    query = query.add_columns(latest.correlate(_SERIES).scalar_subquery().label("session"))
    placed = (_PLACEMENT.c.job_key == _JOB.c.key) & (_PLACEMENT.c.environment == _SERIES.c.environment)
    tables = _SERIES.join(_JOB, _JOB.c.id == _SERIES.c.job_id)
    if labels:
        tables = tables.join(_PLACEMENT, placed, isouter=left)
    columns = [(name, func.coalesce(_PLACEMENT.c[name], "") if left else _PLACEMENT.c[name]) for name in labels]
    conditions = [column.in_(bindparam(name, expanding=True)) for name, column in columns]
    newest = query.select_from(tables).where(*conditions).distinct().cte("newest")
    other = _RUN.alias()
    begun = select(func.min(other.c.counts_from)).where(other.c.session == _RUN.c.session).correlate(_RUN)
    same = (_RUN.c.series_id == newest.c.id) & (_RUN.c.session == newest.c.session)
    facts = [_RUN.c[name] for name in ("id", "series_id", "session", "counts_from", "name", "status")]
    found = select(*facts, newest.c.shape_id, newest.c.kind, begun.scalar_subquery().label("first"))
    return found.select_from(newest.join(_RUN, same))


@functools.lru_cache(maxsize=1)
def beside_query() -> Select[Any]:
    """Ask for the runs of `series` in `sessions`."""
    query = select(_RUN.c.id, _RUN.c.status, _SERIES.c.shape_id, _JOB.c.kind)
    query = query.select_from(
        _RUN.join(_SERIES, _SERIES.c.id == _RUN.c.series_id).join(_JOB, _JOB.c.id == _RUN.c.job_id)
    )
    return query.where(ids_in(_RUN.c.series_id, "series"), _RUN.c.session.in_(bindparam("sessions", expanding=True)))


@functools.lru_cache(maxsize=1)
def _shaped_query() -> Select[Any]:
    return select(_SHAPED.c.shape_id, _SHAPED.c.ordinal).where(ids_in(_SHAPED.c.quantity_id, "quantities"))


def ids_in(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Compare with any number of row ids: written into the statement, since a database counts its parameters."""
    return column.in_(bindparam(name, expanding=True, literal_execute=True))


def _quantities(connection: Connection, needed: Needed) -> tuple[int, ...]:
    """Return the quantities with a needed metric and part, and one for what a shape has in other parts only."""
    columns = [_QUANTITY.c[name] for name in ("id", "part", *_TOLD_APART)]
    rows = connection.execute(select(*columns).where(_QUANTITY.c.metric.in_(sorted(needed.metrics)))).all()
    if needed.parts is None:
        return tuple(row.id for row in rows)
    direct = {row.id for row in rows if row.part in needed.parts}
    group = {row.id: tuple(row)[2:] for row in rows}
    return tuple(sorted(direct | _instead(connection, direct, group)))


_TOLD_APART = ("metric", "metric_version", "source", "comparison", "baseline")


def _instead(connection: Connection, direct: set[int], group: Mapping[int, tuple[Any, ...]]) -> set[int]:
    """Choose, for each shape and all but the part alike, a quantity where none has a part that is needed."""
    others = {group[one] for one in group if one not in direct}
    asked = [one for one in group if group[one] in others]
    if not asked:
        return set()
    query = select(_SHAPED.c.shape_id, _SHAPED.c.quantity_id).where(ids_in(_SHAPED.c.quantity_id, "asked"))
    first: dict[tuple[int, tuple[Any, ...]], int] = {}
    for shape, one in connection.execute(query, {"asked": asked}):
        key = (shape, group[one])
        if key not in first or one in direct:
            first[key] = one
    return set(first.values()) - direct
