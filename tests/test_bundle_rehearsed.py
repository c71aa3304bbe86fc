"""The reference model as it is and quantized, bundled, run by the script without a network and with an empty home, and taken in: as if run here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bundling.back import bring_back
from harness.store.database import Database
from tests.conftest import ROOT
from tests.watched import namespace

SWEEP = {
    "model": "reference", "method": ["fp32", {"int4_rtn": "ort-genai"}], "environment": "cpu", "engine": {"ort-genai": {"provider": "cpu"}},
    "rounds": 1, "verify": False, "skip": [{"probe": "output_check"}],
    "probes": {"perplexity": {"tokens": 1000, "window": 256, "stride": 256}, "generation": {"prompt": 16, "output": 8, "repetitions": 3}},
}  # fmt: skip
COLUMNS = ["job_key", "kind", "model", "method", "metric", "value", "artifact", "artifact_content"]


def harness(*words: str, home: Path) -> str:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HARNESS_CACHE": str(home / "cache")}
    command = [sys.executable, "-m", "harness", "--workspace", str(home), *words]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=home)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


def numbers(results: Path, kind: str) -> set[tuple[object, ...]]:
    with Database.open(results / "bench.db") as database:
        frame = database.frame({"kind": kind, "status": "ok"}, COLUMNS)
    kept = [name for name in COLUMNS if name != "value" or kind == "quality"]
    return {tuple(row) for row in frame[kept].itertuples(index=False)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bundle_run_without_a_network_gives_what_running_here_gives(tmp_path: Path) -> None:
    home = tmp_path / "theirs"
    (home / "configs" / "sweeps").mkdir(parents=True)
    (home / "harness.yaml").write_text("version: 1\n", "utf-8")
    (home / "configs" / "local.yaml").write_text(json.dumps({"python": {"cpu": sys.executable}}), "utf-8")
    (home / "configs" / "sweeps" / "small.yaml").write_text(json.dumps(SWEEP), "utf-8")
    said = harness("bundle", "small", "--to", str(tmp_path / "bundle"), "--pieces", "1MB", "--has", "all", home=home)
    assert "model reference: comes with the harness" in said
    empty = tmp_path / "empty"
    empty.mkdir()
    bare = {"PATH": os.environ["PATH"], "HOME": str(empty), "PYTHON": sys.executable, "TMPDIR": os.environ["TMPDIR"]}
    ran = subprocess.run(
        [*namespace(), "sh", str(tmp_path / "bundle" / "run.sh")],
        env=bare,
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert not list(empty.rglob("*")), "nothing is left in the home folder"
    fresh = tmp_path / "fresh"
    found = bring_back(tmp_path / "bundle" / "out", fresh)
    assert not found.problems
    assert "here already" in harness("ingest", str(tmp_path / "bundle" / "out"), "--results", str(fresh), home=home)
    harness("run", "small", "--offline", home=home)
    for kind in ("build", "quality", "speed"):
        assert numbers(fresh, kind) == numbers(home / "results", kind) != set(), kind
