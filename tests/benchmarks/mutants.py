"""How many small faults the tests find: `make mutants SEED=7` draws 300 of them and runs, for each, the tests that reach its line.

cosmic-ray writes the faults, coverage says which test reaches which line; both live in an environment of their own (`.venv-mutants`).
The working tree is copied, never changed. Not drawn is what by its place cannot mean anything else: see `NEVER`, `NOT_DRAWN` and `_annotations`.
A survivor that means the same as the original stands with its reason in `mutants_equivalent.txt`; of the others 85 % have to be found.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from tests.benchmarks.mutant_reach import ROOT, Reached, copied, environment, reached

TARGETS = (
    *("harness/core/*.py", "harness/numbers/*.py", "harness/runner/decide.py", "harness/store/*.py"),
    *(f"harness/probes/{name}.py" for name in ("speed", "pace", "streams", "perplexity", "kl_divergence")),
    *(f"harness/probes/{name}.py" for name in ("conditions", "output_check", "trace_check", "verify", "high_water")),
)
NEVER = ("@dataclass(", "@functools.lru_cache(", "@functools.cache\n", "if TYPE_CHECKING:")
"""Beginnings of lines that nobody can see the effect of: `frozen` and `slots` guard against mistakes that types find too, what is remembered is
the same whatever number of it is kept, and what is imported for type checkers nobody uses while running."""
NOT_DRAWN = ("Eq_Is", "Eq_IsNot", "NotEq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq", "Variable")
"""Parts of operators' names: `is` beside `==` in Python hardly ever means anything else; names of variables are mypy's to check."""
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.txt")
WANTED = 0.85


@dataclass(frozen=True)
class Mutant:
    """A fault: the operator's `occurrence`-th place in a module, and the line as it was and as it is."""

    module: str
    line: int
    operator: str
    occurrence: int
    before: str = field(default="", compare=False)
    after: str = field(default="", compare=False)

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
    dice, found = random.Random(seed), []
    for place in dice.sample(sorted(places), len(places)):
        if len(found) < count and (mutant := _readable(places[place], dice)):
            found.append(_with_lines(mutant))
    return found


def _readable(mutants: list[Mutant], dice: random.Random) -> Mutant | None:
    """Choose a mutant that Python can read, as `*` of a signature turned into `%` is not; None where there is none."""
    ordered = sorted(mutants, key=lambda one: (one.operator, one.occurrence))  # whatever order plug-ins are found in
    for mutant in dice.sample(ordered, len(ordered)):
        with suppress(SyntaxError, AttributeError):  # cosmic-ray cannot replace `module.Error`
            ast.parse(mutated(mutant))
            return mutant
    return None


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
            if (line, column) not in skipped and not f"{lines[line - 1].strip()}\n".startswith(NEVER):
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


@functools.cache
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
    return replace(mutant, before=pair[0].strip(), after=pair[1].strip())


# ---------------------------------------------------------------- the tests


@dataclass
class Copy:
    """A copy of the tree, with the process in it that runs tests."""

    folder: Path
    python: str
    reached: Reached
    written: int = 10**9
    passes: dict[str, bool] = field(default_factory=dict)
    """Whether a test that found something passes in this copy where nothing is changed: what fails anyway finds nothing."""

    def __post_init__(self) -> None:
        copied(self.folder)
        command = [self.python, "tests/benchmarks/mutant_server.py", str(self.folder.with_suffix(".answer"))]
        self.server = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(str(self.folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def failing(self, tests: list[str]) -> tuple[str, float]:
        """Return the first test that fails, or nothing, and processor seconds."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        seconds = {test: self.reached.seconds.get(test, 0.0) for test in tests}
        self.server.stdin.write(json.dumps({"batches": _batches(tests), "seconds": seconds}) + "\n")
        self.server.stdin.flush()
        failed, spent = json.loads(self.server.stdout.readline())
        assert not failed.startswith("not run: "), failed
        return str(failed), float(spent)

    def finds(self, mutant: Mutant, tests: list[str]) -> tuple[str, float]:
        """Put a fault into the copy, and return the test that finds it, or nothing."""
        spent, kept = 0.0, (self.folder / mutant.module).read_text("utf-8")
        while tests:
            self._write(mutant.module, mutated(mutant))
            failed, seconds = self.failing(tests)
            self._write(mutant.module, kept)
            spent += seconds
            name = failed.partition("[")[0]
            if not failed or self._passes(name):
                return failed, spent
            tests = [test for test in tests if test != name] if name in tests else []
        return "", spent

    def _passes(self, test: str) -> bool:
        if test not in self.passes:
            self.passes[test] = not self.failing([test])[0]
        return self.passes[test]

    def _write(self, module: str, text: str) -> None:
        """Write a module; its time of change is new each time, so that no compiled form of before is taken for it."""
        self.written += 10
        (self.folder / module).write_text(text, "utf-8")
        os.utime(self.folder / module, (self.written, self.written))


def _batches(tests: list[str]) -> list[list[str]]:
    """Cut a list where it has 4, 16 and 64: what is collected before the first test runs should be little."""
    return [part for part in (tests[:4], tests[4:16], tests[16:64], tests[64:]) if part]


def equivalent() -> dict[str, str]:
    """Read the survivors that mean the same as the original, each with its reason on the line after it."""
    lines = [line for line in EQUIVALENT.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(zip(lines[::2], (reason.strip() for reason in lines[1::2]), strict=True))


def outcomes(mutants: list[Mutant], tests: Reached, asked: argparse.Namespace) -> Iterator[tuple[Mutant, str, float]]:
    """Run them until the time is over, and give each with the test that finds it, or nothing, and processor seconds."""
    end, at_once = time.monotonic() + 60 * asked.minutes, asked.at_once
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as threads:
        copies = [Copy(Path(folder) / str(number), asked.python, tests) for number in range(at_once)]

        def one(mutant: Mutant) -> tuple[str, float] | None:
            if time.monotonic() > end:
                return None
            copy = copies.pop()
            try:
                return copy.finds(mutant, tests.tests_of(mutant.module, mutant.line))
            finally:
                copies.append(copy)

        for mutant, found in zip(mutants, threads.map(one, mutants), strict=True):
            if found is not None:
                yield mutant, *found
        for copy in copies:
            assert copy.server.stdin is not None
            copy.server.stdin.close()
            copy.server.wait()


def main() -> int:
    """Draw, run, and say what survived; ends with 1 where fewer than 85 % were found."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, required=True)
    words.add_argument("--count", type=int, default=300)
    words.add_argument("--minutes", type=float, default=60.0, help="after which no further mutant is begun")
    words.add_argument("--at-once", type=int, default=2)
    words.add_argument("--python", default=str(ROOT / ".venv" / "bin" / "python"))
    words.add_argument("--environment", type=Path, default=ROOT / ".venv-mutants")
    asked = words.parse_args()
    coverage = asked.environment.resolve() / "coverage"
    sys.path[0] = str(coverage)  # in the place of this folder, whose `coverage.py` is another
    begun, known, spent = time.monotonic(), equivalent(), 0.0
    tests = reached(asked.python, coverage, asked.environment / "reached.json")
    print(f"{len(tests.seconds)} tests, {(time.monotonic() - begun) / 60:.0f} min", flush=True)
    mutants = drawn(asked.seed, asked.count)
    survivors = same = number = 0
    for number, (mutant, found, seconds) in enumerate(outcomes(mutants, tests, asked), start=1):
        spent += seconds
        if found:
            continue
        survivors, same = survivors + (mutant.name not in known), same + (mutant.name in known)
        what = f"equivalent ({known[mutant.name]})" if mutant.name in known else "survived"
        print(f"{number} {what}: {mutant.name} (line {mutant.line}, {seconds:.0f} s)", flush=True)
    share = 1 - survivors / max(number - same, 1)
    print(
        f"seed {asked.seed}, {number} of {len(mutants)} mutants: {same} equivalent, of the others {share:.1%} found;",
        end=" ",
    )
    print(
        f"{(time.monotonic() - begun) / 60:.0f} min, {spent / max(number, 1):.1f} processor seconds each, load {os.getloadavg()[2]:.1f}"
    )
    return int(share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
