"""A queue folder that workers serve without a server: a batch is taken by renaming it, and every word is a file.

    waiting/NAME.jsonl           a batch: run folders, each a path as a JSON string on a line of its own, seen from the queue folder
    taken/NAME.jsonl@WORKER      the worker has it; its answers stand beside it, in NAME.jsonl@WORKER.said
    done/, failed/               where it goes then: `failed` where its process did not come to its end, with its last words
    workers/WORKER.json, .beat   what the worker's environment is, and a number that rises while it lives

A worker that is told to end puts its batch back. Where the number of one stands still for STILL_SECONDS, another worker takes its batch over, by
renaming it to NAME.jsonl@WORKER.again: once, since a batch that ends two workers would end all. Jobs that have an outcome are not run again.

What a job came to is in its run folder, as always. A rename within one folder tree is what a shared disk must do whole (NFS does); locks of
run folders must be seen by all nodes (NFS 4, or 3 with its lock service). No clock of two machines is ever compared.
"""

from __future__ import annotations

import json
import os
import queue as queues
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.heartbeat import beating
from harness.core.paths import MINE, workspace_folder
from harness.core.processes import KILLED_SECONDS, STARTED_BY, kill, new_mark, own_group
from harness.core.spec import Environment, Job, Outcome, Status
from harness.worker.inputs import drop_partial, for_keeping, late

WAITING, TAKEN, DONE, FAILED, WORKERS = "waiting", "taken", "done", "failed", "workers"
DESCRIBE_SECONDS = 300
IDLE_SECONDS = 2.0
LOOK_SECONDS = 1.0
"""Between two looks at what a batch has answered."""
STILL_SECONDS = 60.0
"""A worker whose number does not rise for so long is taken for dead: twelve beats."""
CLOSE_SECONDS = 300.0
"""Within which a batch's process ends after its last job."""
LONGEST_SECONDS = 24 * 3600.0
"""Limit of a job that has none of its own, or whose file cannot be read."""
_AGAIN, _SAID = ".again", ".said"
_WORKER = (sys.executable, "-P", "-m", "harness.worker")
_JOB, _OUTCOME = "job.json", "outcome.json"


@dataclass
class Served:
    """What a worker did: batches run, how many went to `failed`, and jobs of the others that are not ok."""

    run: int = 0
    failed: int = 0
    bad_jobs: int = 0

    @property
    def said(self) -> str:
        """Say it in a line."""
        more = [f"{self.failed} failed: their last words are in '{FAILED}'"] if self.failed else []
        more += [f"{self.bad_jobs} jobs are not ok: the reasons are in their outcome.json"] if self.bad_jobs else []
        return "; ".join([f"{self.run} batches run", *more])

    @property
    def code(self) -> int:
        """Exit code: 1 where something failed."""
        return 1 if self.failed or self.bad_jobs else 0


def serve_queue(queue: Path, environment: str, *, exit_when_idle: bool = False) -> Served:
    """Take batches and run them, one after another, until there is none; returns what came of them.

    environment: name under which outcomes stand. Each batch has a process of its own. Raises: HarnessError for a queue folder that is not
    there or cannot be written.
    """
    if not (queue / WAITING).is_dir():
        raise HarnessError(f"{queue} is no queue folder: it has no folder '{WAITING}'; make one, or name another")
    worker, served = (
        f"{os.uname().nodename if hasattr(os, 'uname') else 'node'}-{os.getpid()}-{secrets.token_hex(2)}",
        Served(),
    )
    try:
        for name in (TAKEN, DONE, FAILED, WORKERS):
            (queue / name).mkdir(exist_ok=True)
        described = _describe(queue, worker, environment)
    except OSError as error:
        raise HarnessError(
            f"{queue} cannot be written ({error.strerror}); the worker needs to rename files in it"
        ) from None
    watch = _Watch(queue, worker)
    with beating(queue / WORKERS / f"{worker}.beat"), _told_to_end():
        while True:
            taken = take(queue, worker) or watch.taken_over()
            if taken is not None:
                folders = _folders(queue, taken)
                served.run += 1
                if _run_or_put_back(queue, taken, environment, described):
                    served.bad_jobs += sum(not _is_ok(folder) for folder in folders)
                else:
                    served.failed += 1
            elif exit_when_idle and not watch.unsure:
                served.failed += watch.given_up
                return served
            else:
                time.sleep(IDLE_SECONDS)


def _is_ok(folder: Path) -> bool:
    """Tell whether a job came out well; one whose outcome cannot be read did not."""
    with suppress(OSError, ValueError, AttributeError):
        return bool(json.loads((folder / _OUTCOME).read_text("utf-8")).get("status") == Status.OK.value)
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


def _run_or_put_back(queue: Path, taken: Path, environment: str, described: Environment) -> bool:
    try:
        return _run(queue, taken, environment, described)
    except (_Told, KeyboardInterrupt):
        with suppress(OSError):
            _say(taken, put_back=_name(taken), why="its worker was told to end")
            os.replace(_beside(taken, _SAID), queue / WAITING / f"{_name(taken)}{_SAID}")
            os.rename(taken, queue / WAITING / _name(taken))  # noqa: PTH104 - the one step that decides
            _beside(taken, ".left").unlink(missing_ok=True)
        raise
    except OSError as error:
        raise HarnessError(
            f"{queue} can no longer be written ({error.strerror}); batch {taken.name} stays in '{TAKEN}'"
        ) from None


def _name(taken: Path) -> str:
    """Return a batch's own name, in which an @ may stand: a worker's has none."""
    return taken.name.rpartition("@")[0]


def _beside(taken: Path, ending: str) -> Path:
    return taken.with_name(f"{taken.name}{ending}")


def _say(taken: Path, **words: str) -> None:
    """Add a line of ours to what a batch's processes say."""
    with open(_beside(taken, _SAID), "a", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")


@dataclass
class _Watch:
    """Whether the workers that have batches are alive: a number of theirs that was looked at twice, by our own clock."""

    queue: Path
    worker: str
    given_up: int = 0
    """Batches that ended two workers and went to `failed`."""
    unsure: bool = False
    """Some worker has a batch of which it is not known yet whether it lives."""
    _seen: dict[str, tuple[str, float, bool]] = field(default_factory=dict)
    """Worker to its number, when that was first seen, and whether it ever rose."""

    def taken_over(self) -> Path | None:
        """Take over a batch of a worker that is dead; None where there is none. One that ended two workers goes to `failed`."""
        self.unsure = False
        for path in sorted((self.queue / TAKEN).glob("*.jsonl@*")):
            other = path.name.rpartition("@")[2].removesuffix(_AGAIN)
            if path.name.endswith((_SAID, ".left")) or other == self.worker or not self._still(other):
                continue
            again = path.name.endswith(_AGAIN)
            mine = (
                self.queue / FAILED / _name(path) if again else path.with_name(f"{_name(path)}@{self.worker}{_AGAIN}")
            )
            with suppress(FileNotFoundError):  # another worker was faster, or its own is not dead
                os.rename(path, mine)  # noqa: PTH104 - the one step that decides
                with suppress(FileNotFoundError):
                    os.replace(_beside(path, _SAID), _beside(mine, _SAID))
                _beside(path, ".left").unlink(missing_ok=True)
                _say(mine, taken_over_from=other, why=f"its beat stood still for {STILL_SECONDS:g} s")
                if not again:
                    return mine
                self.given_up += 1
                _say(mine, failed=_name(path), why="it was in the hands of two workers when they stopped")
        return None

    def _still(self, other: str) -> bool:
        try:
            beat = (self.queue / WORKERS / f"{other}.beat").read_text("utf-8")
        except (OSError, ValueError):
            beat = ""
        known, now = self._seen.get(other), time.monotonic()
        if known is None or known[0] != beat:
            self._seen[other] = (beat, now, known is not None)
        _, since, rose = self._seen[other]
        self.unsure |= not rose or now - since > STILL_SECONDS / 2
        return now - since >= STILL_SECONDS


def take(queue: Path, worker: str) -> Path | None:
    """Take the first batch that nobody else has, by renaming it; None where there is none. What is no batch is left alone."""
    for path in sorted((queue / WAITING).glob("*.jsonl")):
        if path.is_symlink() or not path.is_file():
            continue
        taken = queue / TAKEN / f"{path.name}@{worker}"
        try:
            os.rename(path, taken)  # noqa: PTH104 - the one step that decides
        except FileNotFoundError:  # another worker was faster
            continue
        with suppress(OSError):  # of a worker that was told to end
            os.replace(path.with_name(f"{path.name}{_SAID}"), _beside(taken, _SAID))
        return taken
    return None


@dataclass(frozen=True)
class _Ended:
    """How a batch's process ended: by itself with a code, or since a job outlived its limit."""

    code: int = 0
    late: int | None = None
    """Place of that job in the batch."""
    seconds: float = 0.0


def _heard(stream: IO[bytes], out: IO[bytes], answers: queues.SimpleQueue[dict[str, Any]]) -> None:
    """Keep all that a batch's process says and pass its answers on; what libraries print beside them is kept alone."""
    for line in stream:
        with suppress(OSError, ValueError):  # a full disk: its answers are still heard
            out.write(line)
            out.flush()
        with suppress(ValueError, RecursionError):
            answer = json.loads(line)
            if isinstance(answer, dict):
                answers.put(answer)


def _run(queue: Path, taken: Path, environment: str, described: Environment) -> bool:
    """Run a batch to its end; False where it goes to `failed`. A job that outlives its time limit costs itself alone: the rest goes on in another process."""
    said, left = _beside(taken, _SAID), _beside(taken, ".left")
    folders, listed, code = _folders(queue, taken), taken, 0
    work = [(folder, _job(folder)) for folder in folders if not (folder / _OUTCOME).exists()]
    if len(work) < len(folders):
        listed = _listed(left, work)
    with said.open("ab") as out:
        while work or not folders:
            ended = _served(queue, environment, listed, taken, work, out)
            code = ended.code
            if ended.late is None:
                break
            _answer_for(*work[ended.late], ended.seconds, described)
            work = work[ended.late + 1 :]
            listed = _listed(left, work)
    left.unlink(missing_ok=True)
    for path, ending in ((said, _SAID), (taken, "")):
        os.replace(path, queue / (FAILED if code else DONE) / f"{_name(taken)}{ending}")
    return not code


def _listed(left: Path, work: list[tuple[Path, Job | None]]) -> Path:
    left.write_text("".join(f"{json.dumps(str(folder.absolute()))}\n" for folder, _ in work), "utf-8")
    return left


def _served(
    queue: Path, environment: str, listed: Path, taken: Path, work: list[tuple[Path, Job | None]], out: IO[bytes]
) -> _Ended:
    """Let a process serve run folders, and end it with all that it started where one takes longer than its job allows.

    It speaks into a pipe that we read, and ends by itself where we are gone. Raises: HarnessError where another worker took the batch over.
    """
    mark = new_mark()
    process = subprocess.Popen(
        [*_WORKER, environment, "--folders", str(listed.absolute())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=queue, env={**_variables(), STARTED_BY: mark},
        **own_group(),
    )  # fmt: skip
    answers: queues.SimpleQueue[dict[str, Any]] = queues.SimpleQueue()
    assert process.stdout is not None
    reader = threading.Thread(target=_heard, args=(process.stdout, out, answers), daemon=True)
    reader.start()
    running, since = 0, time.monotonic()
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return _Ended(process.wait(timeout=LOOK_SECONDS))
            while not answers.empty():
                answer = answers.get_nowait()
                if "begin" in answer:
                    begun = (place for place, (_, job) in enumerate(work) if job and job.run == answer["begin"])
                    running, since = next(begun, running), time.monotonic()
                elif "done" in answer:
                    running, since = running + 1, time.monotonic()
            seconds = time.monotonic() - since
            if running >= len(work) and seconds >= CLOSE_SECONDS:  # all outcomes are there: nothing more can come of it
                _say(taken, killed=_name(taken), why=f"it did not end within {CLOSE_SECONDS:g} s after its last job")
                return _Ended(code=0 if work else 1)
            if running < len(work) and seconds >= _limit(work[running][1]):
                return _Ended(late=running, seconds=seconds)
            if not taken.exists():
                raise HarnessError(f"batch {_name(taken)} was taken over: this worker's beat stood still for others")
    finally:
        kill(process, mark)
        reader.join(timeout=KILLED_SECONDS)
        if not reader.is_alive():  # else something that outlives it holds the pipe
            process.stdout.close()


def _limit(job: Job | None) -> float:
    """Return within how many seconds a job must end."""
    return LONGEST_SECONDS if job is None or job.timeout_seconds is None else job.timeout_seconds


def _answer_for(folder: Path, job: Job | None, seconds: float, described: Environment) -> None:
    """Write the outcome of a job that was ended at its time limit, as a runner does; one that it wrote at the last moment stays."""
    if job is None or (folder / _OUTCOME).exists():
        return
    drop_partial(job)
    kept = for_keeping(job)
    outcome = Outcome(
        job=kept,
        status=Status.TIMEOUT,
        reason=late(_limit(job)),
        written_by="runner",
        started=datetime.now(UTC) - timedelta(seconds=seconds),
        seconds=seconds,
        environment=described,
        inputs=kept.inputs,
        notes=job.notes,
    )
    write_whole(folder / _OUTCOME, outcome.model_dump_json(indent=1))


def _folders(queue: Path, batch: Path) -> list[Path]:
    """Read the run folders of a batch, seen from the queue folder; what cannot be read is left for its process to tell."""
    with suppress(OSError, ValueError):
        lines = [line for line in batch.read_text("utf-8").split("\n") if line.strip()]
        return [queue / (json.loads(line) if line.startswith('"') else line.strip()) for line in lines]
    return []


def _job(folder: Path) -> Job | None:
    try:
        return Job.model_validate_json((folder / _JOB).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _variables() -> dict[str, str]:
    """Let a process that stands in the queue folder import what we are, and read paths as we do."""
    ours = str(Path(__file__).absolute().parents[2])
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, MINE: str(workspace_folder().absolute())}


def _describe(queue: Path, worker: str, environment: str) -> Environment:
    """Write down what this node's environment is, as it stands in outcomes. Raises: HarnessError where it does not say it."""
    words = [*_WORKER, "--describe", environment]
    try:
        ran = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DESCRIBE_SECONDS,
            env=_variables(),
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
