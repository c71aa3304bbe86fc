"""System calls of a small sweep's runner and workers that make, change or remove files: found in a calm run, then struck by number with strace.

Seen are the main thread's calls of each process, where SQLite works and a worker builds and measures. An open counts where it may make a
file below the results folder; it is struck among the opens of its path alone, since how many others a process makes varies with what a runner
polls and a worker times. Names of runs and sessions are the same each time (named.py).
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SYSTEM_CALLS = (
    "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "unlink", "unlinkat",
    "rmdir", "mkdir", "mkdirat", "ftruncate", "pwrite64",
)  # fmt: skip
OPENS = ("open", "openat", "creat")
SEED = 20261129
KILLED = {-9, 137}
ASKED = ",".join(f"?{name}" for name in (*SYSTEM_CALLS, *OPENS))
QUIET = ("strace", "-qq", "-e", "signal=none")
INTERPRETER = """#!/bin/sh
case " $* " in
*" --describe "*) ;;
*" harness.worker "*)
    echo >> "$STORM_STATE/workers"
    number=$(wc -l < "$STORM_STATE/workers")
    if [ -n "$STORM_TRACER" ] && { [ "$STORM_WORKER" = all ] || [ "$STORM_WORKER" = "$number" ]; }; then
        exec $STORM_TRACER -o "$STORM_LOG.$number" "PYTHON" "$@"
    fi ;;
esac
exec "PYTHON" "$@"
"""
"""A Python whose n-th worker of a command starts below strace."""


@dataclass(frozen=True)
class Call:
    """A system call of a calm run."""

    who: str
    """`runner`, or `worker 1` for the first worker that a command starts."""
    name: str
    number: int
    """From 1: among calls of this name of its process; of opens, among those that may make a file in the results folder."""
    place: int
    """From 1: among all calls of this name of its process; of opens among those of its file."""
    path: str
    """The first file that it names, as seen from the results folder; empty where it names a number of a file."""

    def __str__(self) -> str:
        return f"{self.who} {self.name} {self.number}"


def traced_interpreter(bench: Any, folder: Path) -> None:
    """Let a machine start its workers by INTERPRETER."""
    script = folder / "traced-python"
    script.write_text(INTERPRETER.replace("PYTHON", sys.executable), "utf-8")
    script.chmod(0o755)
    bench._write("environments.yaml", {"here": {"python": str(script)}})


def found(sea: Any) -> list[Call]:
    """List the calls of an undisturbed command, of its runner and of each of its workers."""
    results = sea.folder / "counted"
    log = sea.folder / "calls"
    code, said = _traced(sea, results, log, "all", "-e", f"trace={ASKED}")
    assert code == 0, said
    shutil.rmtree(results)
    logs = {"runner": log} | {
        f"worker {path.suffix[1:]}": path for path in sorted(sea.folder.glob(f"{log.name}-worker.*"))
    }
    return [call for who, path in logs.items() for call in calls_of(who, _lines(path), results)]


def calls_of(who: str, lines: Iterable[str], results: Path) -> list[Call]:
    """Read a log of strace: changes of files, and of opens those that may make one below `results`."""
    calls, places, numbers = [], Counter[str](), Counter[str]()
    for line in lines:
        name = line.partition("(")[0]
        named = re.search(r'"([^"]*)"', line)
        path = named[1].removeprefix(f"{results}/") if named else ""
        key = f"{name} {path}" if name in OPENS else name
        places[key] += 1
        if name not in OPENS or makes(line, results):
            numbers[name] += 1
            calls.append(Call(who, name, numbers[name], places[key], path))
    return calls


def makes(line: str, results: Path) -> bool:
    """Tell an open that may make a file below a folder."""
    return ("O_CREAT" in line or line.startswith("creat(")) and f'"{results}/' in line


def strike(sea: Any, call: Call, what: str) -> str:
    """Kill a call's process there, or refuse it with an error's name, then run the command undisturbed; returns what is wrong, or nothing."""
    name = f"{call} {what}"
    results = sea.folder / f"struck {name}".replace(" ", "-")
    how = "signal=KILL" if what == "kill" else f"error={what}"
    log = results.with_suffix(".strace")
    path = log if call.who == "runner" else log.with_name(f"{log.name}-worker.{call.who.rpartition(' ')[2]}")
    only = ("-P", str(results / call.path)) if call.name in OPENS else ()
    inject = (*only, "-e", f"trace={call.name}", "-e", f"inject={call.name}:{how}:when={call.place}")
    try:
        code, said = _traced(sea, results, log, call.who.removeprefix("worker "), *inject)
        wrong = _not_struck(call, what, _lines(path) if path.exists() else [], results)
        if wrong or "Traceback" in said:
            return f"{name}: {wrong or 'a traceback'}: {said[-1500:]}"
        if what == "kill" and call.who == "runner" and code not in KILLED:
            return f"{name}: not killed, but ended with {code}"
        return str(sea.after(results, name))
    finally:
        shutil.rmtree(results, ignore_errors=True)


def _not_struck(call: Call, what: str, lines: list[str], results: Path) -> str:
    """Say how a log shows that a call was not struck, or another one was."""
    if len(lines) < call.place:
        return f"never met, {len(lines)} of {call.place} of {call.path or 'them'}"
    struck = lines[call.place - 1]
    if call.name in OPENS and not makes(struck, results):
        return f"another open: {struck}"
    if what == "kill":
        return "" if len(lines) == call.place else "it went on after the kill"
    return "" if "(INJECTED)" in struck else f"not refused: {struck}"


def _traced(sea: Any, results: Path, log: Path, who: str, *asked: str) -> tuple[int, str]:
    """Run the command with its runner below strace, or a worker, or with `all` every one of them."""
    tracer = (*QUIET, *asked)
    more = {"STORM_TRACER": " ".join(tracer), "STORM_WORKER": who, "STORM_LOG": f"{log}-worker"}
    runner = (*tracer, "-o", str(log)) if who in {"runner", "all"} else ("env",)
    code, said, _ = sea.command(results, "", *runner, more=more)
    return code, said


def _lines(log: Path) -> list[str]:
    return [line for line in log.read_text("utf-8", "replace").splitlines() if re.match(r"\w+\(", line)]


def refused(calls: list[Call], seed: int = SEED) -> list[tuple[Call, str]]:
    """Draw a third of the calls, each with the error by which it is refused."""
    draw = random.Random(seed)
    return [(call, draw.choice(["ENOSPC", "EACCES"])) for call in draw.sample(calls, len(calls) // 3)]
