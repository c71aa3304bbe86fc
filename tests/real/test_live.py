"""A live comparison on a real engine: INT4 decodes faster than float32, shown by the first looks; no such claim where both are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.environments import ROOT
from tests.benchmarks.live_runs import one_run, workspace
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]
GENERATION = {"protocol": "genai-e2e-0.9-median", "prompt": 64, "output": 64, "repetitions": 4}


def live(machine: RealMachine, *sides: str) -> dict[str, Any]:
    words = [
        "compare", *sides, "--live", "--sweep", "live", "--disturbed", "--budget", "3m", "--where", "metric=decode_tps", "--json",
        "--configs", str(machine.configs), "--results", str(machine.results),
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False, cwd=ROOT, timeout=500
    )
    assert ran.stdout, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == found["exit_code"]
    return found


def test_int4_is_found_to_decode_faster_and_the_other_way_round_slower(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    machine = RealMachine(tmp_path)
    machine.sweep("live", method=["fp32", {"int4_rtn": "ort-genai"}], verify=False, skip=[{"probe": "output_check"}],
        engine={"ort-genai": {"provider": "cpu"}}, probes={"generation": GENERATION})  # fmt: skip
    there = live(machine, "fp32", "int4_rtn")
    assert [one["verdict"] for one in there["comparisons"]] == ["better"]
    assert there["exit_code"] == 0
    back = live(machine, "int4_rtn", "fp32")
    assert [one["verdict"] for one in back["comparisons"]] == ["worse"]
    assert back["exit_code"] == 1
    assert any(note.startswith("stopped: worse is shown") for note in back["notes"])


def test_the_same_environment_under_two_names_is_not_called_worse_or_better(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    workspace(tmp_path)
    """Called once in a hundred times it is what was asked for, and had again; a gate that calls always is called twice."""
    words = ["--disturbed", "--budget", "10s"]
    verdict, told = one_run(tmp_path, words)
    if verdict in {"worse", "better"}:
        verdict, told = one_run(tmp_path, words)
    assert verdict in {"same", "cannot tell", "no verdict"}, told
