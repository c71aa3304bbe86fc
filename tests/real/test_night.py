"""Nights of seconds on a real engine: the same twice passes with its canaries found; work between tokens is called and opens an issue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.environments import ROOT
from harness.night.files import NIGHTS, read_nights
from harness.night.record import NightRecord
from tests.unit.commands.night_bench import changed_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(sys.platform == "win32", reason="a changed interpreter is a script of a shell"),
]
SWEEP = {
    "model": "reference", "engine": {"ort-genai": {"provider": "cpu"}}, "environment": "released", "method": {"int4_rtn": "ort-genai"},
    "verify": False, "skip": [{"probe": "output_check"}],
    "probes": {
        "perplexity": {"tokens": 8000, "window": 512, "stride": 256},
        "generation": {"protocol": "genai-e2e-0.9-median", "prompt": 64, "output": 64, "repetitions": 8},
    },
}  # fmt: skip
SLOWER = """
import sys, time
if "harness.worker" in " ".join(sys.orig_argv):
    import onnxruntime_genai as og
    class Slower(og.Generator):
        def generate_next_token(self):
            begun = time.perf_counter()
            super().generate_next_token()
            end = time.perf_counter() + 1.5 * (time.perf_counter() - begun)
            while time.perf_counter() < end:
                sum(range(64))
    og.Generator = Slower
"""
"""A version that does real work more for each token: decoding loses 60 %."""
GATE = "margins: {speed: 25 %}\n"
"""Wide, so that a machine on which other tests run comes to verdicts; what is injected is larger by far."""
TRIES = 3
"""Of a night that others on this machine blinded: such a night counts for nothing, as it says."""


def night(folder: Path, python: str) -> tuple[int, NightRecord]:
    """Have a night; one that others on this machine blinded is had again."""
    places = {"released": {"python": sys.executable}, "tonight": {"python": python}}
    (folder / "configs" / "environments.yaml").write_text(yaml.safe_dump(places), "utf-8")
    for _ in range(TRIES):
        code, record = once(folder)
        if record.is_proved and code != 3:
            break
    return code, record


def once(folder: Path) -> tuple[int, NightRecord]:
    words = ["--baseline", "released", "--candidate", "tonight", "--budget", "4m", "--issue", "issue.md", "--seed", "3"]
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "night", "small", *words, "--disturbed", "--where", "metric=decode_tps"], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, read_nights(folder / "results" / NIGHTS).records[-1]


def test_the_same_twice_passes_and_a_slower_candidate_is_called(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    (tmp_path / "configs" / "sweeps").mkdir(parents=True)
    (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "configs" / "gate.yaml").write_text(GATE, "utf-8")
    (tmp_path / "configs" / "sweeps" / "small.yaml").write_text(yaml.safe_dump(SWEEP), "utf-8")
    code, record = night(tmp_path, sys.executable)
    assert [(one.kind, one.found) for one in record.canaries] == [("speed", True), ("quality", True)], record.canaries
    assert code == record.exit_code == 0, [(one.name, one.word, one.why) for one in record.numbers]
    assert (tmp_path / "issue.md").read_text("utf-8").splitlines()[1] == "<!-- state: closed -->"
    code, record = night(tmp_path, str(changed_python(tmp_path / "slower", SLOWER)))
    assert code == record.exit_code == 1, [(one.name, one.word, one.why) for one in record.numbers]
    (worse,) = record.alarms
    assert worse.metric == "decode_tps"
    assert worse.again is not None
    issue = (tmp_path / "issue.md").read_text("utf-8")
    assert issue.splitlines()[1] == "<!-- state: open -->"
    assert worse.name in issue
    outcomes = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "results" / "runs").glob("*/outcome.json")]
    assert outcomes
    assert all(one["job"]["spec"].get("engine") != "canary" for one in outcomes), (
        "canaries leave nothing among other runs"
    )
