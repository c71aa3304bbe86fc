"""Batches that an earlier command handed over and did not see to their end: their jobs are not handed over twice."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path

from harness.core.spec import Job
from harness.plan.expand import PlannedJob
from harness.runner.batches import Todo, needs_of
from harness.runner.flight import Carried, Flight
from harness.worker import JOB


def adopt(todo: Todo) -> list[str]:
    """Go on with the batches that an executor still has and that are this plan's; returns what a person should know.

    What another plan asked for stays where it is: its outcomes are taken in by the next command that finds them.
    """
    opened = todo.memory.opened
    handles = todo.executor.found(opened.runs.resolve())
    known = opened.database.run_names() if handles else set()
    planned = {_asked(job): job for job in todo.waiting}
    others = 0
    for handle in handles:
        open_ = [folder for folder in handle.folders if folder.name not in known and folder.is_dir()]
        carried = [one for folder in open_ if (one := _carried(folder, planned, todo)) is not None]
        if carried:
            todo.flights.append(Flight(handle, carried, needs_of(carried[0].job), adopted=True))
            ours = {one.job.id for one in carried}
            todo.waiting = deque(job for job in todo.waiting if job.id not in ours)
        elif open_:
            others += 1
        else:
            todo.executor.cancel(handle)
    said = [f"going on with {len(todo.flights)} batches that an earlier command handed over"] if todo.flights else []
    return said + ([f"{others} batches of another plan are still on their way; they are left alone"] if others else [])


def _asked(job: PlannedJob | Job) -> tuple[str, str, str | None, str, int]:
    """Name what a job is, in a plan and in a record alike."""
    return job.kind, job.key, job.artifact, job.environment, job.round


def _carried(
    folder: Path, planned: dict[tuple[str, str, str | None, str, int], PlannedJob], todo: Todo
) -> Carried | None:
    """Find the planned job that a run folder is of; rounds of speed are those of one session."""
    with suppress(OSError, ValueError):
        record = Job.model_validate_json((folder / JOB).read_text("utf-8"))
        job = planned.get(_asked(record))
        if job is not None and (job.kind != "speed" or record.session == todo.session.session):
            return Carried(job, record, folder)
    return None
