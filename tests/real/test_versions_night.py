"""Two releases held against each other by a night: its verdict, and the eight columns of the shipped table, of the very same rounds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.environment_state import python_in
from harness.night.files import NIGHTS, read_nights
from harness.night.record import VERDICTS, NightRecord
from tests.conftest import ROOT
from tests.real.environments import beside
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(2400)]
CONFIGS = ROOT / "configs"
GATE = {"margins": {"speed": "55 %"}}
"""Wide, so that a canary is found on a busy machine, too."""


def night(machine: RealMachine, sweep: str, sides: tuple[str, str], **changes: Any) -> tuple[NightRecord, str]:
    """Have a night of a shipped sweep, narrowed; its record and report."""
    shipped = yaml.safe_load((CONFIGS / "sweeps" / f"{sweep}.yaml").read_text("utf-8"))
    machine.sweep(sweep, **{**shipped, **changes})
    (machine.configs / "gate.yaml").write_text(yaml.safe_dump(GATE), "utf-8")
    words = [
        "night", sweep, "--baseline", sides[0], "--candidate", sides[1], "--budget", "30m", "--disturbed", "--seed", "5",
        "--where", "metric=decode_tps,per_token_latency", "--configs", str(machine.configs), "--results", str(machine.results),
    ]  # fmt: skip
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False, env=variables, cwd=ROOT
    )
    assert "Traceback" not in ran.stderr, ran.stderr[-3000:]
    record = read_nights(machine.results / NIGHTS).records[-1]
    assert ran.returncode == record.exit_code
    assert [(one.kind, one.found) for one in record.canaries] == [("speed", True)], record.canaries
    return record, ran.stdout


def environments(machine: RealMachine, pythons: dict[str, Path]) -> None:
    """Name interpreters, and all others that the file of tables names."""
    named = yaml.safe_load((CONFIGS / "environments.yaml").read_text("utf-8"))
    others = {name: {"packages": ["onnxruntime-genai"]} for name in named if name not in pythons}
    entries = {**others, **{name: {"python": str(path)} for name, path in pythons.items()}}
    (machine.configs / "environments.yaml").write_text(yaml.safe_dump(entries), "utf-8")


def held_against_the_table(record: NightRecord, said: str, row: str, versions: tuple[str, str], baseline: int) -> None:
    """Hold the night's numbers against the eight columns of its one row. versions: new and old; baseline: which of them the night held the other against."""
    (table,) = record.tables
    assert table in said
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    head, cells = ([cell.strip() for cell in line] for line in (lines[0], lines[2]))
    assert (len(lines), len(head), len(cells)) == (3, 8, 8)
    shown = {name: re.split(r"[ x<]", cell)[0] for name, cell in zip(head, cells, strict=True)}
    assert cells[:2] == [row, "1"]
    by_metric = {one.metric: one for one in record.numbers if one.word in VERDICTS}
    decode = by_metric["decode_tps"]
    assert decode.a is not None
    assert decode.b is not None
    new, old = (decode.a, decode.b) if baseline == 0 else (decode.b, decode.a)
    for version, value in zip(versions, (new, old), strict=True):
        assert float(shown[f"Throughput <sub>{version}</sub>"]) == pytest.approx(value, abs=0.06)
    assert float(shown["Throughput Improvement"]) == pytest.approx(new / old, rel=0.02)
    assert shown["Latency Improvement"]
    assert f"--where session={record.sessions['main']}" in said


def test_a_release_of_bitsandbytes_that_is_slower_is_worse_and_stands_so_in_the_table(tmp_path: Path) -> None:
    pytest.importorskip("optimum_benchmark")
    machine = RealMachine(tmp_path / "real")
    pins = yaml.safe_load((CONFIGS / "environments.yaml").read_text("utf-8"))
    environments(machine, {name: beside(tmp_path / name, *pins[name]["packages"]) for name in ("bnb", "bnb-0.48")})
    work = {"batch": 1, "prompt": 16, "output": 16, "warmup": 1, "repetitions": 2}
    record, said = night(machine, "versions-bnb", ("bnb", "bnb-0.48"), method="nf4", probes={"generation": work})
    assert record.exit_code == 1
    words = {one.metric: one.word for one in record.numbers if one.metric in {"decode_tps", "per_token_latency"}}
    assert words == {"decode_tps": "worse", "per_token_latency": "worse"}
    assert record.baseline.packages["bitsandbytes"] == "0.50.2"
    assert record.candidate.packages["bitsandbytes"] == "0.48.2"
    held_against_the_table(record, said, "NF4", ("v0.50.2", "v0.48.2"), baseline=0)


def test_two_releases_of_the_engine_have_a_verdict_and_the_table_of_the_same_rounds(tmp_path: Path) -> None:
    pythons = {name: python_in(ROOT / ".venvs" / name) for name in ("genai-latest", "genai-0.15")}
    for name, python in pythons.items():
        if not python.exists():
            pytest.skip(f"environment {name} is not here: `harness setup --env {name}`")
    machine = RealMachine(tmp_path / "real")
    environments(machine, pythons)
    probes = {
        "generation": {"protocol": "genai-e2e-0.9-median", "batch": 1, "prompt": 64, "output": 64, "repetitions": 8}
    }
    record, said = night(machine, "versions-genai", ("genai-0.15", "genai-latest"), method={"int4_rtn": "ort-genai"}, probes=probes)  # fmt: skip
    assert record.exit_code in {0, 1}
    assert record.baseline.packages["onnxruntime-genai"] == "0.15.2"
    assert record.candidate.packages["onnxruntime-genai"] == "0.18.0"
    held_against_the_table(record, said, "INT4 RTN", ("v0.18.0", "v0.15.2"), baseline=1)
