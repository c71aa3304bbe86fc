"""Commands of the harness in processes of their own, forked from one that has imported it: to be killed in their hundreds, without an import each time.

A forked command is a process like any other: its own memory, files, environment variables and workers, which are started as ever.
"""

from __future__ import annotations

import json
import os
import queue
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).with_name("sitecustomize.py")
LIMIT = 120
"""Seconds that a command may take; then it is ended."""
USED = (
    "pandas", "sqlalchemy.orm", "alembic.command", "sqlalchemy.dialects.sqlite.pysqlite", "harness.commands.bench", "harness.commands.machine", "harness.commands.report", "harness.commands.pages", "harness.commands.publish",
    "harness.importing.import_files", "harness.bundling.making", "harness.bundling.back", "harness.commands.adopt",
    "harness.commands.fresh", "harness.commands.init", "harness.store.against_files", "harness.runner", "harness.cli",
)  # fmt: skip
Ended = tuple[int, str]
"""A command's exit code, the negative number of a signal where one ended it, and all that it said."""
Run = Callable[[Sequence[str], Mapping[str, str], Path], Ended]
"""Run `harness WORDS` with environment variables in a folder, as many at a time as there are processes to fork from."""


@contextmanager
def forks(folder: Path, count: int) -> Iterator[Run]:
    """Start processes to fork from. folder: for what commands say."""
    idle: queue.Queue[tuple[subprocess.Popen[str], Path]] = queue.Queue()
    words = [sys.executable, "-m", "tests.storm.forked"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    made = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables, cwd=ROOT)
        for _ in range(count)
    ]

    def run(words: Sequence[str], variables: Mapping[str, str], cwd: Path) -> Ended:
        process, said = idle.get(timeout=LIMIT * 10)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            order = {"words": list(words), "variables": dict(variables), "cwd": str(cwd), "said": str(said)}
            process.stdin.write(f"{json.dumps(order)}\n")
            process.stdin.flush()
            return int(process.stdout.readline()), said.read_text("utf-8", "replace")
        finally:
            idle.put((process, said))

    for number, process in enumerate(made):
        idle.put((process, folder / f"said-{number}"))
    try:
        yield run
    finally:
        for process in made:
            process.communicate(timeout=LIMIT)


def _serve() -> None:
    """Fork a command for each line of standard input, and answer with its exit code."""
    for name in USED:
        import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _command(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _command(words: list[str], variables: dict[str, str], cwd: str, said: str) -> None:
    """Be the process that runs a command; never returns."""
    from harness import cli

    signal.alarm(LIMIT)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    for place, number in ((os.open(os.devnull, os.O_RDONLY), 0), (_open(said), 1), (1, 2)):
        os.dup2(place, number)
    sys.argv, sys.orig_argv = ["harness", *words], [sys.executable, "-m", "harness", *words]
    runpy.run_path(str(SHIM))
    code = 1
    try:
        cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # as the interpreter itself does
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)


if __name__ == "__main__":
    _serve()
