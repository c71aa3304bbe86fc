"""A number over sessions: one series for what a job asks, GPU model, machine, environment and definition of the metric, with its changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.metric import Direction
from harness.core.metric import metric as metric_named
from harness.core.outcome import Environment
from harness.numbers.change_points import LEAST, ChangePoint, change_points
from harness.plots.asked import Lineage, lineage_of
from harness.plots.naming import LOOKED_AT, names_of
from harness.store.cache import Maker
from harness.store.database import Database
from harness.store.dimensions import gpu_of
from harness.tables.columns import PACKAGES
from harness.tables.rows import TableRow, rows_of

KEY = ("asked", "gpu", "machine", "environment", "metric", "metric_version", "slice", "source")
"""What a series keeps: another GPU, machine or definition of the metric is a series of its own, never a change."""
_WANTED = tuple(
    dict.fromkeys(
        ("job_key", *KEY[1:], *LOOKED_AT, "run", "status", "reason", "session", "started", "counts_from", "environment_id",
         "value", "low", "high", "summary_value", "summary_low", "summary_high", "rounds", "unit", "better", "notes")
    )
)  # fmt: skip
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
    told: Sequence[str]


def history_of(metric: str, where: Mapping[str, object], sources: Sequence[Database]) -> list[HistorySeries]:
    """Read the history of a metric. sources: of a run that stands in several, the first one's counts; an empty answer is an empty list.

    What one of them knows to be void counts in none, as a published copy of before.
    """
    void = void_runs(sources)
    rows, known = _read(metric, where, sources)
    left: dict[tuple[object, ...], list[str]] = {}
    grouped: dict[tuple[object, ...], list[TableRow]] = {}
    for row in rows:
        key = _key(row, known.lineage)
        if row.run in void:
            left.setdefault(key, []).append(row.run)
        else:
            grouped.setdefault(key, []).append(row)
    parts: list[_Part] = []
    for key, found in grouped.items():
        told = _void_told(left.get(key, []), void)
        for place, part in _parts(found, known.lineage).items():
            named = TableRow({**part[-1].fields, "asked": key[0], "made_in": place})
            parts.append(_Part(named, part, told))
            told = []
    names = names_of([part.named for part in parts])
    return [_series(name, part, known) for name, part in zip(names, parts, strict=True)]


def _read(metric: str, where: Mapping[str, object], sources: Sequence[Database]) -> tuple[list[TableRow], _Known]:
    """Read the rows of a metric, each run's once, in the order in which they count, and what stands behind them."""
    rows: dict[tuple[object, ...], TableRow] = {}
    for source in sources:
        asked = {**where, "metric": [metric], "origin": "measured", "status": "ok"}
        for row in rows_of(source.select(asked, _WANTED)):
            rows.setdefault((row.run, *_place(row)), row)
    lineage = lineage_of(sources, {row.text("job_key") or "" for row in rows.values()})
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


def _parts(rows: list[TableRow], lineage: Lineage) -> dict[str, list[TableRow]]:
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
    """Say what is recorded otherwise of two sessions, in the order of what can change a number."""
    places = [("", before.environment_id, after.environment_id)]
    places += [
        ("made with ", before.made_in[one], after.made_in[one]) for one in before.made_in if one in after.made_in
    ]
    sides = [
        (word, environments[old], environments[new]) for word, old, new in places if {old, new} <= environments.keys()
    ]
    for kind in (_leading, _facts, _others):
        found = [(word, text) for word, old, new in sides for text in _differing(kind(old), kind(new))]
        here = {text for word, text in found if not word}
        yield from dict.fromkeys(word + text for word, text in found if not word or text not in here)


def _differing(old: Mapping[str, str | None], new: Mapping[str, str | None]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name) or 'none'} to {new.get(name) or 'none'}"


def _leading(place: Environment) -> dict[str, str | None]:
    return {name: version for name, version in place.packages.items() if name in PACKAGES}


def _facts(place: Environment) -> dict[str, str | None]:
    return {
        "CPU": place.cpu,
        "cores": str(place.cores),
        "GPU": gpu_of(place),
        "driver": place.gpus[0].driver if place.gpus else None,
        "CUDA": place.cuda,
        "system": place.system,
        "python": place.python,
        "harness": place.harness,
        **place.threads,
    }


def _others(place: Environment) -> dict[str, str | None]:
    return {name: version for name, version in place.packages.items() if name not in PACKAGES}
