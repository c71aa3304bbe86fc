"""What of all history a table needs: the newest session of every configuration, and the variants that its cells name."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select

from harness.core.spec import Status
from harness.store import configurations
from harness.store import models as m
from harness.store.row import table

_RUN, _JOB, _LABEL, _METRIC_VARIANT = table(m.RunRow), table(m.JobRow), table(m.LabelRow), table(m.MetricVariantRow)
_CONFIGURATION = table(m.ConfigurationRow)
_NAMED = {"name": "environment", "machine_id": "machine"}
CONSTANT = frozenset({*configurations.CONDITIONS, *(_NAMED.get(name, name) for name in configurations.PLACE)})
"""Columns of run and environment with which a configuration is the same throughout, as the frame calls them."""
Layout = tuple[int, ...]
"""Which variants the runs of a configuration gave, in their order."""


@dataclass(frozen=True)
class LatestQuery:
    """What a table can use of the rows that its labels select. More than this changes nothing in it."""

    metrics: frozenset[str]
    """Of measurements; builds and runs that are not ok are needed whatever the metric."""
    parts: frozenset[str] | None = None
    """None: all of them. Of what has none of these, one other part is kept: it tells that something was measured."""
    history: bool = False
    """All runs; else, of each configuration, those in any session that is the newest of one of them."""


@dataclass(frozen=True)
class Kept:
    """Ids of rows that answer a need. Of runs nothing where all are kept."""

    variants: tuple[int, ...]
    ordinals: tuple[int, ...] = ()
    """Where measurements of these variants stand in their runs; something else may stand there in others."""
    measured: tuple[int, ...] = ()
    built: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()


def kept(connection: Connection, labels: Mapping[str, Sequence[str]], needed: LatestQuery) -> Kept:
    """Find the runs and variants that answer a need. labels: label column to values; "" is the absent one."""
    runs = None if needed.history else _runs(connection, labels)
    layouts = _layouts(connection, None if runs is None else {run.configuration_id for run in runs})
    variants = _variants(connection, needed, set(layouts.values()))
    wanted = set(variants)
    stand = {one: [place for place, item in enumerate(one) if item in wanted] for one in set(layouts.values())}
    ordinals = tuple(sorted({place for places in stand.values() for place in places}))
    if runs is None:
        return Kept(variants, ordinals)
    good = [run for run in runs if run.status == Status.OK]
    return Kept(
        variants,
        ordinals,
        tuple(run.id for run in good if run.kind != "build" and stand[layouts[run.configuration_id]]),
        tuple(run.id for run in good if run.kind == "build"),
        tuple(run.id for run in runs if run.status != Status.OK),
    )


def _layouts(connection: Connection, which: set[int] | None) -> dict[int, Layout]:
    """Read the layouts of configurations, of all where None; there are few different ones."""
    query = select(_CONFIGURATION.c.id, _CONFIGURATION.c.quantities)
    if which is not None:
        query = query.where(ids_in(_CONFIGURATION.c.id, "which"))
    rows = connection.execute(query, {} if which is None else {"which": sorted(which)}).all()
    read = {text: tuple(json.loads(text)) for text in {row.quantities for row in rows}}
    return {row.id: read[row.quantities] for row in rows}


def _runs(connection: Connection, labels: Mapping[str, Sequence[str]]) -> list[Row[Any]]:
    """Find the runs of each configuration's newest session, and those of sessions that went on while it was the newest."""
    runs = list(connection.execute(newest_query(tuple(labels), is_left(labels)), dict(labels)))
    ages: dict[int, tuple[Any, str]] = {}
    last: dict[str, tuple[Any, str]] = {}
    first = {run.session: run.first for run in runs}
    for run in runs:
        age = (run.counts_from, run.name)
        ages[run.configuration_id] = max(age, ages.get(run.configuration_id, age))
        last[run.session] = max(age, last.get(run.session, age))
    own = {run.configuration_id: run.session for run in runs}
    moments = [(session, first[session], last[session]) for session in first]
    beside = [
        (one, session)
        for one, age in ages.items()
        for session, begun, ended in moments
        if begun <= age[0] and ended > age and session != own[one]
    ]
    if not beside:
        return runs
    asked = {
        "configurations": sorted({one for one, _ in beside}),
        "sessions": sorted({session for _, session in beside}),
    }
    return list({run.id: run for run in (*runs, *connection.execute(beside_query(), asked))}.values())


def is_left(labels: Mapping[str, Sequence[str]]) -> bool:
    """Say whether labels select also what is not placed at all."""
    return all("" in values for values in labels.values())


@functools.lru_cache(maxsize=64)
def newest_query(labels: tuple[str, ...], left: bool) -> Select[Any]:
    """Ask for each configuration that labels select for the runs of its newest run's session; parameters: the labels' values."""
    latest = select(_RUN.c.session).where(_RUN.c.configuration_id == _CONFIGURATION.c.id)
    latest = latest.order_by(_RUN.c.counts_from.desc(), _RUN.c.name.desc()).limit(1)
    query = select(_CONFIGURATION.c.id, _JOB.c.kind)
    query = query.add_columns(latest.correlate(_CONFIGURATION).scalar_subquery().label("session"))
    placed = (_LABEL.c.job_key == _JOB.c.key) & (_LABEL.c.environment == _CONFIGURATION.c.environment)
    tables = _CONFIGURATION.join(_JOB, _JOB.c.id == _CONFIGURATION.c.job_id)
    if labels:
        tables = tables.join(_LABEL, placed, isouter=left)
    columns = [(name, func.coalesce(_LABEL.c[name], "") if left else _LABEL.c[name]) for name in labels]
    conditions = [column.in_(bindparam(name, expanding=True)) for name, column in columns]
    newest = query.select_from(tables).where(*conditions).distinct().cte("newest")
    other = _RUN.alias()
    begun = select(func.min(other.c.counts_from)).where(other.c.session == _RUN.c.session).correlate(_RUN)
    same = (_RUN.c.configuration_id == newest.c.id) & (_RUN.c.session == newest.c.session)
    facts = [_RUN.c[name] for name in ("id", "configuration_id", "session", "counts_from", "name", "status")]
    found = select(*facts, newest.c.kind, begun.scalar_subquery().label("first"))
    return found.select_from(newest.join(_RUN, same))


@functools.lru_cache(maxsize=1)
def beside_query() -> Select[Any]:
    """Ask for the runs of `configurations` in `sessions`."""
    query = select(_RUN.c.id, _RUN.c.status, _RUN.c.configuration_id, _JOB.c.kind)
    query = query.select_from(_RUN.join(_JOB, _JOB.c.id == _RUN.c.job_id))
    within = _RUN.c.session.in_(bindparam("sessions", expanding=True))
    return query.where(ids_in(_RUN.c.configuration_id, "configurations"), within)


def ids_in(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Compare with any number of row ids: written into the statement, since a database counts its parameters."""
    return column.in_(bindparam(name, expanding=True, literal_execute=True))


def _variants(connection: Connection, needed: LatestQuery, layouts: set[Layout]) -> tuple[int, ...]:
    """Return the variants with a needed metric and part, and one for what a layout has in other parts only."""
    columns = [_METRIC_VARIANT.c[name] for name in ("id", "slice", *_TOLD_APART)]
    rows = connection.execute(select(*columns).where(_METRIC_VARIANT.c.metric.in_(sorted(needed.metrics)))).all()
    if needed.parts is None:
        return tuple(row.id for row in rows)
    direct = {row.id for row in rows if row.slice in needed.parts}
    group = {row.id: tuple(row)[2:] for row in rows}
    return tuple(sorted(direct | _instead(layouts, direct, group)))


_TOLD_APART = ("metric", "metric_version", "source", "comparison", "baseline")


def _instead(layouts: set[Layout], direct: set[int], group: Mapping[int, tuple[Any, ...]]) -> set[int]:
    """Choose, for each layout and all but the part alike, a variant where none has a part that is needed."""
    found: set[int] = set()
    for layout in layouts:
        asked = [one for one in layout if one in group]
        covered = {group[one] for one in asked if one in direct}
        first = {group[one]: one for one in reversed(asked) if group[one] not in covered}
        found |= set(first.values())
    return found
