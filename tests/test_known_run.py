"""A run whose answers are all known: no library that computes is imported, and no worker is started."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fake_machine import Bench

HEAVY = {"torch", "onnxruntime", "onnxruntime_genai", "transformers", "lm_eval", "datasets", "scipy", "pandas"}
RUN = """
import subprocess, sys
sys.argv = ["harness", *sys.argv[1:]]
begin = subprocess.Popen.__init__

def noted(self, words, *given, **more):
    print("started:", words, file=sys.stderr)
    begin(self, words, *given, **more)

subprocess.Popen.__init__ = noted
from harness.cli import main
try:
    main()
finally:
    print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def started_and_imported(bench: Bench, verb: str = "run") -> tuple[str, list[str], set[str]]:
    """Run or plan the sweep by the real command; give what it printed, the processes it started, and what it imported."""
    words = [verb, "s", "--offline", "--configs", str(bench.configs), "--results", str(bench.results)]
    ran = subprocess.run([sys.executable, "-c", RUN, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said, _, imported = ran.stderr.rpartition("imported:")
    return ran.stdout, [line for line in said.splitlines() if line.startswith("started:")], {*imported.split()}


def runs(bench: Bench) -> list[Path]:
    return sorted((bench.results / "runs").iterdir())


def test_a_run_of_known_answers_imports_nothing_that_computes_and_starts_no_worker(bench: Bench) -> None:
    bench.sweep(method=["fp32", "int8"], probes={"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}})  # fmt: skip
    first, started, _ = started_and_imported(bench)
    assert "4 ok" in first
    assert any("harness.worker" in line for line in started), "the first one starts a worker"
    before = runs(bench)
    again, started, imported = started_and_imported(bench)
    assert "4 known" in again
    assert runs(bench) == before
    assert not [line for line in started if "harness.worker" in line]
    assert not HEAVY & imported
    assert "typer" in imported


@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed")
@pytest.mark.parametrize("task", ["hellaswag", "mmlu_anatomy"])
def test_planning_a_task_of_lm_evals_imports_nothing_that_computes(bench: Bench, task: str) -> None:
    bench.sweep(method=["fp32"], probes={"lm_eval": {"task": task}})
    said, _, imported = started_and_imported(bench, "plan")
    assert "2 to run" in said
    assert not HEAVY & imported
