"""A batch on its way: what its worker's answers mean for its jobs, and how long nothing was heard of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.core.spec import Job, Status
from harness.executors.record import BatchNeeds, Handle
from harness.plan.expand import PlannedJob
from harness.runner.overhead import BatchClock
from harness.worker import LOG, OUTCOME
from harness.worker.answer import Answer

QUIET_SECONDS = 300.0
"""Without a word for so long a job is told of, with the end of its log, and again after each further such time."""


@dataclass(frozen=True)
class ServedBatch:
    """What became of one job. With `done`, `outcome` is set where the worker could not write one itself."""

    what: Literal["begin", "progress", "quiet", "waiting", "done"]
    run: str
    text: str = ""
    share: float = 0.0
    outcome: Status | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Carried:
    """A planned job of a batch, its record, and its run folder."""

    job: PlannedJob
    record: Job
    folder: Path


@dataclass
class Flight:
    """A batch that an executor has."""

    handle: Handle
    jobs: Sequence[Carried]
    needs: BatchNeeds
    turn: ExitStack = field(default_factory=ExitStack)
    """What is held of the machine until it has landed."""
    adopted: bool = False
    """An earlier command handed it over."""
    landed: bool = False
    left: dict[str, Carried] = field(default_factory=dict)
    """Jobs that have not come to an outcome, by run."""
    again: list[PlannedJob] = field(default_factory=list)
    """Jobs that came to one and are tried once more."""
    _running: str = ""
    _since: float = field(default_factory=time.monotonic)
    _heard: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.left = {one.record.run: one for one in self.jobs}
        self.clock = BatchClock(self.handle.submitted)
        self._running = self.jobs[0].record.run

    @property
    def timed(self) -> bool:
        """Whether it measures speed: nothing is handed over beside it."""
        return self.jobs[0].job.kind == "speed"

    def hear(self, answer: Answer) -> Iterator[ServedBatch]:
        """Say what an answer means for the jobs that are left."""
        self._heard = time.monotonic()
        self.clock.hear(answer)
        if answer.what == "waiting":
            if self.left:
                yield ServedBatch("waiting", self._at, answer.text)
        elif answer.what == "ended":
            self.landed = True
            yield from self._landing(answer)
        elif answer.run not in self.left:
            return
        elif answer.what == "begin":
            self._running, self._since = answer.run, self._heard
            yield ServedBatch("begin", answer.run)
        elif answer.what == "progress":
            yield ServedBatch("progress", answer.run, answer.text, share=answer.share)
        elif answer.what == "done":
            self._running = next((run for run in self.left if run != answer.run), answer.run)
            yield ServedBatch("done", answer.run)

    def _landing(self, answer: Answer) -> Iterator[ServedBatch]:
        """Answer for the jobs whose word did not reach us, and for the one that the worker died of."""
        for run, one in list(self.left.items()):
            if (one.folder / OUTCOME).exists():
                yield ServedBatch("done", run)
        if answer.status is not None and self.left:
            run = answer.run if answer.run in self.left else self._at
            yield ServedBatch("done", run, answer.text, outcome=answer.status, seconds=answer.seconds)
        elif len(self.left) == len(self.jobs) and not self.adopted:  # else it would be handed over for ever
            yield ServedBatch("done", self._at, "its worker ended without a word of it", outcome=Status.FAILED)

    @property
    def _at(self) -> str:
        """Name the run that it is at, as far as that is known."""
        return self._running if self._running in self.left else next(iter(self.left))

    def silence(self) -> Iterator[ServedBatch]:
        """Tell of a job that is silent for long, once in a while."""
        now = time.monotonic()
        if now - self._heard >= QUIET_SECONDS and self._running in self.left:
            self._heard = now
            yield ServedBatch("quiet", self._running, _last_words(self.left[self._running].folder, now - self._since))


def _last_words(folder: Path, seconds: float) -> str:
    """Say that nothing was heard of a job, and what its log says last."""
    try:
        lines = (folder / LOG).read_bytes()[-2000:].decode("utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f"; its log ends: {last[-160:]}" if last else "; its log is empty"
    return f"nothing heard for {QUIET_SECONDS / 60:g} min, {seconds / 60:.0f} min after it began{said}"
