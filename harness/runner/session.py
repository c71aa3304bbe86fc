"""A session is one command's worth of jobs. An interrupted one is continued by the same command."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.files import write_whole
from harness.plan.expand import Plan, PlannedJob
from harness.runner.job_memory import JobMemory
from harness.store import files
from harness.store.session import SessionJob, SessionRecord


def begin(results: Path, plan: Plan, now: datetime, not_before: datetime | None = None) -> tuple[SessionRecord, bool]:
    """Continue the last unfinished session of this plan, else start one and write it; tells whether it continues."""
    there: list[SessionRecord] = []
    for path in (results / files.SESSIONS).glob("*.json"):
        with suppress(ConfigError):  # told where the folder is taken in
            there.append(files.read_session(path))
    for found in sorted(there, key=lambda one: one.age, reverse=True):
        if found.sweep == plan.sweep and found.plan == plan.digest and found.finished is None:
            return found, True
    started = SessionRecord(
        session=_name(now),
        sweep=plan.sweep,
        started=now,
        not_before=not_before,
        plan=plan.digest,
        chosen=plan.chosen is not None,
        jobs=tuple(_job(job, None) for job in placed(plan)),
    )
    write(results, started)
    return started, False


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
    folder = results / files.SESSIONS
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{session.session}.json", session.model_dump_json(indent=1) + "\n")


def _job(job: PlannedJob, run: str | None, stopped: str | None = None) -> SessionJob:
    return SessionJob(
        key=job.key, kind=job.kind, environment=job.environment, labels=job.labels, run=run, stopped=stopped
    )
