"""The executor `folder`: batches go into a queue folder on a disk that others see too, and workers that anybody started take them.

A batch outlives the command that handed it over: the next one finds it, in whatever state, and takes its outcomes in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.outcome import Environment
from harness.core.spec import Status
from harness.executors.record import Batch, Executor, ExecutorOptions, Handle
from harness.worker import queue_watch
from harness.worker.answer import Answer, answer_of
from harness.worker.queue_layout import (
    DONE,
    FAILED,
    LEFT,
    SAID,
    WAITING,
    WORKERS,
    Damaged,
    Newer,
    QueuedBatch,
    beside,
    drop_half_written,
    likeness,
    name_of,
    read_batch,
    worker_of,
    write_batch,
)
from harness.worker.queue_take import batches_in, taken_batches
from harness.worker.queue_watch import Beats

LOOK_SECONDS = 0.5
"""Between two looks at the folder."""
GONE_LOOKS = 6
"""A batch that stands nowhere at so many looks was removed: between two folders it is for one at most."""
UNTAKEN_SECONDS = 10.0
"""For how long a batch waits before it is said that nobody takes it."""
TOLD_EVERY = 600.0
SLOTS = 64
"""Batches that wait or run at a time."""


def open_folder(asked: ExecutorOptions) -> Executor:
    """Give the executor of a queue folder. Raises: HarnessError where none is named, or it is none."""
    if asked.place is None:
        raise HarnessError("the executor 'folder' needs the queue folder: --executor folder=DIR")
    queue = asked.place.absolute()
    if not (queue / WAITING).is_dir():
        raise HarnessError(
            f"{queue} is no queue folder: it has no folder '{WAITING}'; make it with mkdir -p {queue / WAITING}, and start a worker: "
            f"harness worker ENVIRONMENT --queue {queue}"
        )
    folder = Folder(queue)
    return Executor(
        name="folder",
        submit=folder.submit,
        poll=folder.poll,
        cancel=folder.cancel,
        describe=folder.describe,
        slots=SLOTS,
        here=False,
        found=folder.found,
    )


_STOPPED = Answer("ended", status=Status.FAILED, text="its worker stopped without a word")


@dataclass
class _Followed:
    """How far a batch was followed."""

    environment: str
    at: int = 0
    """Bytes of its answers that were read."""
    worker: str = ""
    since: float = field(default_factory=time.monotonic)
    """When it was first seen where it is."""
    nowhere: int = 0
    """Looks at which it stood nowhere."""
    told: float = -TOLD_EVERY
    died: Answer = _STOPPED
    """What was said of its end, where that is none."""


@dataclass
class Folder:
    """A queue folder and the batches in it that are followed."""

    queue: Path
    _followed: dict[str, _Followed] = field(default_factory=dict)
    _described: dict[str, Environment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.beats = Beats(self.queue)

    def submit(self, batch: Batch) -> Handle:
        """Put a batch into `waiting`. Raises: OSError where the folder cannot be written."""
        name, place = f"{batch.jobs[0].run}.jsonl", self.describe(batch.environment)
        queued = QueuedBatch(
            folders=tuple(str(job.folder) for job in batch.jobs),
            environment=batch.environment,
            like=likeness(place) if place else "",
            machine=place.machine_id if place and batch.timed else "",
            exclusive=batch.needs.exclusive,
            devices=batch.needs.devices,
            decided=True,
        )
        write_batch(self.queue, name, queued)
        self._followed[name] = _Followed(batch.environment)
        return Handle(name, tuple(job.folder for job in batch.jobs), time.monotonic())

    def poll(self, handles: Sequence[Handle], timeout: float) -> list[tuple[Handle, Answer]]:
        """Look into the folder until there is something new of these batches, or the time is over."""
        end = time.monotonic() + timeout
        while True:
            taken = {name_of(path): path for path in taken_batches(self.queue)}
            found = [(one, answer) for one in handles for answer in self._looked(one, taken.get(one.name))]
            if found or time.monotonic() >= end:
                return found
            time.sleep(max(0.0, min(LOOK_SECONDS, end - time.monotonic())))

    def cancel(self, handle: Handle) -> None:
        """Take a batch out of the folder, wherever it stands: a worker that has it ends its process within a second."""
        for _ in range(2):  # between two looks it may have gone on to another place
            for path in self._places(handle.name):
                for file in (path, beside(path, SAID), beside(path, LEFT)):
                    with suppress(OSError):
                        file.unlink()
        self._followed.pop(handle.name, None)

    def describe(self, environment: str) -> Environment | None:
        """Say what the workers of an environment told of it, one that lives before others; None where no worker served it."""
        if environment not in self._described:
            files = sorted(
                (self.queue / WORKERS).glob("*.json"), key=lambda path: not path.with_suffix(".beat").exists()
            )
            found = (one for path in files if (one := _environment(path)) is not None and one.name == environment)
            first = next(found, None)
            if first is None:
                return None
            self._described[environment] = first
        return self._described[environment]

    def found(self, runs: Path) -> tuple[Handle, ...]:
        """Find the batches whose run folders lie in `runs`, in whatever state they are; one that was half written goes."""
        drop_half_written(self.queue, runs)
        places = [(path.name, path) for folder in (WAITING, DONE, FAILED) for path in batches_in(self.queue / folder)]
        places += [(name_of(path), path) for path in taken_batches(self.queue)]
        found: dict[str, Handle] = {}
        for name, path in places:
            with suppress(Newer, Damaged):
                batch = read_batch(path)
                folders = tuple(Path(folder) for folder in batch.folders)
                if batch.decided and folders and all(folder.parent == runs for folder in folders):
                    found[name] = Handle(name, folders, time.monotonic())
                    self._followed.setdefault(name, _Followed(batch.environment))
        return tuple(found.values())

    def _places(self, name: str) -> list[Path]:
        """List where a batch, or what was said of it, may stand."""
        taken = [path for path in taken_batches(self.queue) if name_of(path) == name]
        return [self.queue / WAITING / name, *taken, self.queue / DONE / name, self.queue / FAILED / name]

    def _looked(self, handle: Handle, taken: Path | None) -> Iterator[Answer]:
        """Give what is new of a batch."""
        state = self._followed.setdefault(handle.name, _Followed(""))
        over = next((path for path in self._over(handle.name) if path.exists()), None)
        if taken is not None and worker_of(taken) != state.worker:
            state.worker, state.since = worker_of(taken), time.monotonic()
            yield Answer("taken", heard=state.since, text=state.worker)
        for answer in self._said(handle.name, taken, state):
            if answer.what == "ended":
                state.died = answer
            else:
                yield answer
        if over is not None:
            yield state.died if over.parent.name == FAILED else Answer("ended", heard=time.monotonic())
        else:
            yield from self._unheard(handle.name, taken, state)

    def _over(self, name: str) -> tuple[Path, Path]:
        return self.queue / DONE / name, self.queue / FAILED / name

    def _said(self, name: str, taken: Path | None, state: _Followed) -> Iterator[Answer]:
        """Read the whole lines that were added to a batch's answers, wherever these stand now."""
        places = [*([taken] if taken else []), *self._over(name), self.queue / WAITING / name]
        for path in places:
            try:
                with open(beside(path, SAID), "rb") as file:
                    file.seek(state.at)
                    new = file.read()
            except OSError:
                continue
            whole = new[: new.rfind(b"\n") + 1]
            state.at += len(whole)
            now = time.monotonic()
            yield from (answer for line in whole.splitlines() if (answer := answer_of(line, now)) is not None)
            return

    def _unheard(self, name: str, taken: Path | None, state: _Followed) -> Iterator[Answer]:
        """Say so where nobody gets on with a batch."""
        now = time.monotonic()
        if taken is None and not (self.queue / WAITING / name).exists():
            state.nowhere += 1
            if state.nowhere >= GONE_LOOKS:
                text = f"batch {name} is gone from {self.queue}: somebody removed it"
                yield Answer("ended", heard=now, status=Status.FAILED, text=text)
            return
        state.nowhere = 0
        start = f"harness worker {state.environment} --queue {self.queue}"
        text = ""
        if taken is not None and self.beats.silent(state.worker) >= queue_watch.STILL_SECONDS:
            text = f"worker {state.worker} has not been heard for {queue_watch.STILL_SECONDS:g} s; another one takes its batch over: {start}"
        elif taken is None and now - state.since >= UNTAKEN_SECONDS and not self._somebody_lives():
            text = f"no worker takes batches from {self.queue}; start one: {start}"
        if text and now - state.told >= TOLD_EVERY:
            state.told = now
            yield Answer("waiting", heard=now, text=text)

    def _somebody_lives(self) -> bool:
        workers = [path.stem for path in (self.queue / WORKERS).glob("*.beat")]
        return any(self.beats.silent(worker) < queue_watch.STILL_SECONDS for worker in workers)


def _environment(path: Path) -> Environment | None:
    """Read what a worker told of its environment; None for what is none of its files."""
    try:
        return Environment.model_validate(json.loads(path.read_text("utf-8"))["environment"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None
