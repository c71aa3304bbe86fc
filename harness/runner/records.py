"""From a planned job to the record that a worker reads, and to the outcome of one that no worker answered for."""

from __future__ import annotations

import math
import secrets
from datetime import UTC, datetime, timedelta

from harness.core.files import write_whole
from harness.core.marks import LIVE
from harness.core.outcome import Outcome
from harness.core.spec import Input, Job, Note, Status
from harness.plan.expand import PlannedJob
from harness.runner.job_memory import JobMemory
from harness.runner.opened import OpenWorkspace
from harness.runner.verified import doubts, engine_floor
from harness.store.files import read_outcome
from harness.store.session import SessionRecord
from harness.worker import OUTCOME

TIMES_USUAL = 20.0
"""Multiple of what a job took before that it may take where the sweep says no `timeout`."""
LONGEST = 7 * 86_400.0
"""Seconds that it may take where nobody knows how long it takes."""
INHERITED = frozenset({"weights-unread"})
"""Codes of what a build says that a reader of numbers of its artifact must know, and of what is made from it."""
_LAST = datetime.max.replace(tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much a clock may stand back without a word."""
LEAST_LIMIT = 3600.0
"""Seconds that it may take in any case."""


def unmade(job: PlannedJob, memory: JobMemory, session: SessionRecord, status: Status, why: str) -> Outcome:
    """Make the outcome of a job that no worker answered for."""
    record = job_record(job, memory, session, order=0)
    inputs = tuple(item.model_copy(update={"path": ""}) for item in record.inputs)
    return Outcome(
        job=record.model_copy(update={"inputs": inputs, "out": None}),
        status=status,
        reason=why,
        written_by="runner",
        started=datetime.now(UTC),
        seconds=0.0,
        environment=memory.opened.environment(job.environment),
        inputs=inputs,
        notes=record.notes,
    )


def write_outcome(outcome: Outcome, opened: OpenWorkspace) -> str:
    """Write an outcome that the runner made into a run folder of its own and into the database; returns the run."""
    folder = opened.runs / outcome.job.run
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / OUTCOME, outcome.model_dump_json(indent=1))
    opened.take_in(outcome, folder)
    return outcome.job.run


def job_record(job: PlannedJob, memory: JobMemory, session: SessionRecord, order: int) -> Job:
    """Turn a planned job into the record that a worker reads: inputs with folders, a name of its own."""
    opened = memory.opened
    notes, output = _checked(job, memory)
    now = datetime.now(UTC)
    not_before, late = counted_from(memory.newest, now)
    if not_before is None and not opened.executor.here:  # the clock of the machine that it runs on may stand back
        not_before = now
    memory.newest = max(memory.newest or now, not_before or now)
    notes += (*late, *_of_live(job, memory))
    kinds = {other.artifact: other.kind for other in memory.plan.jobs if other.artifact}
    return Job(
        run=f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{job.id[:14]}-{secrets.token_hex(4)}",
        kind=job.kind,
        key=job.key,
        artifact=job.artifact,
        spec=job.spec,
        inputs=tuple(_floored(_located(item, kinds.get(item.id), memory), job, memory) for item in job.inputs),
        environment=job.environment,
        labels=job.labels[0],
        session=session.session,
        round=job.round,
        order=order,
        timeout_seconds=limit_of(job.timeout_seconds, memory.history.by_key.get(job.key)),
        out=str(opened.artifact(job.artifact, job.kind).absolute()) if job.artifact else None,
        content_before=memory.made.get(job.artifact) if job.artifact else None,
        own_process=job.own_process,
        output=output,
        declared=dict(job.declared),
        not_before=not_before,
        notes=notes if job.verifies else (*doubts(job, memory), *_of_builds(job, memory), *notes),
    )


def _of_live(job: PlannedJob, memory: JobMemory) -> tuple[Note, ...]:
    """Say of a round that it is one of a live comparison."""
    if not memory.plan.live or job.kind != "speed":
        return ()
    text = f"a round of the live comparison of {memory.plan.live}, which ends when it is decided: `compare` takes that into account, intervals in tables do not"
    return (Note(code=LIVE, text=text),)


def _of_builds(job: PlannedJob, memory: JobMemory) -> tuple[Note, ...]:
    """Say of a measurement what the builds behind its artifact said that its readers must know."""
    found: dict[str, Note] = {}
    todo = [item.id for item in job.inputs if item.role == "artifact"]
    while todo:
        run = memory.makers.get(todo.pop())
        if run is not None:
            outcome = _outcome_of(run, memory)
            found |= {note.text: note for note in outcome.notes if note.code in INHERITED}
            todo += [item.id for item in outcome.inputs if item.role == "base"]
    return tuple(found.values())


def _outcome_of(run: str, memory: JobMemory) -> Outcome:
    """Read a run's outcome from its folder, else from the database."""
    file = memory.opened.runs / run / OUTCOME
    return read_outcome(file) if file.exists() else memory.opened.database.outcome(run)


def counted_from(newest: datetime | None, now: datetime) -> tuple[datetime | None, tuple[Note, ...]]:
    """Say from when on a run counts whose clock stands before the newest run that is known: from just after that.

    What the database saw last is the latest, whatever the clocks said; else a table would go on showing a run of 2150.
    """
    if newest is None or now > newest:
        return None, ()
    text = (
        f"the clock stood at {now:%Y-%m-%d %H:%M} UTC, before the newest run that was known, of {newest:%Y-%m-%d %H:%M} UTC: "
        "it counts as later than that"
    )
    notes = (Note(code="clock", text=text),) if newest - now > CLOCKS_DIFFER else ()
    return newest + min(timedelta(microseconds=1), _LAST - newest), notes


def limit_of(said: float | None, usual: float | None) -> float | None:
    """Return the seconds that a job may take: what the sweep says (infinity: any), else many times what it took before.

    What never ran before may take a week. None is without a limit, which only a sweep can say.
    """
    if said is not None:
        return None if math.isinf(said) else said
    return LONGEST if usual is None else max(LEAST_LIMIT, TIMES_USUAL * usual)


def _checked(job: PlannedJob, memory: JobMemory) -> tuple[tuple[Note, ...], str | None]:
    """Say what scoring a speed job's output found, and give the hash of the tokens that it, or an earlier round, saw."""
    earlier = memory.outputs.get((job.key, job.environment))
    if job.check is None:
        return (), earlier
    if job.check in memory.bad:
        text = f"what it generates was not scored: {memory.bad[job.check][1]}"
        return (Note(code="output-unchecked", text=text),), earlier
    if job.check not in memory.runs:
        return (), earlier
    outcome = _outcome_of(memory.runs[job.check], memory)
    facts = outcome.protocol.facts if outcome.protocol else {}
    return tuple(note for note in outcome.notes if note.code == "output-differs"), facts.get("output_sha256", earlier)


def _floored(item: Input, job: PlannedJob, memory: JobMemory) -> Input:
    """Say of a reference how far verified engines stand from the model, below which no divergence from it tells anything."""
    floor = (
        engine_floor(job, memory) if item.role == "reference" and job.kind == "quality" and not job.verifies else None
    )
    return (
        item
        if floor is None
        else item.model_copy(update={"provenance": {**item.provenance, "engine_floor": repr(floor)}})
    )


def _located(item: Input, kind: str | None, memory: JobMemory) -> Input:
    """Give an input its folder: the one it names, or where its artifact lies, with the content it must have."""
    if item.path or kind is None:
        return item
    folder = memory.opened.artifact(item.id, kind).absolute()
    return item.model_copy(update={"path": str(folder), "content": memory.made.get(item.id)})
