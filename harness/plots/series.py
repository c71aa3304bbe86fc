"""A number over sessions: one series for what a job asks, GPU model, machine, environment and definition of the metric, with its changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.metric import Direction
from harness.core.metric import metric as metric_named
from harness.core.outcome import Environment
from harness.numbers.change_points import LEAST, ChangePoint, change_points
from harness.plots.asked import Lineage, lineage_of
from harness.plots.differences import changed_between
from harness.plots.naming import LOOKED_AT, names_of
from harness.store.cache import Maker
from harness.store.database import Database
from harness.tables.rows import TableRow, rows_of

KEY = ("asked", "gpu", "machine", "environment", "metric", "metric_version", "slice", "source")
"""What a series keeps: another GPU, machine or definition of the metric is a series of its own, never a change."""
_WANTED = tuple(
    dict.fromkeys(
        ("job_key", *KEY[1:], *LOOKED_AT, "run", "artifact", "artifact_content", "status", "reason", "session", "started", "counts_from", "environment_id",
         "value", "low", "high", "summary_value", "summary_low", "summary_high", "rounds", "unit", "better", "notes")
    )
)  # fmt: skip
_CALLED = ("model", "method", "recipe", "reference")
"""What series have alike that may be one, were it on record what built them."""
_LACKING = "what built it is not on record, so that a history begins anew with each build; publish or ingest the build"
_VOID = 3
"""Void runs that are named; the others are counted."""


@dataclass(frozen=True)
class HistoryPoint:
    """A session's number: of speed the mean over its rounds. low, high: its 95 % interval, None without one."""

    session: str
    moment: str
    """When it counts from: ISO, UTC; never before the session that the results folder saw before it."""
    value: float
    low: float | None
    high: float | None
    rounds: int
    run: str
    environment_id: str
    made_in: Mapping[str, str] = field(default_factory=dict)
    """Ids of the environments that made what was measured and what that was made from, by what each build was asked."""


@dataclass(frozen=True)
class HistoryChange:
    """A change point, and what was recorded of both sides of it."""

    point: ChangePoint
    session: str
    moment: str
    way: str
    """`better`, `worse`, or empty where the metric has no direction."""
    changed: tuple[str, ...]
    """What is not what it was in the session before, `NAME OLD to NEW`: packages whose version can change a number, devices,
    system and harness, other packages; `made with` says it of the environment that built what was measured."""


@dataclass(frozen=True)
class HistorySeries:
    """A number over sessions, in the order in which they count."""

    name: str
    metric: str
    version: int
    unit: str
    better: Direction
    points: tuple[HistoryPoint, ...]
    changes: tuple[HistoryChange, ...]
    told: tuple[str, ...]
    """What a reader must know: what was left out, or that there are too few points for a change."""


@dataclass(frozen=True)
class _Known:
    """What stands behind rows."""

    environments: Mapping[str, Environment]
    lineage: Lineage


@dataclass(frozen=True)
class _Part:
    """What becomes a series."""

    named: TableRow
    """Its last row, with what tells it from others."""
    rows: Sequence[TableRow]
    told: list[str]


def history_of(metric: str, where: Mapping[str, object], sources: Sequence[Database]) -> list[HistorySeries]:
    """Read the history of a metric. sources: of a run that stands in several, the first one's counts; an empty answer is an empty list.

    What one of them knows to be void counts in none, as a published copy of before.
    """
    rows, known = _read(metric, where, sources)
    parts = _told_apart(rows, known.lineage, void_runs(sources))
    for part in _lacking(parts, known.lineage):
        part.told.append(_LACKING)
    names = names_of([part.named for part in parts])
    return [_series(name, part, known) for name, part in zip(names, parts, strict=True)]


def _told_apart(rows: Iterable[TableRow], lineage: Lineage, void: Mapping[str, str]) -> list[_Part]:
    """Make a part of the rows of each series; what is void is left out, which the first part of its like tells."""
    left: dict[tuple[object, ...], list[str]] = {}
    grouped: dict[tuple[object, ...], list[TableRow]] = {}
    for row in rows:
        key = _key(row, lineage)
        if row.run in void:
            left.setdefault(key, []).append(row.run)
        else:
            grouped.setdefault(key, []).append(row)
    parts: list[_Part] = []
    for key, found in grouped.items():
        told = _void_told(left.get(key, []), void)
        for place, some in _by_maker(found, lineage).items():
            named = TableRow({**some[-1].fields, "asked": key[0], "made_in": place})
            parts.append(_Part(named, some, told))
            told = []
    return parts


def _read(metric: str, where: Mapping[str, object], sources: Sequence[Database]) -> tuple[list[TableRow], _Known]:
    """Read the rows of a metric, each run's once, in the order in which they count, and what stands behind them."""
    rows: dict[tuple[object, ...], TableRow] = {}
    for source in sources:
        asked = {**where, "metric": [metric], "origin": "measured", "status": "ok"}
        for row in rows_of(source.select(asked, _WANTED)):
            rows.setdefault((row.run, *_place(row)), row)
    folders = {
        row.text("artifact") or "" for row in rows.values() if row.get("artifact") == row.get("artifact_content")
    }
    lineage = lineage_of(sources, {row.text("job_key") or "" for row in rows.values()}, folders)
    environments: dict[str, Environment] = {}
    for source in sources:
        environments = {**source.environments(), **environments}
    return sorted(rows.values(), key=lambda row: row.age), _Known(environments, lineage)


def void_runs(sources: Sequence[Database]) -> dict[str, str]:
    """Return the runs that a source was told do not count, and why."""
    return {run: mark.void for source in sources for run, mark in source.marked.all().items() if mark.void}


def _void_told(runs: Sequence[str], void: Mapping[str, str]) -> list[str]:
    some = sorted(set(runs))
    more = f" and {len(some) - _VOID} more" if len(some) > _VOID else ""
    named = ", ".join(f"{run} ({void[run]})" for run in some[:_VOID])
    return [f"left out of what is published, since they are void: {named}{more}"] if some else []


def _key(row: TableRow, lineage: Lineage) -> tuple[object, ...]:
    return lineage.asked(row.text("job_key") or ""), *_place(row)


def _place(row: TableRow) -> tuple[object, ...]:
    return tuple(row.get(name) for name in KEY[1:])


def _session(row: TableRow) -> str:
    return row.text("session") or row.run


def _by_maker(rows: list[TableRow], lineage: Lineage) -> dict[str, list[TableRow]]:
    """Tell apart what environments made of the same, where a session holds one beside the other; what was made anew stays one series, named by none."""
    last = {(_session(row), row.text("job_key")): row for row in rows}
    places = {name: _made_in(row, lineage) for name, row in last.items()}
    by_session: dict[str, set[str]] = {}
    found: dict[str, list[TableRow]] = {}
    for row in rows:
        session = _session(row)
        place = places[session, row.text("job_key")]
        by_session.setdefault(session, set()).add(place)
        found.setdefault(place, []).append(row)
    return found if max(map(len, by_session.values())) > 1 else {"": rows}


def _lacking(parts: Iterable[_Part], lineage: Lineage) -> Iterator[_Part]:
    """Find the first of those that may be one history, were it on record what built them: they differ in nothing but what they read."""
    alike: dict[tuple[object, ...], list[_Part]] = {}
    for part in parts:
        row = part.named
        called = (row.text(name) for name in _CALLED)
        alike.setdefault((lineage.work(row.text("job_key") or ""), *_place(row), *called), []).append(part)
    for those in alike.values():
        if len({part.named.text("asked") for part in those}) > 1:
            lacking = (part for part in those if lineage.lacks(part.named.text("job_key") or ""))
            yield from itertools.islice(lacking, 1)


def _made_in(row: TableRow, lineage: Lineage) -> str:
    return ", ".join(dict.fromkeys(maker.environment for maker in _behind(row, lineage).values()))


def _behind(row: TableRow, lineage: Lineage) -> dict[str, Maker]:
    return lineage.behind(row.text("job_key") or "", row.age[0], row.text("machine") or "")


def _series(name: str, part: _Part, known: _Known) -> HistorySeries:
    points, odd = _points(part.rows, known.lineage)
    told = [*odd, *part.told]
    last = part.rows[-1]
    metric = metric_named(last.metric or "")
    better: Direction = next((way for way in ("higher", "lower", "none") if way == last.text("better")), metric.better)
    found = change_points([point.value for point in points])
    changes = tuple(_change(one, points, better, known.environments) for one in found)
    if 0 < len(points) < 2 * LEAST:
        told.append(f"{len(points)} sessions: a change shows from {2 * LEAST} on")
    version = int(last.get("metric_version") or 1)
    return HistorySeries(
        name, last.metric or "", version, last.text("unit") or "", better, tuple(points), changes, tuple(told)
    )


def _points(rows: Iterable[TableRow], lineage: Lineage) -> tuple[list[HistoryPoint], list[str]]:
    """Make a point of each session; of several runs without a common mean the last one's. Says what was left out."""
    by_session: dict[str, TableRow] = {}
    jobs: dict[str, set[str]] = {}
    for row in rows:
        session = _session(row)
        by_session.pop(session, None)
        by_session[session] = row
        jobs.setdefault(session, set()).add(row.text("job_key") or "")
    points, odd = list[HistoryPoint](), list[str]()
    for session, row in by_session.items():
        value = row.get("value") if row.get("rounds") is None else row.get("summary_value")
        if value is None or not math.isfinite(value):
            odd.append(session)
        else:
            points.append(_point(session, row, float(value), lineage))
    told = [f"left out, since their number is not finite: {', '.join(odd)}"] if odd else []
    told += [
        f"{session} measured {len(keys)} builds; the last counts" for session, keys in jobs.items() if len(keys) > 1
    ]
    return points, told


def _point(session: str, row: TableRow, value: float, lineage: Lineage) -> HistoryPoint:
    ends = ("low", "high") if row.get("rounds") is None else ("summary_low", "summary_high")
    low, high = (row.get(end) for end in ends)
    return HistoryPoint(
        session,
        row.age[0],
        value,
        low,
        high,
        int(row.get("rounds") or 1),
        row.run,
        row.text("environment_id") or "",
        {asked: maker.environment_id for asked, maker in _behind(row, lineage).items()},
    )


def _change(
    one: ChangePoint, points: Sequence[HistoryPoint], better: Direction, environments: Mapping[str, Environment]
) -> HistoryChange:
    before, after = points[one.place - 1], points[one.place]
    way = "" if better == "none" else "better" if (one.after > one.before) == (better == "higher") else "worse"
    return HistoryChange(one, after.session, after.moment, way, tuple(_changed(before, after, environments)))


def _changed(before: HistoryPoint, after: HistoryPoint, environments: Mapping[str, Environment]) -> Iterator[str]:
    """Say what is recorded otherwise of two sessions."""
    places = [("", before.environment_id, after.environment_id)]
    places += [
        ("made with ", before.made_in[one], after.made_in[one]) for one in before.made_in if one in after.made_in
    ]
    sides = [
        (word, environments[old], environments[new]) for word, old, new in places if {old, new} <= environments.keys()
    ]
    return changed_between(sides)
