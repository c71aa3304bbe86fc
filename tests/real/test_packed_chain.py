"""INT4 AWQ found by Model Optimizer in PyTorch, packed, exported by the GenAI model builder and run by ONNX Runtime: as far from the model as the simulation."""

from __future__ import annotations

import json

import pytest

from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WORK = {"tokens": 4000, "window": 512, "stride": 512, "reference": {"method": "fp32", "engine": "transformers"}}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> RealMachine:
    made = RealMachine(tmp_path_factory.mktemp("chain"))
    blocks = {
        "torch": {"engine": "transformers", "method": ["sim_int4_awq"]},
        "onnx": {"engine": "ort-genai", "method": ["int4_awq_torch"]},
    }
    made.sweep("chain", verify=False, probes={"kl_divergence": WORK}, blocks=blocks)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        made.run("chain")
    return made


def test_the_chain_is_as_far_from_the_model_as_the_simulation(machine: RealMachine) -> None:
    for metric in ("kl_divergence", "kl_abs_log_ratio"):
        simulated, chain = (machine.value(metric, method=method) for method in ("sim_int4_awq", "int4_awq_torch"))
        assert simulated > 0
        assert chain == pytest.approx(simulated, rel=0.15)


def test_the_chain_is_built_of_the_packed_checkpoint(machine: RealMachine) -> None:
    found = [json.loads(path.read_text("utf-8")) for path in (machine.results / "runs").glob("*/outcome.json")]
    builds = {one["job"]["spec"]["quantizer"]: one for one in found if one["job"]["kind"] == "build"}
    packed = [one["artifact"]["id"] for one in found if one["job"].get("labels", {}).get("method") == "int4_awq_packed"]
    assert [given["id"] for given in builds["modelopt-genai"]["job"]["inputs"] if given["role"] == "base"] == packed
    assert len(packed) == 1
