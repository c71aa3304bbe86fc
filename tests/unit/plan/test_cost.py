"""What planning and reading cost: linear in jobs, and no library that is not needed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from tests.conftest import ROOT
from tests.unit.plan.conftest import ENVIRONMENTS

HEAVY = ("pandas", "scipy", "alembic", "numpy", "torch", "pyarrow")
RUN = """
import sys
sys.argv = ["harness", *sys.argv[1:]]
from harness.cli import main
try:
    main()
finally:
    print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def _many(folder: Path, prompts: int) -> Path:
    path = folder / f"{prompts}.yaml"
    axes = f"batch: [{', '.join(map(str, range(1, 6)))}], prompt: [{', '.join(map(str, range(1, prompts + 1)))}]"
    path.write_text(
        "model: tiny\nmethod: [fp32, {int4: export}]\nengine: {runtime: {threads: [1, 2]}}\nenvironment: cpu\nrounds: 4\n"
        f"probes:\n  speed: {{{axes}}}\n",
        encoding="utf-8",
    )
    return path


def _planned(path: Path, catalogue: Catalogue) -> tuple[Plan, float]:
    """Plan a sweep three times; return it with the fewest processor seconds that it took."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        plan = expand(read_sweep(path, catalogue), catalogue, ENVIRONMENTS)
        best = min(best, time.process_time() - begun)
    return plan, best


@pytest.mark.alone
def test_planning_is_linear_in_jobs(catalogue: Catalogue, tmp_path: Path) -> None:
    _planned(_many(tmp_path, 5), catalogue)
    few, short = _planned(_many(tmp_path, 25), catalogue)
    many, long = _planned(_many(tmp_path, 100), catalogue)
    assert len(few.jobs) > 2_000
    assert len(many.jobs) > 8_000
    assert long / short < 5.5, f"{short:.2f} s for {len(few.jobs)} jobs, {long:.2f} s for {len(many.jobs)}"


EXPLAIN = ("explain", "quickstart-speed", "INT8", "Decode (tok/s)")


@pytest.mark.parametrize("words", [("plan", "quickstart"), ("report", "quickstart"), EXPLAIN, ("--help",)])
def test_a_command_imports_what_it_needs_alone(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, *words]
    if words[0] in {"plan", "report"}:
        command += ["--results", str(tmp_path / "results")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    imported = ran.stderr.rpartition("imported:")[2].split()
    assert "typer" in imported
    assert not {*HEAVY} & {*imported}
