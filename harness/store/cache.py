"""What earlier runs make known: artifacts by id, quality by job, engine packages, provider, GPU and content, and time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, Select, func, select

from harness.core.spec import BuildSpec, MeasureSpec, Status
from harness.store import models as m
from harness.store.mark import VOID
from harness.store.row import chunks, table

_SEALING = ("build", "reference")
"""Kinds of jobs that make an artifact."""


@dataclass(frozen=True)
class CachedRun:
    """A finished quality run, with what decides whether it counts for a job here and now."""

    run: str
    environment: str
    packages: Mapping[str, str]
    """Every distribution of its environment; the engine's own are the caller's to pick."""
    provider: str | None
    gpu: str | None
    artifact_content: str | None
    inputs: Mapping[str, str | None]
    """Content hash by role."""
    unverified: bool = False
    """Whether it was measured while a float artifact behind it was not held against its model."""


@dataclass(frozen=True)
class Maker:
    """A run that made an artifact or a stored reference."""

    job_key: str
    environment: str
    environment_id: str
    machine: str
    moment: str
    """When it counts from: ISO, UTC."""


@dataclass(frozen=True)
class History:
    """Median seconds of jobs that were ok."""

    by_key: Mapping[str, float] = field(default_factory=dict)
    by_shape: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    """By kind, probe (of builds: quantizer), engine (of builds: empty) and model label."""

    def seconds(self, key: str, shape: tuple[str, str, str, str] | None = None) -> float | None:
        """Estimate a job by its own history, else by that of its like; None where there is none."""
        if key in self.by_key:
            return self.by_key[key]
        return self.by_shape.get(shape) if shape else None


def newest(connection: Connection) -> datetime | None:
    """Return the latest moment at which a run that was measured here counts as begun."""
    run = table(m.RunRow)
    found: datetime | None = connection.execute(
        select(func.max(run.c.counts_from)).where(run.c.origin == "measured")
    ).scalar_one()
    return found


def known_artifacts(connection: Connection) -> dict[str, str]:
    """Return the content hash of every artifact that a run sealed, by id; of several, the latest one's."""
    return {row.artifact: row.artifact_content for row in connection.execute(_sealed())}


def artifact_runs(connection: Connection) -> dict[str, str]:
    """Return the run that sealed each artifact, by id; of several, the latest one."""
    return {row.artifact: row.name for row in connection.execute(_sealed())}


def _sealed() -> Select[Any]:
    """Ask for the runs that sealed an artifact, the latest last: a build or reference knows a content only of its own."""
    run, job = table(m.RunRow), table(m.JobRow)
    query = select(run.c.artifact, run.c.artifact_content, run.c.name).join(job, job.c.id == run.c.job_id)
    sealed = query.where(job.c.kind.in_(_SEALING), run.c.status == Status.OK.value, run.c.artifact_content.is_not(None))
    return sealed.order_by(run.c.counts_from, run.c.name)


def makers(connection: Connection) -> dict[str, list[Maker]]:
    """Return who made each artifact and stored reference, by its id, the latest last; a run that a person does not let count made its own, too."""
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    moment = func.coalesce(run.c.counts_from, run.c.started).label("moment")
    query = select(run.c.artifact, job.c.key, place.c.name, place.c.digest, place.c.machine_id, moment).select_from(
        run.join(job, job.c.id == run.c.job_id).join(place, place.c.id == run.c.environment_id)
    )
    sealed = run.c.artifact.is_not(None) & run.c.artifact_content.is_not(None)  # a void run may have failed before
    made = query.where(job.c.kind.in_(_SEALING), run.c.status.in_([Status.OK.value, VOID]), sealed)
    found: dict[str, list[Maker]] = defaultdict(list)
    for row in connection.execute(made.order_by(moment, run.c.name)):
        found[row.artifact].append(Maker(row.key, row.name, row.digest, row.machine_id, row.moment.isoformat()))
    return dict(found)


def specs(connection: Connection, keys: Iterable[str]) -> dict[str, BuildSpec | MeasureSpec]:
    """Return what jobs ask, by key; a key that no job has is absent."""
    job = table(m.JobRow)
    found: dict[str, BuildSpec | MeasureSpec] = {}
    for some in chunks(sorted(set(keys))):
        rows = connection.execute(select(job.c.key, job.c.kind, job.c.spec).where(job.c.key.in_(some)))
        for key, kind, text in rows:
            found[key] = (
                BuildSpec.model_validate_json(text) if kind == "build" else MeasureSpec.model_validate_json(text)
            )
    return found


def known_quality(connection: Connection, keys: Iterable[str]) -> dict[str, list[CachedRun]]:
    """Return the finished, measured quality runs of each job key, latest first; keys without one are absent."""
    run, job, environment = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    query = (
        select(
            job.c.key,
            run.c.id,
            run.c.name,
            run.c.provider,
            run.c.artifact_content,
            environment.c.id.label("place"),
            environment.c.name.label("environment"),
            environment.c.gpu,
        )
        .join(run, run.c.job_id == job.c.id)
        .join(environment, environment.c.id == run.c.environment_id)
        .where(job.c.kind == "quality", run.c.status == Status.OK.value, run.c.origin == "measured")
        .order_by(run.c.counts_from.desc(), run.c.name.desc())
    )
    rows = [row for some in chunks(keys) for row in connection.execute(query.where(job.c.key.in_(some)))]
    packages = _packages(connection, {row.place for row in rows})
    inputs, doubted = _told(connection, [row.id for row in rows])
    found: dict[str, list[CachedRun]] = defaultdict(list)
    for row in rows:
        known = CachedRun(
            run=row.name,
            environment=row.environment,
            packages=packages[row.place],
            provider=row.provider,
            gpu=row.gpu,
            artifact_content=row.artifact_content,
            inputs=inputs.get(row.id, {}),
            unverified=row.id in doubted,
        )
        found[row.key].append(known)
    return dict(found)


def failed_at_last(connection: Connection, keys: Iterable[str]) -> set[tuple[str, str]]:
    """Return key and environment of jobs of which the last session that tried them has a last attempt that failed.

    What this machine cannot run, and what a person does not let count, was not tried.
    """
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    query = select(job.c.key, place.c.name, run.c.session, run.c.round, run.c.status)
    query = query.select_from(run.join(job, job.c.id == run.c.job_id).join(place, place.c.id == run.c.environment_id))
    tried = query.where(run.c.origin == "measured", run.c.status.not_in([VOID, Status.UNSUPPORTED.value]))
    tried = tried.order_by(run.c.counts_from, run.c.name)
    last: dict[tuple[str, str], tuple[str, dict[int, str]]] = {}
    for some in chunks(sorted(set(keys))):
        for key, environment, session, turn, status in connection.execute(tried.where(job.c.key.in_(some))):
            known = last.get((key, environment))
            if known is None or known[0] != session:
                last[key, environment] = known = (session, {})
            known[1][turn] = status
    return {name for name, (_, ended) in last.items() if set(ended.values()) != {Status.OK.value}}


def history(connection: Connection) -> History:
    """Read how long jobs took, by key and by kind, probe, engine and model."""
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.LabelRow)
    query = (
        select(job.c.key, job.c.kind, job.c.probe, job.c.quantizer, job.c.engine, run.c.seconds)
        .join(run, run.c.job_id == job.c.id)
        .where(run.c.status == Status.OK.value, run.c.origin == "measured")
    )
    models: dict[str, set[str]] = defaultdict(set)
    for key, model in connection.execute(select(place.c.job_key, place.c.model).distinct()):
        models[key].add(model)
    by_key: dict[str, list[float]] = defaultdict(list)
    by_shape: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for row in connection.execute(query):
        by_key[row.key].append(row.seconds)
        for model in models.get(row.key, {""}):
            by_shape[row.kind, row.probe or row.quantizer or "", row.engine or "", model].append(row.seconds)
    return History(
        {key: median(values) for key, values in by_key.items()},
        {shape: median(values) for shape, values in by_shape.items()},
    )


def _packages(connection: Connection, ids: set[int]) -> dict[int, Mapping[str, str]]:
    environment = table(m.EnvironmentRow)
    query = select(environment.c.id, environment.c.json)
    rows = [row for some in chunks(ids) for row in connection.execute(query.where(environment.c.id.in_(some)))]
    return {row.id: json.loads(row.json)["packages"] for row in rows}


def _told(connection: Connection, runs: Sequence[int]) -> tuple[dict[int, dict[str, str | None]], set[int]]:
    """Return what each run read, content hash by role, and the runs behind which a float artifact was not verified."""
    outcome = table(m.OutcomeRow)
    inputs, doubted = {}, set()
    for some in chunks(runs):
        for id_, text in connection.execute(select(outcome.c.run_id, outcome.c.json).where(outcome.c.run_id.in_(some))):
            raw = json.loads(text)
            inputs[id_] = {one["role"]: one.get("content") for one in raw.get("inputs") or raw["job"].get("inputs", ())}
            if any(note["code"] == "unverified" for note in raw.get("notes", ())):
                doubted.add(id_)
    return inputs, doubted
