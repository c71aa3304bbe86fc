"""What an outcome means for what is still to be done: into the database, and into what the runner remembers."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.files import PARTIAL, remove, write_whole
from harness.core.outcome import Outcome
from harness.core.spec import Status
from harness.plan.expand import PlannedJob
from harness.runner.flight import Carried, ServedBatch
from harness.runner.job_memory import JobMemory
from harness.runner.records import unmade
from harness.runner.verified import failed_itself, refuted
from harness.store.session import SessionRecord
from harness.worker import OUTCOME
from harness.worker.inputs import NOT_REPRODUCIBLE, drop_partial, for_keeping


@dataclass(frozen=True)
class Became:
    """What became of a job, as a person is told; `again`: it is tried once more."""

    status: str
    text: str = ""
    seconds: float = 0.0
    again: bool = False


def take_in(one: Carried, item: ServedBatch, memory: JobMemory, session: SessionRecord) -> Became:
    """Put a finished job's outcome into the database; for a worker that died before it wrote one, write it first.

    A job whose worker died is tried once more: somebody may have killed it, and the second death tells.
    """
    job, outcome = one.job, _outcome(one, item, memory, session)
    memory.opened.take_in(outcome, one.folder)
    if item.outcome is Status.FAILED and outcome.status is Status.FAILED and job.id not in memory.died:
        memory.died.add(job.id)
        text = f"{outcome.reason}; tried once more"
        return Became(outcome.status.value, text, outcome.seconds, again=True)
    memory.runs[job.id] = outcome.job.run
    if outcome.status is Status.OK and job.kind == "speed":
        memory.rounds.take((job.key, job.environment), job.round, outcome.measurements)
        generated = outcome.protocol.facts.get("output_sha256") if outcome.protocol else None
        memory.outputs |= {(job.key, job.environment): generated} if generated else {}
    if outcome.status is Status.OK and outcome.artifact is not None:
        memory.made[outcome.artifact.id] = outcome.artifact.content
        memory.makers[outcome.artifact.id] = outcome.job.run
    other = next((note.text for note in outcome.notes if note.code == NOT_REPRODUCIBLE), "")
    if job.verifies or job.tells_truth:
        return _take_in_verification(job, outcome, memory)
    if outcome.status is not Status.OK:
        memory.bad[job.id] = (outcome.status, outcome.reason or "no reason given")
        if job.kind == "speed":
            memory.broken[job.key, job.environment] = f"round {job.round + 1} came to {outcome.status.value}"
    return Became(outcome.status.value, outcome.reason or other, outcome.seconds)


def _outcome(one: Carried, item: ServedBatch, memory: JobMemory, session: SessionRecord) -> Outcome:
    """Read a job's outcome, or write it for a worker that could not."""
    if item.outcome is not None:
        drop_partial(one.record)
        for partial in sorted(one.folder.glob(f"*{PARTIAL}*")):
            remove(partial)
    if item.outcome is None or (one.folder / OUTCOME).exists():
        return Outcome.model_validate_json((one.folder / OUTCOME).read_text("utf-8"))
    dead = unmade(one.job, memory, session, item.outcome, item.text)
    outcome = dead.model_copy(update={"job": for_keeping(one.record), "seconds": item.seconds})
    write_whole(one.folder / OUTCOME, outcome.model_dump_json(indent=1))
    return outcome


def _take_in_verification(job: PlannedJob, outcome: Outcome, memory: JobMemory) -> Became:
    """Remember what a verification found: the model itself, another one, or nothing, which is no failure."""
    if outcome.status is Status.OK:
        memory.verified |= {job.id} if job.verifies else set()
        return Became(outcome.status.value, seconds=outcome.seconds)
    why = failed_itself(outcome)
    if refuted(outcome):
        memory.refuted[job.id] = why
    if refuted(outcome) or job.tells_truth:
        memory.bad[job.id] = (outcome.status, why)
    else:
        memory.unverified[job.id] = why
    return Became(outcome.status.value if refuted(outcome) else "unverified", why, outcome.seconds)
