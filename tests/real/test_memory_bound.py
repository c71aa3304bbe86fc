"""Decoding as a share of what the memory allows, measured on this CPU with real engines, and its columns in the GPU sweeps' table."""

from __future__ import annotations

import json

import pytest

from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WEIGHTS = 3_145_728
"""Of the reference model's linear layers, with the table that is head and embedding."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> RealMachine:
    made = RealMachine(tmp_path_factory.mktemp("bound"))
    work = {"prompt": 16, "output": 8, "warmup": 1, "repetitions": 3, "bandwidth": True}
    skip = [{"probe": "output_check"}]
    made.sweep(
        "gpu-torch", verify=False, rounds=1, skip=skip, probes={"generation": work},
        blocks={"torch": {"engine": "transformers", "method": "bf16"}, "onnx": {"engine": "ort-genai", "method": "fp32"}},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        made.run("gpu-torch")
    return made


@pytest.mark.parametrize(("engine", "width"), [("transformers", 2), ("ort-genai", 4)])
def test_the_share_is_worked_out_of_what_was_measured(engine: str, width: int, machine: RealMachine) -> None:
    share, copies, step = (
        machine.value(metric, engine=engine) for metric in ("bandwidth_share", "copy_bandwidth", "per_token_latency")
    )
    found = [json.loads(path.read_text("utf-8")) for path in (machine.results / "runs").glob("*/outcome.json")]
    timed = [one for one in found if one["job"]["kind"] == "speed"]
    (facts,) = [one["protocol"]["facts"] for one in timed if one["job"]["spec"]["engine"] == engine]
    assert facts["weights_read"] == pytest.approx(WEIGHTS * width, rel=0.001)
    assert facts["cache_read"] == 2 * 4 * 2 * 64 * width * 20, (
        "keys and values, layers, heads, width, 16 + 8 / 2 tokens"
    )
    assert share == pytest.approx((facts["weights_read"] + facts["cache_read"]) / step / copies, rel=1e-6)
    assert 0 < share < 100


def test_the_table_of_the_gpu_sweeps_has_its_columns(machine: RealMachine) -> None:
    table = machine.tables("gpu-torch")["torch-speed"]
    assert "| Of the memory bound (%) | Copy bandwidth (GB/s) |" in table
