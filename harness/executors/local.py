"""Run workers on this machine: submit, poll, cancel."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from harness.core.privacy import caches, silence
from harness.core.processes import KILLED_SECONDS, STARTED_BY, kill, new_mark, own_group
from harness.environments import package_path
from harness.worker import FOLDERS, WITH_PARENT

DESCRIBE_SECONDS = 300
"""Within which an environment must say what it holds: importing torch from a cold disk takes a minute."""
WORKER = ("-P", "-m", "harness.worker")
"""How a worker is started: what lies in the folder one stands in, as a library's own source, is not imported in place of what is installed."""
_NEEDS = "it needs Python 3.11 or newer and what this installs: {} -m pip install pydantic filelock numpy psutil nvidia-ml-py"


@dataclass(frozen=True)
class Batch:
    """Run folders that one worker process serves, in order."""

    python: Path
    environment: str
    folders: tuple[Path, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Handle:
    """A worker that was started; `events` fills with its answers, and ends with `{"exit": code}`."""

    process: subprocess.Popen[str]
    spawned: float
    events: queue.Queue[dict[str, Any]]
    listener: threading.Thread | None = None
    mark: str = ""
    """Borne by all that it starts."""
    ended: float | None = None
    """When it was first seen to have ended while its output was still open, as a child that outlives it keeps it."""


def submit(batch: Batch) -> Handle:
    """Start a worker for these run folders, which a file in the first one lists; it ends when nobody reads its answers.

    Raises: OSError when the file cannot be written.
    """
    listed, mark = batch.folders[0] / FOLDERS, new_mark()
    listed.write_text("".join(f"{json.dumps(str(folder))}\n" for folder in batch.folders), "utf-8")
    process = subprocess.Popen(
        [str(batch.python), *WORKER, batch.environment, "--folders", str(listed)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**_variables(batch.variables), STARTED_BY: mark},
        **own_group(),
    )
    handle = Handle(process=process, spawned=time.monotonic(), events=queue.Queue(), mark=mark)
    handle.listener = threading.Thread(target=_listen, args=(handle,), daemon=True)
    handle.listener.start()
    return handle


def poll(handle: Handle, timeout: float) -> dict[str, Any] | None:
    """Return the worker's next answer, or None when none came within `timeout` seconds."""
    try:
        return handle.events.get(timeout=max(0.0, timeout))
    except queue.Empty:
        code = handle.process.poll()
        if code is None:
            return None
        now = time.monotonic()
        handle.ended = handle.ended or now
        held = now - handle.ended > KILLED_SECONDS
        return {"exit": code, "words": ["its output was left open by a child of it"], "heard": now} if held else None


def finish(handle: Handle) -> None:
    """Wait for a worker that has answered for all its folders to end."""
    try:
        handle.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        cancel(handle)
    _close(handle)


def cancel(handle: Handle) -> tuple[str, ...]:
    """Kill a worker and everything it started; returns the names of what stood in groups of its own."""
    left = kill(handle.process, handle.mark)
    _close(handle)
    return left


def _close(handle: Handle) -> None:
    if handle.listener is not None:
        handle.listener.join(timeout=10)
    for stream in (handle.process.stdout, handle.process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def describe(python: Path, environment: str) -> dict[str, Any]:
    """Ask an environment what it is: `core.spec.Environment` as JSON. Raises: HarnessError with its last words."""
    from harness.core.errors import HarnessError

    try:
        result = subprocess.run(
            [str(python), *WORKER, "--describe", environment],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_variables({}),
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=DESCRIBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise HarnessError(
            f"environment {environment}: {python} did not say within {DESCRIBE_SECONDS} s what it holds; run it by hand to see why"
        ) from None
    except OSError as error:
        raise HarnessError(
            f"environment {environment}: {python} cannot be started ({error.strerror}); its `python:` must name an interpreter"
        ) from error
    try:
        answer: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])["environment"]
    except (IndexError, ValueError, KeyError, TypeError):
        words = result.stderr.strip().splitlines() or [f"it printed nothing and exited with code {result.returncode}"]
        raise HarnessError(
            f"environment {environment} ({python}) cannot run the worker: {words[-1]}; {_NEEDS.format(python)}"
        ) from None
    return answer


def serve_queue(python: Path, environment: str, queue: Path, *, exit_when_idle: bool) -> int:
    """Let an environment's own Python serve a queue folder, until it ends, or we do; returns its exit code."""
    idle = ["--exit-when-idle"] if exit_when_idle else []
    words = [str(python), *WORKER, environment, "--queue", str(queue.absolute()), *idle, WITH_PARENT]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=_variables({})) as process:  # the pipe ends with us
        return process.wait()


def _listen(handle: Handle) -> None:
    stdout, stderr = handle.process.stdout, handle.process.stderr
    assert stdout is not None
    assert stderr is not None
    words: list[str] = []
    other = threading.Thread(target=_keep_last, args=(stderr, words), daemon=True)
    other.start()
    for line in stdout:
        with contextlib.suppress(json.JSONDecodeError):
            handle.events.put(json.loads(line) | {"heard": time.monotonic()})
    code = handle.process.wait()
    other.join(timeout=5)
    handle.events.put({"exit": code, "words": words[-20:], "heard": time.monotonic()})


def _keep_last(stream: TextIO, words: list[str]) -> None:
    for line in stream:
        words.append(line.rstrip())
        del words[:-50]


def _variables(more: Mapping[str, str]) -> dict[str, str]:
    """Give the worker our package, whatever environment it stands in, text as UTF-8, and libraries that keep to us."""
    path = os.pathsep.join(part for part in (str(package_path()), os.environ.get("PYTHONPATH", "")) if part)
    made = {
        **os.environ,
        **caches(os.environ),
        "PYTHONPATH": path,
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "TQDM_DISABLE": "1",
        **more,
    }
    silence(made)
    return made
