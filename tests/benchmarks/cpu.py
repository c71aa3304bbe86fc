"""CPU seconds (user and system) of whole commands, beside those of importing the libraries that they all stand on.

python -m tests.benchmarks.cpu [ROUNDS]

Rounds take turns; medians are printed. Byte code is kept, as installers keep it, in a folder of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import yaml

ROUNDS = 5
MOST = 3.0
"""Times the imports that `plan`, `report` and `explain` may take."""
MOST_JOBS_SECONDS = 0.5
"""Of planning 10,000 jobs, after imports."""
SWEEP = {
    "model": ["reference", "random-57m"],
    "method": ["fp32", "int8"],
    "engine": {"ort-genai": {"provider": "cpu"}},
    "environment": "cpu",
    "probes": {"generation": {"batch": list(range(1, 15)), "prompt": list(range(1, 21))}},
}
"""10,000 jobs of the project's own catalogues: eight rounds of each measurement, and a check of its output."""
IMPORTS = "import sqlalchemy.orm, pydantic, jinja2, typer"
HARNESS = ("-m", "harness")
CELL = ("explain", "quickstart-speed", "INT8", "Decode (tok/s)")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "imports": ("-c", IMPORTS),
    "plan quickstart": (*HARNESS, "plan", "quickstart"),
    "report quickstart": (*HARNESS, "report", "quickstart"),
    "explain a cell": (*HARNESS, *CELL),
    "report --check": (*HARNESS, "report", "--check"),
}
PROMISED = ("plan quickstart", "report quickstart", "explain a cell")
READING = """
import time
from pathlib import Path
import harness.published.reading as reading, yaml, numpy
begun = time.process_time()
reading.read_published(Path("results/published"))
print(time.process_time() - begun)
"""
"""Prints the seconds of reading all published files, a share of `report --check`."""


def processor_seconds(words: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """Run an interpreter with these words to its end and return what it and its children used."""
    with subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)}: exit code {process.returncode}")
    return used.ru_utime + used.ru_stime


def planning_seconds() -> tuple[int, float]:
    """Read and plan a sweep of many axes; return its jobs and the processor seconds, adapters imported and models hashed before."""
    from harness.commands.machine import plan_sweep
    from harness.commands.workspace import read_workspace
    from harness.environments import ROOT

    found = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "many.yaml"
        path.write_text(yaml.safe_dump(SWEEP), "utf-8")
        for _ in range(4):
            begun = time.process_time()
            plan = plan_sweep(str(path), read_workspace(ROOT)).plan
            found.append(time.process_time() - begun)
    return len(plan.jobs), min(found[1:])


def main() -> None:
    """Measure all commands in turns, then planning; exit code 1 where a promise does not hold."""
    from tests.benchmarks.facts import headline, result

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    headline(f"python -m tests.benchmarks.cpu {rounds}")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for words in COMMANDS.values():
            processor_seconds(words, environment)  # writes the byte code
        found: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, words in COMMANDS.items():
                found[name].append(processor_seconds(words, environment))
        reading = subprocess.run(
            [sys.executable, "-c", READING], env=environment, capture_output=True, text=True, check=True
        )
    middle = {name: median(seconds) for name, seconds in found.items()}
    for name, seconds in middle.items():
        spread = f"{min(found[name]):.2f} to {max(found[name]):.2f}"
        print(f"{name:<18} {seconds:6.2f} s ({spread}), {seconds / middle['imports']:5.2f} times the imports")
    size = sum(path.stat().st_size for path in Path("results/published").glob("*.yaml"))
    print(f"of report --check, reading {size / 1e6:.1f} MB of published files: {float(reading.stdout):.2f} s")
    jobs, seconds = planning_seconds()
    print(f"planning {jobs:,} jobs after imports: {seconds:.2f} s, {seconds / jobs * 1e6:.0f} us a job")
    holds = all(middle[name] <= MOST * middle["imports"] for name in PROMISED) and seconds <= MOST_JOBS_SECONDS
    sys.exit(result(holds))


if __name__ == "__main__":
    main()
