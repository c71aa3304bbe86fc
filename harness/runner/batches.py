"""Which jobs go into the next batch, and whether there is room for it beside those that are on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.spec import MeasureSpec, Status
from harness.executors.record import BatchNeeds, Executor
from harness.plan.expand import PlannedJob
from harness.runner.decide import decide
from harness.runner.flight import Flight
from harness.runner.job_memory import JobMemory
from harness.runner.opened import Event
from harness.runner.records import unmade, write_outcome
from harness.runner.verified import blocking, siblings
from harness.store.session import SessionRecord
from harness.worker.children import forks


@dataclass
class Todo:
    """Jobs that are neither on their way nor settled, in order, and the batches that are on their way."""

    memory: JobMemory
    session: SessionRecord
    executor: Executor
    waiting: deque[PlannedJob]
    flights: list[Flight] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    """Plan ids of what is not settled, on its way or not."""

    def __post_init__(self) -> None:
        self.open = {job.id for job in self.waiting}
        self.place = {job.id: place for place, job in enumerate(self.memory.plan.jobs)}
        self.compared: dict[str, list[str]] = {}
        for job in self.memory.plan.jobs:
            if isinstance(job.spec, MeasureSpec) and job.spec.reference is not None:
                self.compared.setdefault(job.group, []).append(job.id)

    @property
    def left(self) -> int:
        """How many jobs are not settled."""
        return len(self.waiting) + sum(len(flight.left) for flight in self.flights)

    def put_back(self, jobs: Iterable[PlannedJob]) -> None:
        """Put jobs before all others, in their order."""
        self.waiting.extendleft(reversed(list(jobs)))


def needs_of(job: PlannedJob) -> BatchNeeds:
    """Say what a job needs: what is timed has the machine for itself, as a build does, whose seconds are told."""
    devices = int(job.provider != "cpu")
    if job.kind in {"speed", "build"}:
        return BatchNeeds("machine", devices)
    return BatchNeeds("device", devices) if devices else BatchNeeds("none")


def next_batch(todo: Todo) -> tuple[list[PlannedJob], list[Event]]:
    """Take the first job that must run and can, and with it those after it that share its worker; settles what need not run.

    A job that reads what another of the batch makes waits: only then is it known whether it was made. What a verification allows may follow it
    in its worker, where the artifact is open already: one that does not come out well ends the worker, and what follows is decided anew.
    """
    batch: list[PlannedJob] = []
    said: list[Event] = []
    kept: list[PlannedJob] = []
    if todo.flights and not _room(None, todo.flights, todo.executor):
        return [], []
    if not todo.flights and todo.executor.here and todo.executor.slots > 1:
        _bring_builds_forward(todo)
    while todo.waiting:
        job = todo.waiting[0]
        if batch and not _joins(job, batch, todo):
            break
        if not batch and not _ready(job, todo, first=not kept):
            kept.append(todo.waiting.popleft())
            continue
        verdict, why = decide(job, todo.memory)
        if verdict == "skipped" and todo.flights and job.kind != "speed":  # what is on its way may yet ask for it
            kept.append(todo.waiting.popleft())
            continue
        if verdict == "run" and not batch and not _room(job, todo.flights, todo.executor):
            kept.append(todo.waiting.popleft())
            continue
        todo.waiting.popleft()
        if verdict == "run":
            batch.append(job)
            continue
        said.append(_settle(job, verdict, why, todo.memory, todo.session))
        todo.open.discard(job.id)
    todo.put_back(kept)
    return batch, said


def _bring_builds_forward(todo: Todo) -> None:
    """Put the first build that must run, and those that share its worker, before all: side by side runs what is behind builds."""
    builds = (job for job in todo.waiting if job.kind == "build" and _needs_are_settled(job, todo, set()))
    first = next((job for job in builds if decide(job, todo.memory)[0] == "run"), None)
    if first is not None:
        forward = [job for job in todo.waiting if job.kind == "build" and job.group == first.group]
        rest = [job for job in todo.waiting if job not in forward]
        todo.waiting = deque([*forward, *rest])


def _joins(job: PlannedJob, batch: Sequence[PlannedJob], todo: Todo) -> bool:
    """Tell whether a job may share the worker of those before it."""
    if job.group != batch[0].group or (job.kind == "build" and not forks()):
        return False
    return _needs_are_settled(job, todo, {other.id for other in batch if other.verifies})


def _ready(job: PlannedJob, todo: Todo, *, first: bool) -> bool:
    """Tell whether all is known that a job's turn rests on; rounds of speed begin when all before them is over.

    first: nothing before it waits.
    """
    if job.kind == "speed" and (todo.flights or not first):
        return False
    return _needs_are_settled(job, todo, set()) and not _pass_to_come(job, todo)


def _pass_to_come(job: PlannedJob, todo: Todo) -> bool:
    """Tell whether a comparison that stands before a score has not yet run: the score then takes its pass over the text, in the same worker."""
    if job.kind != "quality" or job.id in todo.compared.get(job.group, ()):
        return False
    before = todo.place[job.id]
    return any(one in todo.open and todo.place[one] < before for one in todo.compared.get(job.group, ()))


def _needs_are_settled(job: PlannedJob, todo: Todo, but: set[str]) -> bool:
    if any(need in todo.open and need not in but for need in job.needs):
        return False
    before = todo.place[job.id]
    return not any(
        one in todo.open and one not in but and todo.place[one] < before for one in siblings(job, todo.memory)
    )


def _room(job: PlannedJob | None, flights: Sequence[Flight], executor: Executor) -> bool:
    """Tell whether a job may run beside what is on its way; of no job in particular, whether any may."""
    if not flights:
        return True
    taken = {flight.needs.exclusive for flight in flights}
    if len(flights) >= executor.slots or any(flight.timed for flight in flights) or (job and job.kind == "speed"):
        return False
    if not executor.here:
        return True
    wanted = needs_of(job).exclusive if job is not None else "none"
    return "machine" not in {wanted, *taken} and not (wanted == "device" and "device" in taken)


def _settle(job: PlannedJob, verdict: Any, why: str, memory: JobMemory, session: SessionRecord) -> Event:
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


def _said_once(job: PlannedJob, memory: JobMemory, session: SessionRecord, status: Status, why: str) -> str:
    """Write the outcome of a job that is not run, unless the same is on record; returns its run."""
    asked = (job.key, job.environment, status.value, why)
    if asked not in memory.refusals:
        memory.refusals[asked] = write_outcome(unmade(job, memory, session, status, why), memory.opened)
    return memory.refusals[asked]


def _blocked_status(job: PlannedJob, memory: JobMemory) -> Status:
    statuses = {memory.bad[need][0] for need in job.needs if need in memory.bad}
    return Status.UNSUPPORTED if statuses == {Status.UNSUPPORTED} else Status.FAILED
