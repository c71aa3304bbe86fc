"""How many small faults the tests find: `make mutants SEED=7` draws 300 of them and runs, for each, the tests that reach its line.

cosmic-ray writes the faults, coverage says which test reaches which line; both live in an environment of their own (`.venv-mutants`).
The working tree is copied, never changed. `Is`/`==` swaps and annotations are not drawn: in Python they hardly ever mean anything else.
A survivor that means the same as the original stands with its reason in `mutants_equivalent.txt`; of the others 85 % have to be found.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = (
    *("harness/core/*.py", "harness/numbers/*.py", "harness/runner/decide.py", "harness/store/*.py"),
    *(f"harness/probes/{name}.py" for name in ("speed", "pace", "streams", "perplexity", "kl_divergence")),
    *(f"harness/probes/{name}.py" for name in ("conditions", "output_check", "trace_check", "verify", "high_water")),
)
TESTS = (
    *("core", "numbers", "store", "runner", "probes", "worker", "tables", "plan", "published", "importing", "lint"),
    *(
        "quantizers/test_scheme.py",
        "quantizers/test_torch_fp8.py",
        "quantizers/test_odd_models.py",
        "engines/test_model_kinds.py",
    ),
)
NOT_DRAWN = ("Eq_Is", "Eq_IsNot", "NotEq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq", "RemoveDecorator", "Variable")
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.txt")
WANTED = 0.85
SLOWEST = 8.0
"""Seconds of a test beyond which it is not run for a mutant."""
LONGEST = 60.0
"""Seconds of tests, as they took unchanged, that a mutant may survive before it counts as a survivor."""


@dataclass(frozen=True)
class Mutant:
    """A fault: the operator's `occurrence`-th place in a module, and the line as it was and as it is."""

    module: str
    line: int
    operator: str
    occurrence: int
    before: str = ""
    after: str = ""

    @property
    def name(self) -> str:
        return f"{self.module} | {self.before} | {self.after}"


# ---------------------------------------------------------------- the mutants


def modules() -> list[str]:
    """List the modules that are mutated."""
    found = [path.relative_to(ROOT).as_posix() for pattern in TARGETS for path in sorted(ROOT.glob(pattern))]
    return [name for name in found if not name.endswith("__init__.py")]


def drawn(seed: int, count: int) -> list[Mutant]:
    """Draw places, then for each one of the operators that fit it."""
    places: dict[tuple[str, int, int], list[Mutant]] = {}
    for module in modules():
        for column, mutant in _all(module):
            places.setdefault((module, mutant.line, column), []).append(mutant)
    dice = random.Random(seed)
    chosen = dice.sample(sorted(places), min(count, len(places)))
    return [_with_lines(_readable(places[place], dice)) for place in chosen]


def _readable(mutants: list[Mutant], dice: random.Random) -> Mutant:
    """Choose a mutant that Python can read, as `*` of a signature turned into `%` is not."""
    for mutant in dice.sample(mutants, len(mutants)):
        with suppress(SyntaxError):
            ast.parse(mutated(mutant))
            return mutant
    return mutants[0]


def _all(module: str) -> Iterator[tuple[int, Mutant]]:
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    text = (ROOT / module).read_text("utf-8")
    tree, skipped, lines = get_ast(text), _annotations(text), text.splitlines()
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments() or any(word in name for word in NOT_DRAWN):
            continue
        operator = kind()
        places = (start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(places):
            if (line, column) not in skipped and not lines[line - 1].startswith("@dataclass("):
                yield column, Mutant(module, line, name, occurrence)


def _annotations(text: str) -> set[tuple[int, int]]:
    """Give every place inside an annotation; nobody evaluates those of functions, and types check the others."""
    found: set[tuple[int, int]] = set()
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.expr):
                for line in range(part.lineno, (part.end_lineno or part.lineno) + 1):
                    first = part.col_offset if line == part.lineno else 0
                    last = part.end_col_offset if line == part.end_lineno else len(lines[line - 1])
                    found |= {(line, column) for column in range(first, (last or 0) + 1)}
    return found


def mutated(mutant: Mutant) -> str:
    """Return the module's text with the fault in it."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text = mutate_code((ROOT / mutant.module).read_text("utf-8"), get_operator(mutant.operator)(), mutant.occurrence)
    assert text is not None
    return str(text)


def _with_lines(mutant: Mutant) -> Mutant:
    before, after = (ROOT / mutant.module).read_text("utf-8").splitlines(), mutated(mutant).splitlines()
    pair = next(((old, new) for old, new in zip(before, after, strict=False) if old != new), ("", ""))
    return Mutant(mutant.module, mutant.line, mutant.operator, mutant.occurrence, pair[0].strip(), pair[1].strip())


# ---------------------------------------------------------------- the tests


@dataclass(frozen=True)
class Reached:
    """Seconds of each test, and the tests that reach each line of each module."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """List the tests that reach a line, the quickest first; for what runs on import those that reach anything near it."""
        reached = self.lines.get(mutant.module, {})
        tests = set(reached.get(str(mutant.line), ()))
        if not tests:
            tests = {test for names in reached.values() for test in names}
        chosen, spent = [], 0.0
        for test in sorted(tests, key=lambda test: (self.seconds.get(test, SLOWEST), test)):
            spent += self.seconds.get(test, SLOWEST)
            if self.seconds.get(test, SLOWEST) < SLOWEST and spent < LONGEST:
                chosen.append(test)
        return chosen


def reached(python: str, coverage: Path, kept: Path) -> Reached:
    """Run the tests once under coverage; kept for the next seed while no file of ours changes."""
    state = subprocess.run(
        ["git", "stash", "create"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    state = state or "HEAD"
    tree = subprocess.run(
        ["git", "rev-parse", f"{state}^{{tree}}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    if kept.is_file() and (found := json.loads(kept.read_text("utf-8")))["tree"] == tree:
        return Reached(found["seconds"], found["lines"])
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder) / "copy")
        settings = "[run]\ndynamic_context = test_function\nsource = harness\ndata_file = " + str(Path(folder) / "data")
        (Path(folder) / "rc").write_text(settings, "utf-8")
        report = Path(folder) / "report.xml"
        tests = [f"tests/unit/{name}" for name in TESTS if (copy / "tests" / "unit" / name).exists()]
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
            "-p",
            "no:warnings",
        ]
        path = f"{copy}{os.pathsep}{coverage}"
        subprocess.run(
            [*command, f"--junitxml={report}", *tests],
            cwd=copy,
            env=_environment(path),
            check=False,
            stdout=subprocess.DEVNULL,
        )
        result = Reached(_seconds(report), _lines(Path(folder) / "data", copy))
    kept.write_text(json.dumps({"tree": tree, **asdict(result)}), "utf-8")
    return result


def _seconds(report: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for case in ET.parse(report).iter("testcase"):
        if not list(case):  # neither skipped nor failed: what fails unchanged finds nothing
            name = f"{case.get('classname')}.{str(case.get('name')).partition('[')[0]}"
            found[name] = found.get(name, 0.0) + float(case.get("time") or 0)
    return found


def _lines(data: Path, copy: Path) -> dict[str, dict[str, list[str]]]:
    """Read coverage's database: for each module its lines with the tests, by dotted name, that ran them."""
    from coverage.numbits import numbits_to_nums

    found: dict[str, dict[str, list[str]]] = {}
    rows = "SELECT file.path, context.context, numbits FROM line_bits JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
    with sqlite3.connect(data) as database:
        for path, context, numbits in database.execute(rows):
            if context and Path(path).is_relative_to(copy):
                module = found.setdefault(Path(path).relative_to(copy).as_posix(), {})
                for line in numbits_to_nums(numbits):
                    module.setdefault(str(line), []).append(context)
    return found


def _environment(path: str) -> dict[str, str]:
    quiet = {"HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **quiet, "PYTHONPATH": path}


def copied(folder: Path) -> Path:
    """Copy what git knows of, and what is new, into a folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def file_of(test: str) -> str:
    """Turn a dotted name into what pytest takes: `tests/unit/core/test_clock.py::test_it`."""
    module, _, name = test.rpartition(".")
    return f"{module.replace('.', '/')}.py::{name}"


def survives(mutant: Mutant, copy: Path, tests: list[str], python: str) -> bool:
    """Put a fault into a copy, run its tests until one fails, take it out again."""
    if not tests:
        return True
    file = copy / mutant.module
    kept = file.read_text("utf-8")
    file.write_text(mutated(mutant), "utf-8")
    command = [python, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *map(file_of, tests)]
    try:
        ended = subprocess.run(
            command, cwd=copy, env=_environment(str(copy)), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=60 + 4 * LONGEST, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_text(kept, "utf-8")
    return ended.returncode == 0


def equivalent() -> dict[str, str]:
    """Read the survivors that mean the same as the original, each with its reason on the line after it."""
    lines = [line for line in EQUIVALENT.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(zip(lines[::2], (reason.strip() for reason in lines[1::2]), strict=True))


def main() -> int:
    """Draw, run, and say what survived; ends with 1 where fewer than 85 % were found."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, required=True)
    words.add_argument("--count", type=int, default=300)
    words.add_argument("--at-once", type=int, default=2)
    words.add_argument("--python", default=str(ROOT / ".venv" / "bin" / "python"))
    words.add_argument("--environment", type=Path, default=ROOT / ".venv-mutants")
    asked = words.parse_args()
    coverage = asked.environment.resolve() / "coverage"
    sys.path[0] = str(coverage)  # in the place of this folder, whose `coverage.py` is another
    begun, known = time.monotonic(), equivalent()
    tests = reached(asked.python, coverage, asked.environment / "reached.json")
    print(f"{len(tests.seconds)} tests, {time.monotonic() - begun:.0f} s", flush=True)
    mutants = drawn(asked.seed, asked.count)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.at_once) as threads:
        copies = [copied(Path(folder) / str(number)) for number in range(asked.at_once)]

        def one(mutant: Mutant) -> bool:
            copy = copies.pop()
            try:
                return survives(mutant, copy, tests.tests_of(mutant), asked.python)
            finally:
                copies.append(copy)

        survivors = []
        for number, (mutant, alive) in enumerate(zip(mutants, threads.map(one, mutants), strict=True), start=1):
            if alive and mutant.name not in known:
                survivors.append(mutant)
                print(
                    f"{number}/{len(mutants)} survived: {mutant.name} (line {mutant.line}, {len(tests.tests_of(mutant))} tests)",
                    flush=True,
                )
            elif alive:
                print(f"{number}/{len(mutants)} equivalent: {mutant.name}: {known[mutant.name]}", flush=True)
    same = sum(mutant.name in known for mutant in mutants)
    share = 1 - len(survivors) / max(len(mutants) - same, 1)
    print(
        f"seed {asked.seed}: {share:.1%} of {len(mutants) - same} found, {same} equivalent, {(time.monotonic() - begun) / 60:.0f} min"
    )
    return int(share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
