"""The loop: take the next jobs, run them in one worker, take their outcomes in, say what became of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.clock import Spans
from harness.core.files import PARTIAL, remove, write_whole
from harness.core.spec import Job, Outcome, Status
from harness.host import gpu_uuids, open_nvml
from harness.plan.expand import Plan, PlannedJob
from harness.runner import session as sessions
from harness.runner.decide import decide
from harness.runner.desk import Desk, Event, alone, disk_explained, recover
from harness.runner.memory import Memory, remember
from harness.runner.records import counted_from, job_record, unmade, write_outcome
from harness.runner.serve import Served, serve
from harness.runner.turns import lock_files, take
from harness.runner.verified import blocking, came_to_grief, refuted
from harness.runner.wall import merged
from harness.store.session import SessionRecord
from harness.worker import JOB, OUTCOME
from harness.worker.children import forks
from harness.worker.inputs import drop_partial


def execute(plan: Plan, desk: Desk, again: frozenset[str] = frozenset()) -> Iterator[Event]:
    """Run a plan's jobs in order and yield what becomes of each.

    Holds the results folder's lock; takes in outcomes that an earlier command left; continues an interrupted session.
    Raises: HarnessError when another command holds the folder, or it cannot be written.
    """
    with alone(desk.results), disk_explained():
        spans, batches = Spans(), list[dict[str, float]]()
        with spans.span("store"):
            problems = recover(desk)
            now = datetime.now(UTC)
            not_before, late = counted_from(desk.database.newest(), now)
            problems += [note.text for note in late]
            session, resumed = sessions.begin(desk.results, plan, now, not_before)
            desk.place(session)
            memory = remember(desk, plan, session.session, again)
        text = "\n".join([session.session, *problems])
        yield Event("session", text=text, status="resumed" if resumed else "new", total=len(plan.jobs))
        waiting = deque(plan.jobs)
        while waiting:
            with spans.span("plan"):
                batch, said = _next_batch(waiting, memory, session)
            for event in said:
                yield _counted(event, plan, waiting, batch)
            with ExitStack() as turn:
                if batch and batch[0].kind == "speed":
                    yield from _wait(turn, batch, plan, waiting, spans)
                if batch:
                    yield from _run(batch, waiting, memory, session, batches, spans)
        with spans.span("store"):
            left = desk.settle(sessions.finish(desk.results, session, plan, memory, datetime.now(UTC)))
        if left:
            yield Event("waiting", text=left)
        yield Event(
            "finished",
            text=session.session,
            done=len(plan.jobs),
            total=len(plan.jobs),
            spans=merged([spans.seconds, *batches]),
        )


def _wait(
    turn: ExitStack, batch: list[PlannedJob], plan: Plan, waiting: Iterable[PlannedJob], spans: Spans
) -> Iterator[Event]:
    """Take the machine, and the GPUs where the batch runs on one, for as long as `turn` lasts."""
    gpus = () if batch[0].provider == "cpu" else gpu_uuids(open_nvml())
    with spans.span("waiting"):
        for text in take(turn, lock_files(gpus)):
            yield _counted(Event("waiting", job=batch[0], text=text), plan, waiting, batch)


def _counted(event: Event, plan: Plan, waiting: Iterable[PlannedJob], batch: Iterable[PlannedJob]) -> Event:
    left = len(tuple(waiting)) + len(tuple(batch))
    return replace(event, done=len(plan.jobs) - left, total=len(plan.jobs))


def _next_batch(
    waiting: deque[PlannedJob], memory: Memory, session: SessionRecord
) -> tuple[list[PlannedJob], list[Event]]:
    """Take jobs off the front until one must run, and with it those after it that can share its worker.

    A job that reads what another of the batch makes waits for the next: only then is it known whether it was made. What a
    verification allows may follow it in its worker, where the artifact is open already: one that does not come out well
    ends the worker, and what follows is decided anew.
    """
    batch: list[PlannedJob] = []
    said: list[Event] = []
    while waiting:
        job = waiting[0]
        if batch and (job.group != batch[0].group or (job.kind == "build" and not forks())):
            break
        if any(other.id in job.needs and not other.verifies for other in batch):
            break
        verdict, why = decide(job, memory)
        waiting.popleft()
        if verdict == "run":
            batch.append(job)
            continue
        said.append(_settle(job, verdict, why, memory, session))
    return batch, said


def _settle(job: PlannedJob, verdict: Any, why: str, memory: Memory, session: SessionRecord) -> Event:
    """Note a job that is not run; one that cannot be is an outcome like any other, written once."""
    if verdict in {"enough", "skipped"}:
        memory.stopped[job.id] = why
    if verdict in {"known", "skipped"}:
        answer = memory.makers.get(job.artifact) if job.artifact else why if verdict == "known" else None
        memory.runs |= {job.id: answer} if answer else {}
    if verdict == "known" and job.verifies:
        memory.verified.add(job.id)
    if verdict == "unverified":
        memory.unverified[job.id] = why
        memory.runs[job.id] = _said_once(job, memory, session, Status.UNSUPPORTED, f"unverified: {why}")
    if verdict in {"refused", "blocked"}:
        status = Status.UNSUPPORTED if verdict == "refused" else _blocked_status(job, memory)
        memory.bad[job.id] = (status, why)
        said = f"blocked: {why}" if blocking(job, memory) else why
        memory.runs[job.id] = _said_once(job, memory, session, status, said)
    return Event(verdict, job=job, text=why, status=memory.bad[job.id][0].value if job.id in memory.bad else "")


def _said_once(job: PlannedJob, memory: Memory, session: SessionRecord, status: Status, why: str) -> str:
    """Write the outcome of a job that is not run, unless the same is on record; returns its run."""
    asked = (job.key, job.environment, status.value, why)
    if asked not in memory.refusals:
        memory.refusals[asked] = write_outcome(unmade(job, memory, session, status, why), memory.desk)
    return memory.refusals[asked]


def _blocked_status(job: PlannedJob, memory: Memory) -> Status:
    statuses = {memory.bad[need][0] for need in job.needs if need in memory.bad}
    return Status.UNSUPPORTED if statuses == {Status.UNSUPPORTED} else Status.FAILED


def _run(
    batch: list[PlannedJob],
    waiting: deque[PlannedJob],
    memory: Memory,
    session: SessionRecord,
    batches: list[dict[str, float]],
    spans: Spans,
) -> Iterator[Event]:
    """Serve a batch with one worker; what it did not get to goes back to the front."""
    desk = memory.desk
    with spans.span("write"):
        records = {}
        for number, job in enumerate(batch):
            record = job_record(job, memory, session, order=len(memory.runs) + number)
            folder = desk.runs / record.run
            folder.mkdir(parents=True)
            write_whole(folder / JOB, record.model_dump_json(indent=1), durable=False)
            records[record.run] = (job, record, folder)
    left, again = dict(records), list[PlannedJob]()
    for item in serve(desk, batch[0].environment, [(record, folder) for _, record, folder in records.values()]):
        if isinstance(item, dict):
            batches.append(item)
            continue
        job, record, folder = left[item.run] if item.run in left else records[item.run]
        total = len(memory.plan.jobs)
        event = Event(item.what, job=job, run=item.run, text=item.text, share=item.share, total=total)
        if item.what == "done":
            event = replace(event, **_take_in(job, record, folder, item, memory, session))
            del left[item.run]
            again += [job] if event.what == "again" else []
        yield replace(event, done=total - len(waiting) - len(left))
    for _, _, folder in left.values():
        remove(folder)
    waiting.extendleft(reversed([*again, *(job for job, _, _ in left.values())]))


def _take_in(
    job: PlannedJob, record: Job, folder: Path, item: Served, memory: Memory, session: SessionRecord
) -> dict[str, Any]:
    """Put a finished job's outcome into the database; for a worker that died before it wrote one, write it first.

    A job whose worker died is tried once more: somebody may have killed it, and the second death tells.
    """
    if item.outcome is not None:
        drop_partial(record)
        for partial in sorted(folder.glob(f"*{PARTIAL}*")):
            remove(partial)
    if item.outcome is not None and not (folder / OUTCOME).exists():
        inputs = tuple(one.model_copy(update={"path": ""}) for one in record.inputs)
        job_kept = record.model_copy(update={"inputs": inputs, "out": None})
        dead = unmade(job, memory, session, item.outcome, item.text)
        outcome = dead.model_copy(update={"job": job_kept, "seconds": item.seconds})
        write_whole(folder / OUTCOME, outcome.model_dump_json(indent=1))
    else:
        outcome = Outcome.model_validate_json((folder / OUTCOME).read_text("utf-8"))
    memory.desk.take_in(outcome, folder)
    if item.outcome is Status.FAILED and outcome.status is Status.FAILED and job.id not in memory.died:
        memory.died.add(job.id)
        text = f"{outcome.reason}; tried once more"
        return {"what": "again", "status": outcome.status.value, "text": text, "seconds": outcome.seconds}
    memory.runs[job.id] = outcome.job.run
    if outcome.status is Status.OK and job.kind == "speed":
        memory.rounds.take((job.key, job.environment), job.round, outcome.measurements)
        generated = outcome.protocol.facts.get("output_sha256") if outcome.protocol else None
        memory.outputs |= {(job.key, job.environment): generated} if generated else {}
    if outcome.status is Status.OK and outcome.artifact is not None:
        memory.made[outcome.artifact.id] = outcome.artifact.content
        memory.makers[outcome.artifact.id] = outcome.job.run
    if job.verifies or job.tells_truth:
        return _take_in_verification(job, outcome, memory)
    if outcome.status is not Status.OK:
        memory.bad[job.id] = (outcome.status, outcome.reason or "no reason given")
        if job.kind == "speed":
            memory.broken[job.key, job.environment] = f"round {job.round + 1} came to {outcome.status.value}"
    return {"status": outcome.status.value, "text": outcome.reason or "", "seconds": outcome.seconds}


def _take_in_verification(job: PlannedJob, outcome: Outcome, memory: Memory) -> dict[str, Any]:
    """Remember what a verification found: the model itself, another one, or nothing, which is no failure."""
    if outcome.status is Status.OK:
        memory.verified |= {job.id} if job.verifies else set()
        return {"status": outcome.status.value, "seconds": outcome.seconds}
    why = came_to_grief(outcome)
    if refuted(outcome):
        memory.refuted[job.id] = why
    if refuted(outcome) or job.tells_truth:
        memory.bad[job.id] = (outcome.status, why)
    else:
        memory.unverified[job.id] = why
    return {
        "status": outcome.status.value if refuted(outcome) else "unverified",
        "text": why,
        "seconds": outcome.seconds,
    }
