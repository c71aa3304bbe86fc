"""The sweep gpu-torch on a CPU with the reference model: its methods really built and measured, its tables really written."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.real.box import RealBox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
METHODS = ["bf16", "nf4", "int8_decomp", "fp8"]
PIN = "bitsandbytes==0.50.2"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages and bitsandbytes: installed beside them where they lack it."""
    folder = tmp_path_factory.mktemp("environment") / "bnb"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    made = next(folder.glob("bin/python"), folder / "Scripts" / "python.exe")
    site = next(folder.rglob("site-packages"))
    (site / "this.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    if importlib.util.find_spec("bitsandbytes") is None:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--retries",
            "1",
            "--target",
            str(site),
            PIN,
        ]
        if (ran := subprocess.run(pip, capture_output=True, text=True, check=False, timeout=300)).returncode:
            pytest.skip(
                f"{PIN} cannot be installed here: {(ran.stderr.strip().splitlines() or ['no reason'])[-1][:200]}"
            )
    return made


@pytest.fixture(scope="module")
def box(python: Path, tmp_path_factory: pytest.TempPathFactory) -> RealBox:
    """The shipped sweep with fewer methods and less work, on the CPU; its name is the sweep's, by which its tables find it."""
    shipped = yaml.safe_load((ROOT / "configs" / "sweeps" / "gpu-torch.yaml").read_text("utf-8"))
    made = RealBox(tmp_path_factory.mktemp("real"))
    (made.configs / "environments.yaml").write_text(f"bnb: {{python: {python}}}\n", "utf-8")
    block = shipped["blocks"]["smollm2"]
    assert set(METHODS) < set(block["method"])
    quality = {"text": "reference", "tokens": 1000, "window": 256, "stride": 256}
    work: dict[str, Any] = {
        "kl_divergence": quality | {"reference": block["probes"]["kl_divergence"]["reference"]},
        "perplexity": quality,
        "generation": {**block["probes"]["generation"], "batch": 1, "prompt": 32, "output": 8, "repetitions": 2},
        "memory": {"batch": 1, "prompt": 32, "output": 8},
    }
    assert work.keys() == block["probes"].keys()
    blocks = {"smollm2": {"method": METHODS, "probes": work}}
    made.sweep("gpu-torch", environment="bnb", engine="transformers", rounds=1, tables=shipped["tables"], blocks=blocks)
    made.run("gpu-torch")
    return made


def test_each_method_is_as_far_from_the_model_as_its_bits_say(box: RealBox) -> None:
    found = {method: box.value("kl_divergence", method=method) for method in METHODS}
    assert 0 < found["bf16"] < found["int8_decomp"] < found["fp8"] < found["nf4"] < 0.3, found
    worse = {method: box.value("perplexity", method=method) for method in METHODS}
    assert worse["nf4"] > worse["bf16"]


def test_what_was_quantized_stands_in_the_tables_and_speed_and_memory_were_measured(box: RealBox) -> None:
    tables = box.tables("gpu-torch")
    for text in (
        "| NF4 | 5.94 | nf4 b64 x28; head bfloat16; embedding bfloat16 |",
        "| INT8+Decomp | 9.09 | int8 channel sym x28; head float16; embedding float16 |",
        "| FP8 | 9.09 | fp8 channel sym x28; head bfloat16; embedding bfloat16 |",
        "| BF16 | 16.00 | bfloat16 x28; head bfloat16; embedding bfloat16 |",
    ):
        assert text in tables["torch-quality"]
    rows = re.findall(
        r"^\| (BF16|NF4|INT8\+Decomp|FP8) \| 1 \| 32 \| ([\d,]+)", tables["torch-speed"], flags=re.MULTILINE
    )
    assert len(rows) == len(METHODS)
    assert len(
        re.findall(r"^\| (?:BF16|NF4|INT8\+Decomp|FP8) \| [\d,.]+", tables["torch-memory"], flags=re.MULTILINE)
    ) == len(METHODS)
    assert "unverified" not in "".join(tables.values()), "BF16 was held against its model"


def test_results_of_bitsandbytes_stand_on_its_version_and_those_of_floats_do_not(box: RealBox) -> None:
    plan = box.command("plan", "gpu-torch", "--configs", str(box.configs), "--why")
    assert "nf4" in plan
    assert "bitsandbytes 0.50.2" in box.tables("gpu-torch")["torch-quality"]
