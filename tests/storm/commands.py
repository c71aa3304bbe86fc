"""The commands that write, the workspace before each, and what a strike may leave."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from harness.bundling.making import MAKING
from harness.environment_state import MARKER
from harness.environments import CURRENT
from harness.importing.import_files import ASIDE
from harness.store import files
from harness.store.database import Database
from harness.store.mark import RunMark
from tests.storm.forked import LIMIT, ROOT, Ended, Run
from tests.storm.system_calls import SYSTEM_CALLS
from tests.test_storm import KILLED
from tests.unit.adopting.test_killed import PAGE
from tests.unit.bundling.tars import packed
from tests.unit.importing.files import write
from tests.unit.test_leftovers import IMPORT

Files = dict[str, bytes]
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_APART = re.compile(r"(^|/)[^./][^/]*\.lock$|bench\.db|^results/runs/\.id$")
"""Locks that stay, the database, which is compared row by row, and the id of the folder of runs, which is drawn."""
_UNFINISHED = re.compile(rf"\.partial|/{re.escape(ASIDE)}")
"""Names that say half made."""


def nothing(root: Path) -> None:
    """Leave a workspace as it is."""


@dataclass(frozen=True)
class Case:
    """A command that writes, and what there must be for it to write something."""

    words: str
    prepare: Callable[[Path], None] = nothing
    ended: int = 0
    """Its exit code."""


def _keep(root: Path) -> None:
    """Give a page, and a second one, whose tables have results that are committed, and that do not show them yet."""
    table = {"rows": ["method"], "cells": {"Size": {"metric": "artifact_bytes", "format": 0}}}
    (root / "configs" / "tables").mkdir()
    (root / "configs" / "tables" / "s.tables.yaml").write_text(yaml.safe_dump({"mine": table}), "utf-8")
    for name in ("one.md", "two.md"):
        (root / name).write_text("<!-- table: mine -->\n<!-- end: mine -->\n", "utf-8")


def _foreign(root: Path) -> None:
    write(root, "r.json", IMPORT)


def _brought(root: Path) -> None:
    """Let a build and a session have been made elsewhere, and the database know nothing."""
    (root / "brought").mkdir()
    for name in ("runs", "sessions"):
        (root / "results" / name).rename(root / "brought" / name)
    for path in (root / "brought" / "runs").iterdir():
        if path.is_dir() and "-b-" not in path.name:
            shutil.rmtree(path)
    shutil.rmtree(root / "results")
    with Database.open(root / "results" / "bench.db"):
        pass


def _tar(root: Path) -> None:
    _brought(root)
    (root / "b.tar").write_bytes(packed(root / "brought"))


def _page(root: Path) -> None:
    (root / "bench.md").write_text(PAGE, "utf-8")


def _nights(root: Path) -> None:
    """Leave environments of three nights and a wheel that none of them uses."""
    others, wheels = root / ".venvs", root / "cache" / "wheels"
    for night in range(3):
        folder = others / f"tonight-{night:012d}"
        (folder / "lib").mkdir(parents=True)
        (folder / "lib" / "one.py").write_text("x = 1\n", "utf-8")
        (folder / MARKER).write_text(json.dumps({"name": "tonight", "wheels": ""}), "utf-8")
        os.utime(folder, (night, night))
    (others / f"tonight{CURRENT}").write_text(f"tonight-{2:012d}", "utf-8")
    (wheels / "0123").mkdir(parents=True)
    (wheels / "0123" / "x.whl").write_text("x", "utf-8")


def _older(root: Path) -> None:
    """Leave runs that newer ones stand for, and an artifact that nothing published needs."""
    (root / "results" / "published" / "before.yaml").unlink()
    again = [sys.executable, "-m", "harness", "run", "s"]
    subprocess.run(again, check=True, capture_output=True, cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)})


def _marked(root: Path) -> None:
    with Database.open(root / "results" / "bench.db") as database:
        for number, folder in enumerate(sorted((root / "results" / "runs").glob("*/"))):
            files.write_mark(folder, RunMark(void="fan" if number % 2 else None, note="fan"))
            database.marked.remark(folder)


def _bare(root: Path) -> None:
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


CASES = {
    "publish": Case("publish s"),
    "import": Case("import r.json", _foreign),
    "adopt": Case("adopt bench.md", _page),
    "bundle": Case("bundle s --to out --has all"),
    "ingest folder": Case("ingest brought", _brought),
    "ingest tar": Case("ingest b.tar", _tar),
    "report": Case("report --write", _keep),
    "mark void": Case("mark SESSION --void fan"),
    "mark note": Case("mark SESSION --note fan"),
    "mark clear": Case("mark SESSION --clear", _marked),
    "clean": Case("clean --keep 1", _nights),
    "clean budget": Case("clean --budget 1kB", _older, ended=1),  # records stay: they do not fit
    "init": Case("init", _bare),
}


def _session(root: Path) -> str:
    (path,) = (root / "results" / "sessions").glob("*.json")
    return path.stem


def tree(root: Path) -> Files:
    """Read all files and name all folders, without the moments at which something was written."""
    found = {
        path.relative_to(root).as_posix(): _MOMENT.sub(b"MOMENT", path.read_bytes()) if path.is_file() else b""
        for path in root.rglob("*")
    }
    return {name: content for name, content in found.items() if not _APART.search(name)}


def rows(root: Path) -> list[tuple[object, ...]]:
    """Read what the database knows."""
    if not (root / "results" / "bench.db").exists():
        return []
    asked = "SELECT run, kind, status, reason, notes, origin, sweep, session, method, metric, slice, value FROM results ORDER BY run, metric, slice"
    with closing(sqlite3.connect(root / "results" / "bench.db")) as database:
        return list(database.execute(asked))


@dataclass
class Sea:
    """A workspace before a command, and what an undisturbed command makes of it."""

    folder: Path
    case: Case
    run: Run
    before: Files
    calm: Files
    rows: list[tuple[object, ...]] = field(default_factory=list)

    def command(self, root: Path, strike: str, run: Run | None = None) -> tuple[int, str, int, bool]:
        """Run the command to its end or to the strike; returns exit code, what it said, the changes that it made, and whether it was struck."""
        beside = root.with_name(f"{root.name}-beside")
        shutil.rmtree(beside, ignore_errors=True)
        for name in ("tmp", "state"):
            (beside / name).mkdir(parents=True)
        variables = {"STORM_STRIKE": strike, "STORM_FOLDER": str(root), "STORM_STATE": str(beside / "state")}
        variables |= {"HARNESS_CACHE": str(root / "cache"), "TMPDIR": str(beside / "tmp"), "COLUMNS": "200"}
        words = [_session(root) if word == "SESSION" else word for word in self.case.words.split()]
        code, said = (run or self.run)(words, {**os.environ, **variables}, root)
        counted = beside / "state" / "runner"
        return code, said, counted.stat().st_size if counted.exists() else 0, (beside / "state" / "struck").exists()

    def weather(self, strike: str) -> str:
        """Strike a command at a change of a file, then run it undisturbed; returns what is wrong, or nothing."""
        with self._waters(strike) as root:
            code, said, _, struck = self.command(root, strike)
            if not struck or (strike.endswith("kill") and code != -9):
                return f"{strike}: nothing was struck: {code}: {said[-500:]}"
            return self._met(root, strike, said)

    def call(self, strike: str) -> str:
        """Kill a command at the n-th system call of a name, then run it undisturbed; returns what is wrong, or nothing."""
        name, number = strike.split()
        with self._waters(strike) as root:
            inject = ("-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")
            code, said, _, _ = self.command(root, "", tracer(root.with_suffix(".strace"), *inject))
            if code not in KILLED:
                return f"{strike}: nothing was struck: {code}: {said[-500:]}"
            return self._met(root, strike, said)

    def calls(self) -> Counter[str]:
        """Count the system calls that change a file, SQLite's own among them, of an undisturbed command's main thread."""
        with self._waters("calls") as root:
            log, asked = root.with_suffix(".strace"), f"trace={','.join(f'?{name}' for name in SYSTEM_CALLS)}"
            code, said, _, _ = self.command(root, "", tracer(log, "-e", asked))
            assert code == 0, said
            return Counter(re.findall(r"(?m)^(\w+)\(", log.read_text("utf-8", "replace")))

    @contextmanager
    def _waters(self, name: str) -> Iterator[Path]:
        """A copy of the workspace as it is before the command."""
        root = self.folder / f"struck-{name.replace(' ', '-')}"
        shutil.copytree(self.folder / "before", root)
        yield root
        shutil.rmtree(root)

    def _met(self, root: Path, strike: str, said: str) -> str:
        """Hold what a strike left against what may be there, then run the command undisturbed."""
        found = tree(root)
        if half := self._half(root, found):
            return f"{strike}: half or lost: {half}"
        if "Traceback" in said:
            return f"{strike}: a traceback: {said[-1500:]}"
        return self._after(root, strike, done=found == self.calm)

    def _half(self, root: Path, found: Files) -> list[str]:
        """Name what is neither as before nor as it is to be, and what is gone though it was to stay."""
        making = "out/" if any((root / "out").glob(f"{MAKING}*")) else "-"
        whole = {name: content for name, content in found.items() if not _UNFINISHED.search(name)}
        wrong = [name for name, content in whole.items() if content not in (self.before.get(name), self.calm.get(name))]
        lost = [name for name in self.before.keys() & self.calm.keys() if name not in whole]
        return [name for name in (*wrong, *lost) if not name.startswith(making)]

    def _after(self, root: Path, strike: str, *, done: bool) -> str:
        code, said, _, _ = self.command(root, "runner 0 kill")
        if (
            code not in ({self.case.ended, 2} if done else {self.case.ended}) or "Traceback" in said
        ):  # what is done may be refused a second time
            return f"{strike}: the next command ended with {code}: {said[-1500:]}"
        found = tree(root)
        if differ := [name for name in {*found, *self.calm} if found.get(name) != self.calm.get(name)]:
            return f"{strike}: other files afterwards: {sorted(differ)}"
        return f"{strike}: other rows afterwards:\n{rows(root)}" if rows(root) != self.rows else ""


def tracer(log: Path, *words: str) -> Run:
    """Run a command below strace, from its first system call on."""

    def run(command: Sequence[str], variables: Mapping[str, str], cwd: Path) -> Ended:
        ran = subprocess.run(
            ["strace", "-qq", "-e", "signal=none", "-o", str(log), *words, sys.executable, "-m", "harness", *command],
            capture_output=True, text=True, check=False, env={**variables, "PYTHONPATH": str(ROOT)}, timeout=LIMIT, cwd=cwd,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr

    return run
