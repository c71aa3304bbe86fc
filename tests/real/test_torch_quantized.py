"""The sweep gpu-torch on a CPU with the reference model: its methods really built and measured, its tables really written."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.real.environments import beside
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TITLES = {"BF16": "bf16", "NF4": "nf4", "INT8+Decomp": "int8_decomp", "FP8": "fp8"}
METHODS = list(TITLES.values())
PIN = "bitsandbytes==0.50.2"
HERE = importlib.util.find_spec("bitsandbytes") is not None


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages and bitsandbytes: installed beside them where they lack it."""
    return beside(tmp_path_factory.mktemp("environment") / "bnb", *([] if HERE else [PIN]))


@pytest.fixture(scope="module")
def machine(python: Path, tmp_path_factory: pytest.TempPathFactory) -> RealMachine:
    """The shipped sweep with fewer methods and less work, on the CPU; its name is the sweep's, by which its tables find it."""
    shipped = yaml.safe_load((ROOT / "configs" / "sweeps" / "gpu-torch.yaml").read_text("utf-8"))
    made = RealMachine(tmp_path_factory.mktemp("real"))
    (made.configs / "environments.yaml").write_text(f"bnb: {{python: {python}}}\n", "utf-8")
    block = shipped["blocks"]["smollm2"]
    assert set(METHODS) < set(block["method"])
    speed = {**block["probes"]["generation"], "batch": 1, "prompt": 32, "output": 8, "repetitions": 2}
    quality = {"text": "reference", "tokens": 1000, "window": 256, "stride": 256}
    work: dict[str, Any] = {
        "kl_divergence": {**quality, "reference": block["probes"]["kl_divergence"]["reference"]},
        "perplexity": quality,
        "generation": speed,
        "memory": {"batch": 1, "prompt": 32, "output": 8},
    }
    assert work.keys() == block["probes"].keys()
    floats = {"method": "bf16", "probe": ["kl_divergence", "perplexity", "memory"]}
    skip = [{"method": ["int8_decomp", "fp8"], "probe": ["generation", "memory"]}, floats, {"probe": "output_check"}]
    made.sweep(
        "gpu-torch", environment="bnb", engine="transformers", method=METHODS, probes=work, skip=skip, rounds=1,
        tables=shipped["tables"], verify=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")  # threads that wait for one another burn a busy machine
        made.run("gpu-torch")
    return made


def test_each_method_is_as_far_from_the_model_as_its_bits_say(machine: RealMachine) -> None:
    found = [machine.value("kl_divergence", method=method) for method in ("int8_decomp", "fp8", "nf4")]
    assert found == sorted(found)
    assert 0 < found[0] < 0.001 < found[2] < 0.05
    assert machine.value("perplexity", method="nf4") > machine.value("perplexity", method="int8_decomp")


def test_what_was_quantized_stands_in_the_tables_and_speed_and_memory_were_measured(machine: RealMachine) -> None:
    tables = machine.tables("gpu-torch")
    for text in (
        "| NF4 | 5.94 | nf4 b64 x28; head bfloat16; embedding bfloat16 |",
        "| INT8+Decomp | 9.09 | int8 channel sym x28; head float16; embedding float16 |",
        "| FP8 | 9.09 | fp8 channel sym x28; head bfloat16; embedding bfloat16 |",
    ):
        assert text in tables["torch-quality"]
    for table, columns, methods in (
        ("torch-speed", r"1 \| 32 \| [\d,]+", ["bf16", "nf4"]),
        ("torch-memory", r"[\d,.]+", ["nf4"]),
    ):
        rows = re.findall(rf"^\| ({'|'.join(map(re.escape, TITLES))}) \| {columns}", tables[table], flags=re.MULTILINE)
        assert {TITLES[title] for title in rows} == set(methods), tables[table]


def test_tables_say_which_bitsandbytes(machine: RealMachine) -> None:
    assert PIN in (ROOT / "configs" / "environments.yaml").read_text("utf-8")
    assert "bitsandbytes 0.50.2" in machine.tables("gpu-torch")["torch-quality"]


@pytest.mark.skipif(HERE, reason="bitsandbytes is installed here, and the file runs by itself")
def test_the_tests_of_the_quantizer_pass_where_it_is_installed(python: Path) -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/quantizers/test_bitsandbytes.py"]
    ran = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "skipped" not in ran.stdout
