"""A queue folder that workers serve without a server: a batch is taken by renaming it, and every word is a file.

    waiting/NAME.jsonl           a batch: run folders, each a path as a JSON string on a line of its own, seen from the queue folder
    taken/NAME.jsonl@WORKER      the worker has it; its answers stand beside it, in NAME.jsonl@WORKER.said
    done/, failed/               where it goes then: `failed` where its process did not come to its end, with its last words
    workers/WORKER.json, .beat   what the worker's environment is, and a number that rises while it lives

What a job came to is in its run folder, as always. A rename within one folder tree is what a shared disk must do whole (NFS does); locks of
run folders must be seen by all nodes (NFS 4, or 3 with its lock service). No clock of two machines is ever compared.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.heartbeat import beating
from harness.core.paths import MINE, workspace_folder
from harness.core.processes import kill, own_group
from harness.core.spec import Environment, Job, Outcome, Status
from harness.jobs import drop_partial, for_keeping, late

WAITING, TAKEN, DONE, FAILED, WORKERS = "waiting", "taken", "done", "failed", "workers"
DESCRIBE_SECONDS = 300
IDLE_SECONDS = 2.0
LOOK_SECONDS = 1.0
"""Between two looks at what a batch has answered."""
_WORKER = (sys.executable, "-P", "-m", "harness.worker")
_JOB, _OUTCOME = "job.json", "outcome.json"


def serve_queue(queue: Path, environment: str, *, exit_when_idle: bool = False) -> int:
    """Take batches and run them, one after another, until there is none; returns how many were run.

    environment: name under which outcomes stand. Each batch has a process of its own. Raises: HarnessError for a queue folder that is not
    there or cannot be written.
    """
    if not (queue / WAITING).is_dir():
        raise HarnessError(f"{queue} is no queue folder: it has no folder '{WAITING}'; make one, or name another")
    worker, count = f"{os.uname().nodename if hasattr(os, 'uname') else 'node'}-{os.getpid()}-{secrets.token_hex(2)}", 0
    try:
        for name in (TAKEN, DONE, FAILED, WORKERS):
            (queue / name).mkdir(exist_ok=True)
        described = _describe(queue, worker, environment)
    except OSError as error:
        raise HarnessError(
            f"{queue} cannot be written ({error.strerror}); the worker needs to rename files in it"
        ) from None
    with beating(queue / WORKERS / f"{worker}.beat"):
        while True:
            taken = take(queue, worker)
            if taken is not None:
                try:
                    _run(queue, taken, environment, described)
                except OSError as error:
                    raise HarnessError(
                        f"{queue} can no longer be written ({error.strerror}); batch {taken.name} stays in '{TAKEN}'"
                    ) from None
                count += 1
            elif exit_when_idle:
                return count
            else:
                time.sleep(IDLE_SECONDS)


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
        return taken
    return None


@dataclass(frozen=True)
class _Ended:
    """How a batch's process ended: by itself with a code, or since a job outlived its limit."""

    code: int = 0
    late: int | None = None
    """Place of that job in the batch."""
    seconds: float = 0.0


@dataclass
class _Answers:
    """What a batch's process says, read from the file that it says it to."""

    file: IO[bytes]
    _half: bytes = b""

    def new(self) -> Iterator[dict[str, Any]]:
        """Give the answers since the last look; what libraries print beside them is passed over."""
        *lines, self._half = (self._half + self.file.read()).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict):
                    yield answer


def _run(queue: Path, taken: Path, environment: str, described: Environment) -> None:
    """Run a batch to its end. A job that outlives its time limit costs itself alone: the rest goes on in another process."""
    said, left = taken.with_name(f"{taken.name}.said"), taken.with_name(f"{taken.name}.left")
    work, listed = [(folder, _job(folder)) for folder in _folders(queue, taken)], taken
    with said.open("ab") as out, said.open("rb") as heard:
        while (ended := _served(queue, environment, listed, work, out, _Answers(heard))).late is not None:
            _answer_for(*work[ended.late], ended.seconds, described)
            work, listed = work[ended.late + 1 :], left
            left.write_text("".join(f"{json.dumps(str(folder.absolute()))}\n" for folder, _ in work), "utf-8")
    left.unlink(missing_ok=True)
    name = taken.name.partition("@")[0]
    for path, ending in ((said, ".said"), (taken, "")):
        os.replace(path, queue / (FAILED if ended.code else DONE) / f"{name}{ending}")


def _served(
    queue: Path, environment: str, listed: Path, work: list[tuple[Path, Job | None]], out: IO[bytes], answers: _Answers
) -> _Ended:
    """Let a process serve run folders, and end it with all that it started where one takes longer than its job allows."""
    process = subprocess.Popen(
        [*_WORKER, environment, "--folders", str(listed.absolute())],
        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=queue, env=_variables(), **own_group(),
    )  # fmt: skip
    running, since = 0, time.monotonic()
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return _Ended(process.wait(timeout=LOOK_SECONDS))
            for answer in answers.new():
                if "begin" in answer:
                    begun = (place for place, (_, job) in enumerate(work) if job and job.run == answer["begin"])
                    running, since = next(begun, running), time.monotonic()
                elif "done" in answer:
                    running, since = running + 1, time.monotonic()
            job = work[running][1] if running < len(work) else None
            seconds = time.monotonic() - since
            if job is not None and job.timeout_seconds is not None and seconds >= job.timeout_seconds:
                return _Ended(late=running, seconds=seconds)
    finally:
        kill(process)


def _answer_for(folder: Path, job: Job | None, seconds: float, described: Environment) -> None:
    """Write the outcome of a job that was ended at its time limit, as a runner does; one that it wrote at the last moment stays."""
    if job is None or (folder / _OUTCOME).exists():
        return
    drop_partial(job)
    kept = for_keeping(job)
    outcome = Outcome(
        job=kept,
        status=Status.TIMEOUT,
        reason=late(job.timeout_seconds or 0.0),
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
    ours = str(Path(__file__).absolute().parents[1])
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
