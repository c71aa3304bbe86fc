"""A session is one command's worth of jobs. An interrupted one is continued by the same command."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.files import write_whole
from harness.plan.expand import Plan, PlannedJob
from harness.runner.job_memory import JobMemory
from harness.store import files
from harness.store.session import SessionJob, SessionRecord


def begin(
    results: Path, plan: Plan, now: datetime, not_before: datetime | None = None, name: str = ""
) -> tuple[SessionRecord, bool]:
    """Continue the last unfinished session of this plan, else start one and write it; tells whether it continues. name: of one that starts, if free."""
    found = next((one for one in _unfinished(results, plan.sweep) if one.plan == plan.digest), None)
    if found is not None:
        return found, True
    is_free = name and not _path(results, name).exists()
    started = SessionRecord(
        session=name if is_free else _name(now),
        sweep=plan.sweep,
        started=now,
        not_before=not_before,
        plan=plan.digest,
        chosen=plan.chosen is not None,
        jobs=tuple(_job(job, None) for job in placed(plan)),
    )
    write(results, started)
    return started, False


def drawn(results: Path, sweep: str, planned: Callable[[str], Plan], now: datetime) -> tuple[Plan, str]:
    """Plan rounds of which the name of their session draws the order; also return that name.

    planned: gives the plan that a name draws. It is that of the last unfinished session of the same rounds, else of one that starts now.
    """
    name = _name(now)
    fresh = planned(name)
    asked = Counter((job.key, job.environment) for job in placed(fresh))
    for found in _unfinished(results, sweep):
        if not found.chosen or Counter((job.key, job.environment) for job in found.jobs) != asked:
            continue
        if (plan := planned(found.session)).digest == found.plan:
            return plan, found.session
    return fresh, name


def _unfinished(results: Path, sweep: str) -> list[SessionRecord]:
    """List the unfinished sessions of a sweep, newest first."""
    there: list[SessionRecord] = []
    for path in (results / files.SESSIONS).glob("*.json"):
        with suppress(ConfigError):  # told where the folder is taken in
            there.append(files.read_session(path))
    mine = (one for one in there if one.sweep == sweep and one.finished is None)
    return sorted(mine, key=lambda one: one.age, reverse=True)


def _path(results: Path, session: str) -> Path:
    return results / files.SESSIONS / f"{session}.json"


def _name(now: datetime) -> str:
    """Name a session so that names sort by time, also within a second."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{now.microsecond:05x}{secrets.token_hex(2)[1:]}"


def finish(results: Path, session: SessionRecord, plan: Plan, memory: JobMemory, now: datetime) -> SessionRecord:
    """Close a session: every job was run, known, refused, blocked or not needed; `memory` knows which run answers it."""
    jobs = tuple(_job(job, memory.runs.get(job.id), memory.stopped.get(job.id)) for job in placed(plan))
    closed = session.model_copy(update={"finished": now, "jobs": jobs})
    write(results, closed)
    return closed


def placed(plan: Plan) -> list[PlannedJob]:
    """List the jobs that belong to this machine."""
    return [job for job in plan.jobs if not job.other_gpu]


def write(results: Path, session: SessionRecord) -> None:
    """Write a session's file, whole."""
    path = _path(results, session.session)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, session.model_dump_json(indent=1) + "\n")


def _job(job: PlannedJob, run: str | None, stopped: str | None = None) -> SessionJob:
    return SessionJob(
        key=job.key, kind=job.kind, environment=job.environment, labels=job.labels, run=run, stopped=stopped
    )
