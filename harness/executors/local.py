"""The executor `local`: a process of this machine for each batch, which answers through a pipe and ends with us."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from harness.core.outcome import Environment
from harness.core.processes import KILLED_SECONDS, STARTED_BY, kill, new_mark, own_group
from harness.core.spec import Status
from harness.executors.process import WORKER, described, variables
from harness.executors.record import Batch, BatchJob, Executor, ExecutorOptions, Handle
from harness.worker import DESCRIBED, FOLDERS
from harness.worker.answer import Answer, answer_of
from harness.worker.deaths import cause, oom_kills
from harness.worker.inputs import late

CLOSE_SECONDS = 60.0
"""Within which a process ends after its last job."""
LOOK_SECONDS = 1.0
"""Longest wait between two looks at clocks and processes."""


def open_local(asked: ExecutorOptions) -> Executor:
    """Give the executor that runs batches with this machine's own interpreters."""
    workers = Workers(asked.pythons)
    return Executor(
        name="local",
        submit=workers.submit,
        poll=workers.poll,
        cancel=workers.cancel,
        describe=workers.describe,
        slots=asked.slots,
    )


@dataclass(frozen=True)
class _Exit:
    """The end of a worker's output: its exit code, and what it said last on standard error."""

    code: int
    words: tuple[str, ...]


@dataclass
class _Worker:
    """A process that was started for a batch."""

    batch: Batch
    handle: Handle
    process: subprocess.Popen[str]
    mark: str
    """Borne by all that it starts."""
    kills: int | None
    """The kernel's count of kills for memory when it was started."""
    since: float
    """When the job that it is at was begun, or could have been."""
    at: int = 0
    """Place of that job in the batch."""
    busy: bool = False
    """That job was begun."""
    closed: bool = False
    """It said that it ends."""
    silent: float | None = None
    """When it was first seen to have ended while its output was still open, as a child that outlives it keeps it."""
    listener: threading.Thread | None = None

    @property
    def job(self) -> BatchJob | None:
        """The job that it is at; None after the last one."""
        return self.batch.jobs[self.at] if self.at < len(self.batch.jobs) else None


@dataclass
class Workers:
    """The processes of this executor, by the names of their batches. pythons: interpreter by environment."""

    pythons: Mapping[str, Path]
    _live: dict[str, _Worker] = field(default_factory=dict)
    _heard: queue.Queue[tuple[str, Answer | _Exit]] = field(default_factory=queue.Queue)

    def submit(self, batch: Batch) -> Handle:
        """Start a worker for a batch, whose run folders a file in the first one lists. Raises: OSError when that cannot be written."""
        folders, mark = tuple(job.folder for job in batch.jobs), new_mark()
        listed, kills = folders[0] / FOLDERS, oom_kills()
        listed.write_text("".join(f"{json.dumps(str(folder))}\n" for folder in folders), "utf-8")
        described = {DESCRIBED: str(batch.description)} if batch.description is not None else {}
        process = subprocess.Popen(
            [str(self.pythons[batch.environment]), *WORKER, batch.environment, "--folders", str(listed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**variables(described), STARTED_BY: mark},
            **own_group(),
        )
        now = time.monotonic()
        worker = _Worker(batch, Handle(mark, folders, now), process, mark, kills, since=now)
        worker.listener = threading.Thread(target=_listen, args=(process, mark, self._heard), daemon=True)
        worker.listener.start()
        self._live[mark] = worker
        return worker.handle

    def poll(self, handles: Sequence[Handle], timeout: float) -> list[tuple[Handle, Answer]]:  # noqa: ARG002 - all that live are asked
        """Give what workers said and what became of them, waiting until there is something, or the time is over."""
        end = time.monotonic() + timeout
        while True:
            found = self._answers(min(end, self._next_look()))
            found += [ended for worker in list(self._live.values()) if (ended := self._looked_at(worker))]
            if found or time.monotonic() >= end:
                return found

    def cancel(self, handle: Handle) -> None:
        """Kill a worker and everything that it started; one that has ended is none."""
        if handle.name in self._live:
            self._end(self._live[handle.name])

    def describe(self, environment: str) -> Environment | None:
        """Ask an environment of this machine what it is."""
        python = self.pythons.get(environment)
        return None if python is None else described(python, environment)

    def _next_look(self) -> float:
        ends = [one.since + one.job.limit for one in self._live.values() if one.job and one.job.limit is not None]
        return min([time.monotonic() + LOOK_SECONDS, *ends])

    def _answers(self, end: float) -> list[tuple[Handle, Answer]]:
        """Give the answers that are there, waiting for a first one until `end`."""
        found = list[tuple[Handle, Answer]]()
        with contextlib.suppress(queue.Empty):
            said = self._heard.get(timeout=max(0.0, end - time.monotonic()))
            while True:
                name, answer = said
                if name in self._live:  # else of one that was cancelled
                    worker = self._live[name]
                    found.append((worker.handle, self._taken_down(worker, answer)))
                said = self._heard.get_nowait()
        return found

    def _taken_down(self, worker: _Worker, answer: Answer | _Exit) -> Answer:
        """Note what an answer says of where a worker is."""
        if isinstance(answer, _Exit):
            return self._exited(worker, answer)
        if answer.what == "begin":
            places = {job.run: place for place, job in enumerate(worker.batch.jobs)}
            worker.at, worker.busy, worker.since = places.get(answer.run, worker.at), True, answer.heard
        elif answer.what == "done":
            worker.at, worker.busy, worker.since = worker.at + 1, False, answer.heard
        elif answer.what == "closed":
            worker.closed = True
        return answer

    def _exited(self, worker: _Worker, exit_: _Exit) -> Answer:
        self._end(worker)
        if worker.job is None or (worker.closed and not worker.busy):
            return Answer("ended", heard=time.monotonic())
        return self._ended(worker, *cause(exit_.code, exit_.words, worker.kills, oom_kills()))

    def _looked_at(self, worker: _Worker) -> tuple[Handle, Answer] | None:
        """End a worker whose time is over, or whose output does not end with it."""
        now = time.monotonic()
        if worker.process.poll() is not None:
            worker.silent = worker.silent or now
            if now - worker.silent > KILLED_SECONDS:
                words = ("its output was left open by a child of it",)
                return worker.handle, self._exited(worker, _Exit(worker.process.returncode, words))
            return None
        job = worker.job
        if job is None and now - worker.since >= CLOSE_SECONDS:
            self._end(worker)
            return worker.handle, Answer("ended", heard=now)
        if job is not None and job.limit is not None and now - worker.since >= job.limit:
            left = self._end(worker)
            text = late(job.limit) + (f"; ended with it: {', '.join(left)}" if left else "")
            return worker.handle, self._ended(worker, Status.TIMEOUT, text)
        return None

    def _ended(self, worker: _Worker, status: Status, text: str) -> Answer:
        assert worker.job is not None
        now = time.monotonic()
        return Answer("ended", run=worker.job.run, heard=now, text=text, status=status, seconds=now - worker.since)

    def _end(self, worker: _Worker) -> tuple[str, ...]:
        """Kill what is left of a worker; returns the names of what stood in groups of its own."""
        del self._live[worker.handle.name]
        left = kill(worker.process, worker.mark)
        if worker.listener is not None:
            worker.listener.join(timeout=10)
        for stream in (worker.process.stdout, worker.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return left


def _listen(process: subprocess.Popen[str], name: str, heard: queue.Queue[tuple[str, Answer | _Exit]]) -> None:
    """Pass on what a worker says until its output ends, and then its exit code."""
    assert process.stdout is not None
    assert process.stderr is not None
    words: list[str] = []
    other = threading.Thread(target=_keep_last, args=(process.stderr, words), daemon=True)
    other.start()
    for line in process.stdout:
        if (answer := answer_of(line, time.monotonic())) is not None:
            heard.put((name, answer))
    code = process.wait()
    other.join(timeout=5)
    heard.put((name, _Exit(code, tuple(words[-20:]))))


def _keep_last(stream: TextIO, words: list[str]) -> None:
    for line in stream:
        words.append(line.rstrip())
        del words[:-50]
