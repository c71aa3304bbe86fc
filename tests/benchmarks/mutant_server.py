"""Run tests in forks of one process that has imported what they need of others: a line of JSON in, one out.

`{"batches": [[test, ...], ...], "seconds": {test: processor seconds it takes unchanged}}` is answered by the first test to fail, or nothing,
and the processor seconds spent. A test that runs on and on has failed, too. No module of this project is imported before the fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BEFORE = ("numpy", "scipy.stats", "pydantic", "sqlalchemy", "alembic", "yaml", "torch", "transformers", "onnx")
LEAST, TIMES = 10.0, 10.0
"""Processor seconds after which any test has failed, or this many times those that it takes unchanged."""
WAITS = 180.0
"""Seconds after which a test has failed that waits for something."""

BROKEN = "not run: "


class Watch:
    """A plug-in that writes the test that runs, then the first one that failed; the kernel ends a process whose test runs on."""

    def __init__(self, seconds: dict[str, float], answer: Path) -> None:
        self.seconds, self.answer, self.failed = seconds, answer, ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Limit a test."""
        self.answer.write_text(item.nodeid, "utf-8")
        limit = max(self.seconds.get(item.nodeid.partition("[")[0], 0.0) * TIMES, LEAST)
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.setitimer(signal.ITIMER_REAL, WAITS)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def run(self, batch: list[str]) -> bool:
        """Run some tests; true where all passed."""
        words = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-o", "timeout=0"]
        words += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what the last batch imported
        ended = pytest.main([*words, *batch], plugins=[self])
        if ended != pytest.ExitCode.OK and not self.failed:
            self.failed = batch[0]  # cannot be collected: the fault shows on import
        return not self.failed


def _child(batches: list[list[str]], seconds: dict[str, float], answer: Path) -> None:
    with open(os.devnull, "r+") as nothing:
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)
    os.setsid()
    watch = Watch(seconds, answer)
    all(map(watch.run, batches))
    answer.write_text(watch.failed, "utf-8")


def run(batches: list[list[str]], seconds: dict[str, float], answer: Path) -> tuple[str, float]:
    """Fork and run; what the fork has started ends with it. Returns the test that failed and processor seconds."""
    answer.write_text(batches[0][0], "utf-8")
    begun = sum(os.times()[2:4])
    if not (child := os.fork()):
        try:
            _child(batches, seconds, answer)
        except BaseException as error:
            answer.write_text(f"{BROKEN}{error!r}", "utf-8")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    return answer.read_text("utf-8"), round(sum(os.times()[2:4]) - begun, 2)


def main() -> None:
    """Serve until the input ends; the first word is the file in which forks write."""
    sys.path[0] = str(Path.cwd())
    for name in BEFORE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(run(asked["batches"], asked["seconds"], Path(sys.argv[1]))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
