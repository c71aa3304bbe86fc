"""How a worker's process is started on this machine: with which words and variables, and asked what its environment is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.outcome import Environment
from harness.core.privacy import caches, silence
from harness.environments import package_path
from harness.worker import WITH_PARENT

DESCRIBE_SECONDS = 300
"""Within which an environment must say what it holds: importing torch from a cold disk takes a minute."""
WORKER = ("-P", "-m", "harness.worker")
"""How a worker is started: what lies in the folder one stands in, as a library's own source, is not imported in place of what is installed."""
_NEEDS = "it needs Python 3.11 or newer and what this installs: {} -m pip install pydantic filelock numpy psutil nvidia-ml-py"


def describe(python: Path, environment: str) -> Environment:
    """Ask an environment what it is. Raises: HarnessError with its last words."""
    try:
        result = subprocess.run(
            [str(python), *WORKER, "--describe", environment],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=variables({}),
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
        said = json.loads(result.stdout.strip().splitlines()[-1])["environment"]
    except (IndexError, ValueError, KeyError, TypeError):
        words = result.stderr.strip().splitlines() or [f"it printed nothing and exited with code {result.returncode}"]
        raise HarnessError(
            f"environment {environment} ({python}) cannot run the worker: {words[-1]}; {_NEEDS.format(python)}"
        ) from None
    return Environment.model_validate(said)


def described(python: Path, environment: str) -> Environment:
    """Say what an environment is; our own is asked without starting another process. Raises: as `describe`."""
    if Path(sys.executable) == python:
        from harness.host import environment as own

        return own(environment)
    return describe(python, environment)


def serve_queue(python: Path, environment: str, queue: Path, *, exit_when_idle: bool) -> int:
    """Let an environment's own Python serve a queue folder, until it ends, or we do; returns its exit code."""
    idle = ["--exit-when-idle"] if exit_when_idle else []
    words = [str(python), *WORKER, environment, "--queue", str(queue.absolute()), *idle, WITH_PARENT]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=variables({})) as process:  # the pipe ends with us
        return process.wait()


def variables(more: Mapping[str, str]) -> dict[str, str]:
    """Give a worker our package, whatever environment it stands in, text as UTF-8, and libraries that keep to us."""
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
