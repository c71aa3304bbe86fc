"""A batch of a queue folder and the processes that serve it: what they say is kept, and what outlives its limit is ended."""

from __future__ import annotations

import json
import os
import queue as queues
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from harness.core.files import write_whole
from harness.core.outcome import Environment, Outcome
from harness.core.paths import MINE, workspace_folder
from harness.core.processes import KILLED_SECONDS, STARTED_BY, kill, new_mark, own_group
from harness.core.spec import Job, Status
from harness.nvml import gpu_uuids, open_nvml
from harness.worker import JOB, OUTCOME
from harness.worker.answer import Answer, answer_of
from harness.worker.deaths import cause, oom_kills
from harness.worker.inputs import drop_partial, for_keeping, late
from harness.worker.machine_lock import lock_files, take
from harness.worker.queue_layout import (
    DONE,
    FAILED,
    LEFT,
    SAID,
    Damaged,
    Newer,
    QueuedBatch,
    beside,
    name_of,
    read_batch,
    say,
)

LOOK_SECONDS = 1.0
"""Between two looks at what a batch has answered."""
CLOSE_SECONDS = 300.0
"""Within which a batch's process ends after its last job."""
LONGEST_SECONDS = 24 * 3600.0
"""Limit of a job that has none of its own, or whose file cannot be read."""
WORKER = (sys.executable, "-P", "-m", "harness.worker")


class Lost(Exception):
    """The batch is another's: its worker's beat stood still for others, or whoever handed it over took it back."""


@dataclass(frozen=True)
class QueuedJob:
    """A run folder, and its job as far as that can be read."""

    folder: Path
    job: Job | None

    @property
    def limit(self) -> float:
        """Seconds within which it must end."""
        return LONGEST_SECONDS if self.job is None or self.job.timeout_seconds is None else self.job.timeout_seconds

    @property
    def done(self) -> bool:
        """Whether it came to an outcome."""
        return (self.folder / OUTCOME).exists()


@dataclass(frozen=True)
class Ended:
    """How a batch's process ended: by itself with a code, or since a job outlived its limit."""

    code: int = 0
    late: int | None = None
    """Place of that job in the batch."""
    seconds: float = 0.0


@dataclass
class _Served:
    """What is known of a process that serves run folders."""

    work: Sequence[QueuedJob]
    running: int = 0
    busy: bool = False
    """That job was begun."""
    since: float = field(default_factory=time.monotonic)
    words: list[str] = field(default_factory=list)
    """What it said last that is no answer."""
    answers: queues.SimpleQueue[Answer] = field(default_factory=queues.SimpleQueue)

    def listen(self, stream: IO[bytes], out: IO[bytes]) -> None:
        """Keep all that a process says and pass its answers on."""
        for line in stream:
            with suppress(OSError, ValueError):  # a full disk: its answers are still heard
                out.write(line)
                out.flush()
            answer = answer_of(line, time.monotonic())
            if answer is not None:
                self.answers.put(answer)
            elif line.strip():
                self.words = [*self.words[-20:], line.decode("utf-8", "replace").strip()]

    def take_down(self) -> None:
        """Note what the answers say of where it is."""
        while not self.answers.empty():
            answer = self.answers.get_nowait()
            if answer.what == "begin":
                places = (place for place, one in enumerate(self.work) if one.job and one.job.run == answer.run)
                self.running, self.busy, self.since = next(places, self.running), True, answer.heard
            elif answer.what == "done":
                self.running, self.busy, self.since = self.running + 1, False, answer.heard


def run_batch(queue: Path, taken: Path, environment: str, described: Environment) -> bool:
    """Run a batch to its end; False where it goes to `failed`. Jobs that have an outcome are not run again.

    A job that outlives its time limit costs itself alone, and what stands behind one that needs a clean process gets another; where a runner
    decides that, it is left. Raises: Lost; OSError where the queue cannot be written.
    """
    try:
        batch = read_batch(taken)
    except (Damaged, Newer) as error:
        say(taken, failed=name_of(taken), why=str(error))
        return _over(queue, taken, 1)
    jobs = [_queued(queue / folder) for folder in batch.folders]
    work, code = [one for one in jobs if not one.done], 0
    with beside(taken, SAID).open("ab") as out, ExitStack() as turn:
        _take_turn(turn, taken, batch)
        while work or not jobs:
            ended = _served(queue, environment, taken, work, out)
            code = ended.code
            if ended.late is not None:
                _answer_for(taken, work[ended.late], ended.seconds, described)
                rest = work[ended.late + 1 :]
            else:
                rest = [one for one in work if not one.done]
            if code or batch.decided or not jobs:
                break
            code = int(len(rest) == len(work))
            work = rest if not code else []
    return _over(queue, taken, code)


def _over(queue: Path, taken: Path, code: int) -> bool:
    """Put a batch where it belongs that is over; True where its process came to its end. Raises: Lost where it is not ours any more."""
    if not taken.exists():
        raise Lost
    over = queue / (FAILED if code else DONE) / name_of(taken)
    beside(taken, LEFT).unlink(missing_ok=True)
    try:
        with suppress(FileNotFoundError):
            os.replace(beside(taken, SAID), beside(over, SAID))
        os.rename(taken, over)  # noqa: PTH104 - the one step that decides
    except FileNotFoundError:
        raise Lost from None
    return not code


def _take_turn(turn: ExitStack, taken: Path, batch: QueuedBatch) -> None:
    """Wait until the machine is free: what is timed has it for itself, all else shares it. Raises: Lost where the batch is gone meanwhile."""
    timed = batch.exclusive == "machine"
    gpus = gpu_uuids(open_nvml()) if timed and batch.devices else ()
    told = False
    for text in take(turn, lock_files(gpus), shared=not timed, told_every=LOOK_SECONDS):
        if not taken.exists():
            raise Lost
        if not told:
            told = True
            say(taken, waiting=text)


def _served(queue: Path, environment: str, taken: Path, work: Sequence[QueuedJob], out: IO[bytes]) -> Ended:
    """Let a process serve run folders, and end it with all that it started where one takes longer than its job allows.

    It speaks into a pipe that we read, and ends by itself where we are gone. Raises: Lost where the batch is not ours any more.
    """
    listed, mark, kills = beside(taken, LEFT), new_mark(), oom_kills()
    listed.write_text("".join(f"{json.dumps(str(one.folder.absolute()))}\n" for one in work), "utf-8")
    process = subprocess.Popen(
        [*WORKER, environment, "--folders", str(listed.absolute())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=queue, env={**variables(), STARTED_BY: mark},
        **own_group(),
    )  # fmt: skip
    assert process.stdout is not None
    state = _Served(work)
    reader = threading.Thread(target=state.listen, args=(process.stdout, out), daemon=True)
    reader.start()
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=LOOK_SECONDS)
                reader.join(timeout=KILLED_SECONDS)
                state.take_down()
                return _exited(taken, code, state, kills)
            if not taken.exists():
                raise Lost
            state.take_down()
            seconds = time.monotonic() - state.since
            if (
                state.running >= len(work) and seconds >= CLOSE_SECONDS
            ):  # all outcomes are there: nothing more can come of it
                say(taken, killed=name_of(taken), why=f"it did not end within {CLOSE_SECONDS:g} s after its last job")
                return Ended(code=0 if work else 1)
            if state.running < len(work) and seconds >= work[state.running].limit:
                return Ended(late=state.running, seconds=seconds)
    finally:
        kill(process, mark)
        reader.join(timeout=KILLED_SECONDS)
        if not reader.is_alive():  # else something that outlives it holds the pipe
            process.stdout.close()


def _exited(taken: Path, code: int, state: _Served, kills: int | None) -> Ended:
    """Say what a process died of that did not come to its end."""
    if not code and not state.busy:
        return Ended()
    status, why = cause(code, state.words, kills, oom_kills())
    job = state.work[state.running].job if state.running < len(state.work) else None
    run, seconds = job.run if job else "", time.monotonic() - state.since
    say(taken, failed=name_of(taken), run=run, status=status.value, why=why, seconds=seconds)
    return Ended(code=code or 1)


def _answer_for(taken: Path, one: QueuedJob, seconds: float, described: Environment) -> None:
    """Write the outcome of a job that was ended at its time limit, as a runner does; one that it wrote at the last moment stays."""
    if one.job is None or one.done:
        return
    drop_partial(one.job)
    kept = for_keeping(one.job)
    outcome = Outcome(
        job=kept,
        status=Status.TIMEOUT,
        reason=late(one.limit),
        written_by="runner",
        started=datetime.now(UTC) - timedelta(seconds=seconds),
        seconds=seconds,
        environment=described,
        inputs=kept.inputs,
        notes=one.job.notes,
    )
    write_whole(one.folder / OUTCOME, outcome.model_dump_json(indent=1))
    say(taken, done=one.job.run, status=Status.TIMEOUT.value, now=time.monotonic())


def _queued(folder: Path) -> QueuedJob:
    try:
        return QueuedJob(folder, Job.model_validate_json((folder / JOB).read_text("utf-8")))
    except (OSError, ValueError):
        return QueuedJob(folder, None)


def variables() -> dict[str, str]:
    """Let a process that stands in the queue folder import what we are, and read paths as we do."""
    ours = str(Path(__file__).absolute().parents[2])
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, MINE: str(workspace_folder().absolute())}
