"""A number over sessions: one series per job, GPU model, machine, environment and definition of the metric, with its changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.core.metric import Direction
from harness.core.metric import metric as metric_named
from harness.core.outcome import Environment
from harness.numbers.change_points import LEAST, ChangePoint, change_points
from harness.store.database import Database
from harness.tables.rows import TableRow, rows_of

KEY = ("job_key", "gpu", "machine", "environment", "metric", "metric_version", "slice", "source")
"""What a series keeps: another GPU, machine or definition of the metric is a series of its own, never a change."""
NAMED = (
    "model",
    "method",
    "engine",
    "environment",
    "gpu",
    "machine",
    "prompt",
    "output",
    "batch",
    "task",
    "slice",
    "source",
    "metric_version",
)
"""What a series is called by, as far as series differ in it."""
_ALWAYS = ("model", "method")
_WANTED = tuple(
    dict.fromkeys(
        (*KEY, *NAMED, "run", "status", "reason", "session", "started", "counts_from", "environment_id", "harness", "driver", "system",
         "python", "value", "low", "high", "summary_value", "summary_low", "summary_high", "rounds", "unit", "better", "notes")
    )
)  # fmt: skip
_VOID = 3
"""Void runs that are named; the others are counted."""
_OLD = ("driver", "system", "python", "harness")
"""Columns beside packages that may have changed where a number did."""


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
    facts: Mapping[str, str]
    """What may have changed beside packages: driver, system, Python, harness."""


@dataclass(frozen=True)
class HistoryChange:
    """A change point, and what was recorded of both sides of it."""

    point: ChangePoint
    session: str
    moment: str
    way: str
    """`better`, `worse`, or empty where the metric has no direction."""
    changed: tuple[str, ...]
    """Packages, harness and system that are not what they were in the session before: `NAME OLD to NEW`."""


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


def history_of(metric: str, where: Mapping[str, object], sources: Sequence[Database]) -> list[HistorySeries]:
    """Read the history of a metric. sources: of a run that stands in several, the first one's counts; an empty answer is an empty list.

    What one of them knows to be void counts in none, as a published copy of before.
    """
    void = void_runs(sources)
    rows: dict[tuple[str, tuple[object, ...]], TableRow] = {}
    left: dict[tuple[object, ...], list[str]] = {}
    environments: dict[str, Environment] = {}
    for source in sources:
        environments = {**source.environments(), **environments}
        for row in rows_of(source.select({**where, "metric": [metric], "origin": "measured", "status": "ok"}, _WANTED)):
            if row.run in void:
                left.setdefault(_key(row), []).append(row.run)
            else:
                rows.setdefault((row.run, _key(row)), row)
    grouped: dict[tuple[object, ...], list[TableRow]] = {}
    for row in sorted(rows.values(), key=lambda row: row.age):
        grouped.setdefault(_key(row), []).append(row)
    names = _names([found[-1] for found in grouped.values()])
    gone = [_void_told(left.get(key, []), void) for key in grouped]
    return [
        _series(name, found, environments, told)
        for name, found, told in zip(names, grouped.values(), gone, strict=True)
    ]


def void_runs(sources: Sequence[Database]) -> dict[str, str]:
    """Return the runs that a source was told do not count, and why."""
    return {run: mark.void for source in sources for run, mark in source.marked.all().items() if mark.void}


def _void_told(runs: Sequence[str], void: Mapping[str, str]) -> list[str]:
    some = sorted(set(runs))
    more = f" and {len(some) - _VOID} more" if len(some) > _VOID else ""
    named = ", ".join(f"{run} ({void[run]})" for run in some[:_VOID])
    return [f"left out of what is published, since they are void: {named}{more}"] if some else []


def _key(row: TableRow) -> tuple[object, ...]:
    return tuple(row.get(name) for name in KEY)


def _names(rows: Sequence[TableRow]) -> Iterator[str]:
    """Call each series by what tells it from the others, model and method first."""
    told = [name for name in NAMED if name in _ALWAYS or len({row.text(name) for row in rows}) > 1]
    for row in rows:
        texts = [(name, row.text(name) or "") for name in told]
        yield ", ".join(_said(name, text) for name, text in texts if text) or str(row.metric)


def _said(name: str, text: str) -> str:
    if name == "metric_version":
        return f"definition {text}"
    return f"{name} {text}" if name in {"prompt", "output", "batch", "machine"} else text


def _series(
    name: str, rows: Sequence[TableRow], environments: Mapping[str, Environment], void: Sequence[str]
) -> HistorySeries:
    points, odd = _points(rows)
    told = [*odd, *void]
    last = rows[-1]
    metric = metric_named(last.metric or "")
    better: Direction = next((way for way in ("higher", "lower", "none") if way == last.text("better")), metric.better)
    found = change_points([point.value for point in points])
    changes = tuple(_change(one, points, better, environments) for one in found)
    if 0 < len(points) < 2 * LEAST:
        told.append(f"{len(points)} sessions: a change shows from {2 * LEAST} on")
    version = int(last.get("metric_version") or 1)
    return HistorySeries(
        name, last.metric or "", version, last.text("unit") or "", better, tuple(points), changes, tuple(told)
    )


def _points(rows: Iterable[TableRow]) -> tuple[list[HistoryPoint], list[str]]:
    """Make a point of each session; of several runs without a common mean the last one's. Says what was left out."""
    by_session: dict[str, TableRow] = {}
    for row in rows:
        session = row.text("session") or row.run
        by_session.pop(session, None)
        by_session[session] = row
    points, odd = list[HistoryPoint](), list[str]()
    for session, row in by_session.items():
        value = row.get("value") if row.get("rounds") is None else row.get("summary_value")
        if value is None or not math.isfinite(value):
            odd.append(session)
        else:
            points.append(_point(session, row, float(value)))
    return points, [f"left out, since their number is not finite: {', '.join(odd)}"] if odd else []


def _point(session: str, row: TableRow, value: float) -> HistoryPoint:
    ends = ("low", "high") if row.get("rounds") is None else ("summary_low", "summary_high")
    low, high = (row.get(end) for end in ends)
    facts = {name: row.text(name) or "" for name in _OLD}
    return HistoryPoint(
        session,
        row.age[0],
        value,
        low,
        high,
        int(row.get("rounds") or 1),
        row.run,
        row.text("environment_id") or "",
        facts,
    )


def _change(
    one: ChangePoint, points: Sequence[HistoryPoint], better: Direction, environments: Mapping[str, Environment]
) -> HistoryChange:
    before, after = points[one.place - 1], points[one.place]
    way = "" if better == "none" else "better" if (one.after > one.before) == (better == "higher") else "worse"
    return HistoryChange(one, after.session, after.moment, way, tuple(_changed(before, after, environments)))


def _changed(before: HistoryPoint, after: HistoryPoint, environments: Mapping[str, Environment]) -> Iterator[str]:
    """Say what is recorded otherwise of two sessions."""
    sides = [environments.get(point.environment_id) for point in (before, after)]
    packages = [side.packages if side else {} for side in sides]
    for name in sorted({*packages[0], *packages[1]}):
        old, new = (one.get(name, "none") for one in packages)
        if old != new:
            yield f"{name} {old} to {new}"
    for name in _OLD:
        if before.facts[name] != after.facts[name]:
            yield f"{name} {before.facts[name] or 'none'} to {after.facts[name] or 'none'}"
