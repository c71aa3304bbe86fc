"""A queue folder that workers serve without a server: a batch is taken by renaming it, and every word is a file.

    waiting/NAME.jsonl           a batch: run folders, each a path as a JSON string on a line of its own, seen from the queue folder
    taken/NAME.jsonl@WORKER      the worker has it; its answers stand beside it, in NAME.jsonl@WORKER.said
    done/, failed/               where it goes then: `failed` where its process did not come to its end, with its last words
    workers/WORKER.json, .beat   what the worker's environment is, and a number that rises while it lives

What a job came to is in its run folder, as always. A rename within one folder tree is what a shared disk must do whole (NFS does); locks of
run folders must be seen by all nodes (NFS 4, or 3 with its lock service). No clock of two machines is ever compared.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import write_whole

WAITING, TAKEN, DONE, FAILED, WORKERS = "waiting", "taken", "done", "failed", "workers"
DESCRIBE_SECONDS = 300
IDLE_SECONDS = 2.0
BEAT_SECONDS = 5.0


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
        _describe(queue, worker, environment)
    except OSError as error:
        raise HarnessError(
            f"{queue} cannot be written ({error.strerror}); the worker needs to rename files in it"
        ) from None
    with _beating(queue / WORKERS / f"{worker}.beat"):
        while True:
            taken = take(queue, worker)
            if taken is not None:
                try:
                    _run(queue, taken, environment)
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


def _run(queue: Path, taken: Path, environment: str) -> None:
    said = taken.with_name(f"{taken.name}.said")
    words = [sys.executable, "-m", "harness.worker", environment, "--folders", str(taken.absolute())]
    with said.open("w", encoding="utf-8") as out:
        ran = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False, cwd=queue
        )
    name = taken.name.partition("@")[0]
    for path, ending in ((said, ".said"), (taken, "")):
        os.replace(path, queue / (FAILED if ran.returncode else DONE) / f"{name}{ending}")


def _describe(queue: Path, worker: str, environment: str) -> None:
    """Write down what this node's environment is, as it will stand in outcomes."""
    words = [sys.executable, "-m", "harness.worker", "--describe", environment]
    try:
        said = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DESCRIBE_SECONDS
        ).stdout
    except subprocess.TimeoutExpired:
        raise HarnessError(
            f"environment {environment} did not say within {DESCRIBE_SECONDS} s what it holds; run it by hand to see why"
        ) from None
    write_whole(queue / WORKERS / f"{worker}.json", said.strip().splitlines()[-1] + "\n" if said.strip() else "{}\n")


@contextmanager
def _beating(file: Path) -> Iterator[None]:
    """Let a number rise in a file, and go when it is over."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        while True:
            count += 1
            with suppress(OSError):
                file.write_text(f"{count:010d}\n", "utf-8")
            if over.wait(BEAT_SECONDS):
                return

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()
        file.unlink(missing_ok=True)
