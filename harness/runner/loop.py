"""The loop: hand batches of jobs over while there is room, take their outcomes in, say what became of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from harness.core.clock import Spans
from harness.core.files import remove, write_whole
from harness.executors.record import Batch, BatchJob
from harness.nvml import gpu_uuids, open_nvml
from harness.plan.expand import Plan, PlannedJob
from harness.runner import session as sessions
from harness.runner.adopting import adopt
from harness.runner.batches import Todo, needs_of, next_batch
from harness.runner.flight import Carried, Flight, ServedBatch
from harness.runner.job_memory import remember
from harness.runner.opened import Event, OpenWorkspace, disk_explained, recover
from harness.runner.outcomes import take_in
from harness.runner.overhead import merged
from harness.runner.records import counted_from, job_record
from harness.runner.results_lock import alone
from harness.worker import JOB
from harness.worker.machine_lock import lock_files, take

LOOK_SECONDS = 1.0
"""Longest wait for an answer of whatever is on its way."""


def execute(
    plan: Plan,
    opened: OpenWorkspace,
    rerun: frozenset[str] = frozenset(),
    stop: Callable[[PlannedJob], str] | None = None,
    name: str = "",
) -> Iterator[Event]:
    """Run a plan's jobs and yield what becomes of each, as many at a time as the executor has room for.

    stop: asked before each round of speed why it is not needed; empty where it is.
    name: of the session, where one starts.
    Holds the results folder's lock; takes in outcomes that an earlier command left; continues an interrupted session.
    Raises: HarnessError when another command holds the folder, or it cannot be written.
    """
    with alone(opened.results), disk_explained():
        spans = Spans()
        with spans.span("store"):
            problems = recover(opened)
            now = datetime.now(UTC)
            not_before, late = counted_from(opened.database.newest(), now)
            problems += [note.text for note in late]
            session, resumed = sessions.begin(opened.results, plan, now, not_before, name)
            opened.place(session)
            memory = remember(opened, plan, session.session, rerun)
            memory.stop = stop
            todo = Todo(memory, session, opened.executor, deque(plan.jobs))
            problems += adopt(todo)
        text = "\n".join([session.session, *problems])
        yield Event("session", text=text, status="resumed" if resumed else "new", total=len(plan.jobs))
        run = _Run(todo, spans)
        try:
            yield from run.all()
        finally:
            run.cancel()
        with spans.span("store"):
            left = opened.settle(sessions.finish(opened.results, session, plan, memory, datetime.now(UTC)))
        if left:
            yield Event("waiting", text=left)
        total = len(plan.jobs)
        seconds = merged([spans.seconds, *run.batches])
        yield Event("finished", text=session.session, done=total, total=total, spans=seconds)


@dataclass
class _Run:
    """One command's way through its jobs. batches: seconds by activity of each that is over."""

    todo: Todo
    spans: Spans
    batches: list[dict[str, float]] = field(default_factory=list)

    def all(self) -> Iterator[Event]:
        """Hand over and hear until nothing is left."""
        todo = self.todo
        while todo.waiting or todo.flights:
            yield from self._hand_over()
            if not todo.flights:
                continue
            flights = {flight.handle.name: flight for flight in todo.flights}
            for handle, answer in todo.executor.poll([flight.handle for flight in todo.flights], LOOK_SECONDS):
                for item in flights[handle.name].hear(answer):
                    yield self._told(flights[handle.name], item)
            for flight in list(todo.flights):
                for item in flight.silence():
                    yield self._told(flight, item)
                if flight.landed:
                    self._land(flight)

    def cancel(self) -> None:
        """End what is on its way, whoever ended us."""
        while self.todo.flights:
            flight = self.todo.flights.pop()
            self.todo.executor.cancel(flight.handle)
            flight.turn.close()

    def _hand_over(self) -> Iterator[Event]:
        """Begin as many batches as there is room for."""
        while self.todo.waiting:
            with self.spans.span("plan"):
                batch, said = next_batch(self.todo)
            for event in said:
                yield self._counted(event, more=len(batch))
            if not batch:
                return
            flight = yield from self._begun(batch)
            self.todo.flights.append(flight)

    def _begun(self, batch: list[PlannedJob]) -> Generator[Event, None, Flight]:
        """Hand a batch over, with the machine taken for it where it measures speed here."""
        executor, needs = self.todo.executor, needs_of(batch[0])
        with ExitStack() as turn:
            if batch[0].kind == "speed" and executor.here:
                yield from self._wait(turn, batch)
            with self.spans.span("write"):
                jobs = self._written(batch)
            carried = tuple(BatchJob(one.record.run, one.folder.resolve(), one.record.timeout_seconds) for one in jobs)
            environment = batch[0].environment
            described = self.todo.memory.opened.description(environment).resolve()
            timed = batch[0].kind == "speed"
            handle = executor.submit(Batch(environment, carried, needs, timed, described))
            return Flight(handle, jobs, needs, turn.pop_all())

    def _wait(self, turn: ExitStack, batch: list[PlannedJob]) -> Iterator[Event]:
        """Take the machine, and the GPUs where the batch runs on one, for as long as `turn` lasts."""
        gpus = () if batch[0].provider == "cpu" else gpu_uuids(open_nvml())
        with self.spans.span("waiting"):
            for text in take(turn, lock_files(gpus)):
                yield self._counted(Event("waiting", job=batch[0], text=text), more=len(batch))

    def _written(self, batch: list[PlannedJob]) -> list[Carried]:
        """Give each job of a batch its run folder."""
        memory, found = self.todo.memory, list[Carried]()
        begun = len(memory.runs) + sum(len(flight.left) for flight in self.todo.flights)
        for number, job in enumerate(batch):
            record = job_record(job, memory, self.todo.session, order=begun + number)
            folder = memory.opened.runs / record.run
            folder.mkdir(parents=True)
            write_whole(folder / JOB, record.model_dump_json(indent=1), durable=False)
            found.append(Carried(job, record, folder))
        return found

    def _told(self, flight: Flight, item: ServedBatch) -> Event:
        """Say what was heard of a job; one that came to its end is taken in."""
        one = flight.left[item.run]
        event = Event(item.what, job=one.job, run=item.run, text=item.text, share=item.share)
        if item.what == "done":
            became = take_in(one, item, self.todo.memory, self.todo.session)
            del flight.left[item.run]
            if became.again:
                flight.again.append(one.job)
            else:
                self.todo.open.discard(one.job.id)
            event = replace(
                event,
                what="again" if became.again else "done",
                status=became.status,
                text=became.text,
                seconds=became.seconds,
            )
        return self._counted(event)

    def _counted(self, event: Event, more: int = 0) -> Event:
        """Say how many jobs are settled. more: jobs that are neither waiting nor on their way."""
        total = len(self.todo.memory.plan.jobs)
        return replace(event, done=total - self.todo.left - more, total=total)

    def _land(self, flight: Flight) -> None:
        """See a batch off that is over; what its worker did not get to goes back to the front."""
        self.todo.executor.cancel(flight.handle)
        self.todo.flights.remove(flight)
        flight.turn.close()
        self.batches.append(flight.clock.close(time.monotonic()))
        for one in flight.left.values():
            remove(one.folder)
        self.todo.put_back([*flight.again, *(one.job for one in flight.left.values())])
