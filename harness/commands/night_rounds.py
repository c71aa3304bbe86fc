"""Rounds of a night: run in blocks, looked at while they run, and read back as numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rich.console import Console

from harness.commands.progress import Show
from harness.comparing.comparison import ComparedNumber
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.identity import digest
from harness.core.metric import metric
from harness.core.registry import load
from harness.core.spec import MeasureSpec
from harness.night.acknowledged import COVERS
from harness.night.canary import is_measured
from harness.night.judging import NightFound
from harness.pages.history import SERIES
from harness.plan.expand import Plan, PlannedJob
from harness.probes import PROBES
from harness.published.sources import NumberSource
from harness.runner.live import LivePair
from harness.runner.loop import execute
from harness.runner.night import NightStop, night_plan
from harness.runner.opened import Event, OpenWorkspace
from harness.store.where import ConditionValue
from harness.tables.rows import text_of

PairNumbers = Callable[[str, str, int], str]
"""Says of a session, a pair and so many blocks why they are enough."""


@dataclass(frozen=True)
class NightReading:
    """How numbers of a night are read. identity: by key of a job, what its series have beside job and machine."""

    where: Mapping[str, Sequence[ConditionValue]]
    identity: Mapping[str, str]
    disturbed: bool = False


@dataclass(frozen=True)
class RoundsAsked:
    """Which rounds are to run. live: which two sides they compare, in words."""

    pairs: Sequence[LivePair]
    live: str
    most: int
    budget: float
    seed: int
    """Of the night."""
    reserved: set[str] = field(default_factory=set)
    """Pairs for which time to measure them again is kept; whoever decides fills it."""
    spent: Callable[[float], None] = lambda seconds: None
    """Told after each round how many seconds this command's took so far: a night that is cut off then knows what is left of its budget."""


def run_rounds(
    plan: Plan, asked: RoundsAsked, opened: OpenWorkspace, console: Console, decided: PairNumbers
) -> tuple[str, NightStop]:
    """Run pairs in blocks; return the session and what was decided. A pair that breaks ends alone."""
    rounds, places = night_plan(plan, asked.pairs, asked.live, asked.most, asked.seed)
    session = [""]
    stop = NightStop(
        places,
        lambda pair, blocks: decided(session[0], pair, blocks),
        time.monotonic,
        asked.budget,
        reserved=asked.reserved,
    )
    with Show(console, {}, rounds.jobs) as show:
        for event in execute(rounds, opened, stop=stop):
            if event.what == "session":
                session[0] = event.text.splitlines()[0]
            if event.job is not None and event.job.id in places:
                _note(event, event.job, stop)
                if event.what == "done":
                    asked.spent(stop.used)
            if event.what not in {"enough", "skipped"}:
                show.event(event)
    return session[0], stop


def _note(event: Event, job: PlannedJob, stop: NightStop) -> None:
    if event.what == "begin":
        stop.began(job)
    elif event.what in {"known", "done"}:
        good = event.what == "known" or event.status == "ok"
        stop.landed(
            job, "" if good else f"round {job.round + 1} in {job.environment} came to {event.status}: {event.text}"
        )
    elif event.what in {"blocked", "refused", "unverified"}:
        stop.landed(job, f"it cannot be measured in {job.environment}: {event.text}")


def numbers_of(pair: LivePair, session: str, opened: OpenWorkspace, reading: NightReading) -> list[ComparedNumber]:
    """Compare what a session has measured of a pair; nothing where it has no number of either side."""
    source = NumberSource(opened.database)
    sides = [
        side_where(
            jobs[0].environment, source,
            {**reading.where, "session": session, "kind": "speed", "environment": jobs[0].environment, "job_key": [job.key for job in jobs]},
        )
        for jobs in (pair.before, pair.after)
    ]  # fmt: skip
    if not any(side.rows for side in sides):
        return []
    return compared_sides(sides[0], sides[1], disturbed=reading.disturbed)[0]


def found_of(
    name: str, numbers: Sequence[ComparedNumber], opened: OpenWorkspace, reading: NightReading
) -> list[NightFound]:
    """Say what numbers are: which series each belongs to, and what it covers."""
    columns = list(dict.fromkeys([*SERIES, "measurement_id", "metric_version", *COVERS]))
    ids = [one.measurement for one in numbers if one.measurement]
    rows = rows_of_all(opened, ids, columns)
    found = []
    for one in numbers:
        row = rows.get(one.measurement, {})
        kept = [row.get(column) or "" for column in (*SERIES, "metric_version") if column != "environment"]
        series = digest([*kept, reading.identity.get(str(row.get("job_key")), "")])[:16] if row else ""
        covers = {column: text_of(value) for column in COVERS if (value := row.get(column)) not in {None, ""}}
        found.append(NightFound(_named(one, name), name, series, covers))
    return found


def family_of(plan: Plan, side: str, where: Mapping[str, Sequence[ConditionValue]]) -> int:
    """Count the numbers of a plan that a night may judge. where: narrows speed, as in `numbers_of`."""
    wanted = where.get("metric")
    found = 0
    for job in plan.jobs:
        if job.round == 0 and isinstance(job.spec, MeasureSpec) and is_measured(job, side):
            names = [name for name in load(PROBES, "probe", job.spec.probe).yields if metric(name).better != "none"]
            found += sum(job.kind != "speed" or wanted is None or name in wanted for name in names)
    return found


def rows_of_all(opened: OpenWorkspace, ids: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, object]]:
    """Read what is known of measurements, by their ids."""
    if not ids:
        return {}
    result = opened.database.select({"measurement_id": list(ids)}, list(columns))
    return {str(record["measurement_id"]): {name: record[name] for name in columns} for record in result}


def _named(one: ComparedNumber, pair: str) -> ComparedNumber:
    return replace(one, name=", ".join(part for part in (pair, one.name) if part))
