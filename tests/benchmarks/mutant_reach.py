"""Which tests reach which line, and how long each takes: run once under coverage, again only for the tests that changed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = (
    *("core", "numbers", "store", "runner", "probes", "worker", "plan", "importing", "lint"),
    *(f"quantizers/test_{name}.py" for name in ("scheme", "torch_fp8", "odd_models")),
    "engines/test_model_kinds.py",
)
HEAVY = ("store/test_indexes.py", "store/test_many.py")
"""Files of tests that first fill a large database, which takes minutes under coverage: left out, as all that is slow."""
SLOWEST = 8.0
"""Processor seconds of a test beyond which it is not run for a mutant."""
LONGEST = 60.0
"""Processor seconds of tests, as they took unchanged, that a mutant may survive before it counts as a survivor."""


@dataclass(frozen=True)
class Reached:
    """Processor seconds of each test (`tests/unit/core/test_clock.py::test_it`), and the tests that reach each line of each module."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def tests_of(self, module: str, line: int) -> list[str]:
        """List the tests that reach a line, those of the module's own folder first, then the quickest.

        For what runs on import these are the tests of the module's own file and those that reach a line with the name that is given there,
        then all that reach the module, or, where nothing of it is a function, those that reach a module beside it.
        """
        here = self.lines.get(module, {})
        tests = set() if _on_import(module, line) else set(here.get(line, ()))
        if tests:
            return self._cut([self._ordered(module, tests)])
        near = {name for names in here.values() for name in names}
        if not near:
            near = {name for other in self._beside(module) for names in self.lines[other].values() for name in names}
        room, stem = module.split("/")[1], Path(module).stem
        own = {test for test in self.seconds if test.startswith(f"tests/unit/{room}/test_{stem}.py::")}
        named = self._naming(_name_given(module, line)) | own
        return self._cut([self._ordered(module, named), self._ordered(module, near - named)])

    def _ordered(self, module: str, tests: set[str]) -> list[str]:
        own = f"tests/unit/{module.split('/')[1]}/"
        return sorted(tests, key=lambda test: (not test.startswith(own), self.seconds.get(test, SLOWEST), test))

    def _cut(self, groups: list[list[str]]) -> list[str]:
        chosen, spent = [], 0.0
        for test in (test for group in groups for test in group):
            seconds = self.seconds.get(test, SLOWEST)
            if seconds < SLOWEST and spent + seconds < LONGEST:
                chosen.append(test)
                spent += seconds
        return chosen

    def _beside(self, module: str) -> list[str]:
        return [other for other in self.lines if other.rpartition("/")[0] == module.rpartition("/")[0]]

    def _naming(self, name: str) -> set[str]:
        return {test for module, line in self._words.get(name, ()) for test in self.lines[module].get(line, ())}

    @cached_property
    def _words(self) -> dict[str, set[tuple[str, int]]]:
        found: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for module in self.lines:
            for number, line in enumerate((ROOT / module).read_text("utf-8").splitlines(), start=1):
                for word in re.findall(r"\w+", line):
                    found[word].add((module, number))
        return found


def _on_import(module: str, line: int) -> bool:
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return not any(node.body[0].lineno <= line <= (node.end_lineno or 0) for node in functions)


def _name_given(module: str, line: int) -> str:
    """Give the name of the constant, field, function or class of a line, the innermost one."""
    found, size = "", 10**9
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
            name = getattr(target, "id", "") or getattr(target, "name", "")
            if name and (node.end_lineno or 0) - node.lineno < size:
                found, size = name, (node.end_lineno or 0) - node.lineno
    return found


# ---------------------------------------------------------------- one run under coverage


def reached(python: str, coverage: Path, kept: Path) -> Reached:
    """Run the tests that changed since the last time, or all where anything else changed; `kept` is the file that remembers."""
    source, tests = _state()
    known = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    files = known.get("files", {}) if known.get("source") == source else {}
    files = {name: entry for name, entry in files.items() if tests.get(name) == entry["hash"]}
    stale = sorted(set(tests) - set(files))
    if stale:
        seconds, lines = _run(python, coverage, stale)
        for name in stale:
            mine = {test: spent for test, spent in seconds.items() if test.startswith(f"{name}::")}
            files[name] = {"hash": tests[name], "seconds": mine, "lines": lines.get(name, {})}
        kept.write_text(json.dumps({"source": source, "files": files}), "utf-8")
    return _together(files.values())


def _together(entries: object) -> Reached:
    seconds: dict[str, float] = {}
    lines: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:  # type: ignore[attr-defined]
        seconds |= entry["seconds"]
        for test, modules in entry["lines"].items():
            for module, numbers in modules.items():
                for number in numbers if test in entry["seconds"] else ():
                    lines[module][number].append(test)
    return Reached(seconds, {module: dict(numbers) for module, numbers in lines.items()})


def _state() -> tuple[str, dict[str, str]]:
    """Hash everything that tests can see but themselves, and each file of tests."""
    digest, tests = hashlib.sha256(), {}
    for name in sorted(_files()):
        if not name.startswith(("harness/", "configs/", "tests/", "pyproject.toml")) or name.startswith(
            "tests/benchmarks/"
        ):
            continue
        content = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
        under = any(name.startswith(f"tests/unit/{part}") for part in TESTS) and not name.endswith(HEAVY)
        if under and name.rpartition("/")[2].startswith("test_"):
            tests[name] = content
        elif not name.rpartition("/")[2].startswith("test_"):
            digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest(), tests


def _run(
    python: str, coverage: Path, names: list[str]
) -> tuple[dict[str, float], dict[str, dict[str, dict[str, list[int]]]]]:
    with tempfile.TemporaryDirectory() as folder:
        copy, times = copied(Path(folder) / "copy"), Path(folder) / "times.json"
        settings = f"[run]\ndynamic_context = test_function\nsource = harness\ndata_file = {folder}/data"
        (Path(folder) / "rc").write_text(settings, "utf-8")
        command = [
            python,
            "-m",
            "coverage",
            "run",
            f"--rcfile={folder}/rc",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-p", "no:warnings", "-p", "tests.benchmarks.mutant_times", *names]
        where = {"MUTANT_TIMES": str(times), **environment(f"{copy}{os.pathsep}{coverage}")}
        subprocess.run(command, cwd=copy, env=where, check=False, stdout=subprocess.DEVNULL)
        return json.loads(times.read_text("utf-8")), _lines(Path(folder) / "data", copy)


def _lines(data: Path, copy: Path) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Read coverage's database: for each file of tests and test the lines of each module that it ran."""
    from coverage.numbits import numbits_to_nums

    found: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(dict))
    rows = "SELECT file.path, context.context, numbits FROM line_bits JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
    with sqlite3.connect(data) as database:
        for path, context, numbits in database.execute(rows):
            if context and Path(path).is_relative_to(copy):
                file = f"{context.rpartition('.')[0].replace('.', '/')}.py"
                test = f"{file}::{context.rpartition('.')[2]}"
                found[file][test][Path(path).relative_to(copy).as_posix()] = list(numbits_to_nums(numbits))
    return found


def environment(path: str) -> dict[str, str]:
    """Return the variables that tests run with."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1", "PYTHONPATH": path}


def _files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def copied(folder: Path) -> Path:
    """Copy what git knows of, and what is new, into a folder."""
    for name in _files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder
