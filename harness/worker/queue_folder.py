"""A worker of a queue folder: takes batches, one after another, without a server; every word is a file (`queue_layout`).

A worker that is told to end puts its batch back. Where the number of one stands still for STILL_SECONDS, another worker takes its batch over, by
renaming it to NAME.jsonl@WORKER.again: once, since a batch that ends two workers would end all. What a job came to is in its run folder, as always.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import disk_trouble, write_whole
from harness.core.heartbeat import beating
from harness.core.outcome import Environment
from harness.core.spec import Status
from harness.worker import OUTCOME
from harness.worker.queue_layout import (
    DONE,
    FAILED,
    LEFT,
    SAID,
    TAKEN,
    WAITING,
    WORKERS,
    Damaged,
    Newer,
    QueuedBatch,
    beside,
    likeness,
    name_of,
    read_batch,
    say,
)
from harness.worker.queue_process import WORKER, Lost, run_batch, variables
from harness.worker.queue_take import batches_in, take
from harness.worker.queue_watch import QueueWatch

DESCRIBE_SECONDS = 300
IDLE_SECONDS = 2.0


@dataclass
class Served:
    """What a worker did: batches run, how many went to `failed`, and jobs of the others that are not ok."""

    run: int = 0
    failed: int = 0
    bad_jobs: int = 0
    newer: int = 0
    """Batches that wait for a later version of the harness."""

    @property
    def said(self) -> str:
        """Say it in a line."""
        more = [f"{self.failed} failed: their last words are in '{FAILED}'"] if self.failed else []
        more += [f"{self.bad_jobs} jobs are not ok: the reasons are in their outcome.json"] if self.bad_jobs else []
        more += [f"{self.newer} of a newer version stay in '{WAITING}'"] if self.newer else []
        return "; ".join([f"{self.run} batches run", *more])

    @property
    def code(self) -> int:
        """Exit code: 1 where something failed, or could not be read."""
        return 1 if self.failed or self.bad_jobs or self.newer else 0


def serve_queue(queue: Path, environment: str, *, exit_when_idle: bool = False) -> Served:
    """Take batches and run them, one after another, until there is none; returns what came of them.

    environment: name under which outcomes stand. Each batch has a process of its own. Raises: HarnessError for a queue folder that is not
    there or cannot be written.
    """
    if not (queue / WAITING).is_dir():
        raise HarnessError(f"{queue} is no queue folder: it has no folder '{WAITING}'; make one, or name another")
    node = os.uname().nodename if hasattr(os, "uname") else "node"
    worker = f"{node.replace('@', '-')}-{os.getpid()}-{secrets.token_hex(2)}"
    try:
        for name in (TAKEN, DONE, FAILED, WORKERS):
            (queue / name).mkdir(exist_ok=True)
        described = _describe(queue, worker, environment)
        with _told_to_end(), beating(queue / WORKERS / f"{worker}.beat"):
            return _Serving(queue, worker, environment, described).until_idle(exit_when_idle=exit_when_idle)
    except OSError as error:
        raise HarnessError(
            f"{queue} cannot be written ({disk_trouble(error) or error.strerror}); the worker needs to write and rename files in it"
        ) from None


@dataclass
class _Serving:
    """A worker at work."""

    queue: Path
    worker: str
    environment: str
    described: Environment
    served: Served = field(default_factory=Served)
    _told: set[str] = field(default_factory=set)
    """Batches of a newer version of which it was said so."""

    def until_idle(self, *, exit_when_idle: bool) -> Served:
        """Serve, for ever or until no batch is left."""
        watch = QueueWatch(self.queue, self.worker)
        while True:
            taken = take(self.queue, self.worker, self._serves) or watch.taken_over()
            if taken is not None:
                self._serve(taken)
                continue
            self._tell_newer()
            if exit_when_idle and not watch.unsure:
                self.served.failed += watch.given_up
                return self.served
            time.sleep(IDLE_SECONDS)

    def _serves(self, batch: QueuedBatch) -> bool:
        """Tell whether a batch is for a worker of this environment, on this machine."""
        if batch.environment and (batch.environment, batch.like) != (self.environment, likeness(self.described)):
            return False
        return batch.machine in {"", self.described.machine_id}

    def _serve(self, taken: Path) -> None:
        try:
            folders = _folders(self.queue, taken)
            if self._run_or_put_back(taken):
                self.served.bad_jobs += sum(not _is_ok(folder) for folder in folders)
            else:
                self.served.failed += 1
            self.served.run += 1
        except Lost:
            sys.stderr.write(
                f"batch {name_of(taken)} is not this worker's any more: it was taken back, or taken over\n"
            )
            for ending in (LEFT, SAID):
                beside(taken, ending).unlink(missing_ok=True)

    def _run_or_put_back(self, taken: Path) -> bool:
        try:
            return run_batch(self.queue, taken, self.environment, self.described)
        except (_Told, KeyboardInterrupt):
            with suppress(OSError):
                say(taken, put_back=name_of(taken), why="its worker was told to end")
            self._put_back(taken)
            raise
        except OSError as error:
            where = (
                f"batch {name_of(taken)} is in '{WAITING}' again"
                if self._put_back(taken)
                else f"batch {taken.name} stays in '{TAKEN}'"
            )
            raise HarnessError(
                f"{self.queue} can no longer be written ({disk_trouble(error) or error.strerror}); {where}"
            ) from None

    def _put_back(self, taken: Path) -> bool:
        """Put a batch back with what was said of it; says whether it could be done."""
        waiting = self.queue / WAITING / name_of(taken)
        with suppress(OSError):
            os.replace(beside(taken, SAID), beside(waiting, SAID))
        try:
            beside(taken, LEFT).unlink(missing_ok=True)
            os.rename(taken, waiting)  # noqa: PTH104 - the one step that decides
        except OSError:
            return False
        return True

    def _tell_newer(self) -> None:
        """Say once of each batch that only a newer harness can read that it stays."""
        for path in batches_in(self.queue / WAITING):
            try:
                read_batch(path)
            except Damaged:  # it was there a moment ago
                continue
            except Newer as error:
                if path.name not in self._told:
                    self._told.add(path.name)
                    sys.stderr.write(f"{error}\n")
        self.served.newer = len(self._told)


def _folders(queue: Path, taken: Path) -> list[Path]:
    with suppress(Damaged, Newer):
        return [queue / folder for folder in read_batch(taken).folders]
    return []


def _is_ok(folder: Path) -> bool:
    """Tell whether a job came out well; one whose outcome cannot be read did not."""
    with suppress(OSError, ValueError, AttributeError):
        return bool(json.loads((folder / OUTCOME).read_text("utf-8")).get("status") == Status.OK.value)
    return False


class _Told(BaseException):
    """Somebody wants this worker to end."""


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Make SIGTERM end what is being done with all that cleans up behind it. Raises: HarnessError then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Told

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield
    except _Told:
        raise HarnessError(f"told to end; what this worker had taken is in '{WAITING}' again") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _describe(queue: Path, worker: str, environment: str) -> Environment:
    """Write down what this node's environment is, as it stands in outcomes. Raises: HarnessError where it does not say it."""
    words = [*WORKER, "--describe", environment]
    try:
        ran = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DESCRIBE_SECONDS,
            env=variables(),
        )  # fmt: skip
        said = Environment.model_validate(json.loads(ran.stdout.strip().splitlines()[-1])["environment"])
    except subprocess.TimeoutExpired:
        raise HarnessError(
            f"environment {environment} did not say within {DESCRIBE_SECONDS} s what it holds; run it by hand to see why"
        ) from None
    except (IndexError, ValueError, KeyError, TypeError):
        words = ran.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise HarnessError(f"environment {environment} cannot run the worker: {words[0]}") from None
    write_whole(queue / WORKERS / f"{worker}.json", json.dumps({"environment": said.model_dump(mode="json")}) + "\n")
    return said
