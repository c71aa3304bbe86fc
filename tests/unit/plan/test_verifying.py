"""Which float artifacts are verified, where what the model computes is found out, and what cannot be verified here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.core.seam import Facts
from harness.core.spec import MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import Plan, PlannedJob, expand
from harness.plan.reading import read_sweep
from tests.unit.plan.conftest import model_folder

RUNTIME = {"onnxruntime-genai": "0.15.2", "onnxruntime": "1.31.1"}
WHOLE = {**RUNTIME, "torch": "2.13.0", "transformers": "4.57.6", "nvidia-modelopt": "0.47.0", "onnx": "1.21.0"}
CUDA = {**WHOLE, "onnxruntime-genai-cuda": "0.15.2"}
CPU = Facts(WHOLE, "Linux", memory_bytes=16 << 30)
GPU = Facts(CUDA, "Linux", ("NVIDIA H100",), gpu_bytes=80 << 30, memory_bytes=256 << 30)
LARGE = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 8192, "intermediate_size": 28672,
    "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "tie_word_embeddings": False,
}  # fmt: skip
METHODS: dict[str, Any] = {
    "fp32": {"recipes": {"ort-genai": {"precision": "fp32"}, "source": {"dtype": "float32"}}},
    "fp16": {"recipes": {"ort-genai": {"precision": "fp16"}, "source": {"dtype": "float16"}}},
    "int8": {"recipes": {"ort-genai": {"precision": "int8"}}},
    "awq": {"recipes": {"modelopt-onnx": {"algo": "rtn_dq", "on": {"cpu": "fp32", "other": "fp16"}}}},
}


class Planner:
    """A catalogue of a small model, a 70B one of random weights, and ready artifacts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        small, ready = model_folder(folder / "small"), folder / "ready"
        ready.mkdir()
        (ready / "genai_config.json").write_text('{"model": {"vocab_size": 1000}}', "utf-8")
        (ready / "model.onnx").write_text("graph", "utf-8")
        self._write("models", {
            "small": {"folder": str(small)}, "large": {"random": {"config": LARGE, "dtype": "float16"}},
            "ready-fp32": {"ready": {"path": str(ready), "method": "fp32", "of": "small"}},
            "ready-int8": {"ready": {"path": str(ready), "method": "int8", "of": "small"}},
        })  # fmt: skip
        self._write("methods", METHODS)
        self._write("environments", {name: {"python": "/usr/bin/python3"} for name in ("cpu", "lean", "cuda")})

    def _write(self, name: str, content: Any) -> None:
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content), "utf-8")

    def __call__(self, environments: dict[str, Facts | None], **keys: Any) -> Plan:
        sweep = {
            "engine": "ort-genai",
            "environment": "cpu",
            "probes": {"generation": {"prompt": 8, "output": 8}},
            **keys,
        }
        self._write("sweep", sweep)
        catalogue = load_catalogue(self.folder)
        return expand(read_sweep(self.folder / "sweep.yaml", catalogue), catalogue, environments)


@pytest.fixture
def plan(tmp_path: Path) -> Planner:
    return Planner(tmp_path)


def _verifications(plan: Plan) -> list[PlannedJob]:
    return [job for job in plan.jobs if job.verifies]


def _truths(plan: Plan) -> dict[str, tuple[str, dict[str, Any]]]:
    """Say for what the model computes in which environment, with which options."""
    found = {}
    for job in plan.jobs:
        if job.tells_truth and isinstance(job.spec, MeasureSpec):
            found[job.id] = (job.environment, job.spec.engine_options)
    return found


def test_only_float_artifacts_are_verified_each_once_per_engine(plan: Planner) -> None:
    made = plan({"cpu": CPU}, model="small", method=["fp32", "int8", "awq"])
    assert [job.labels[0].method for job in _verifications(made)] == ["fp32"]
    engines = [{"ort-genai": {"threads": 1}}, "transformers"]
    both = plan({"cpu": CPU}, model="small", method="fp32", engine=engines)
    assert len(_verifications(both)) == 2
    assert len(_truths(both)) == 1, "what the model computes is stored once"


def test_a_base_is_verified_also_where_it_is_not_measured(plan: Planner) -> None:
    made = plan({"cpu": CPU}, model="small", method="awq")
    (verification,) = _verifications(made)
    assert verification.labels[0].method == "fp32"
    build = next(job for job in made.jobs if job.kind == "build" and job.labels[0].method == "awq")
    speed = next(job for job in made.jobs if job.kind == "speed")
    assert verification.id in build.needs
    assert verification.id in speed.needs


def test_a_ready_artifact_that_claims_a_float_method_is_verified_against_its_model(plan: Planner) -> None:
    made = plan({"cpu": CPU}, model=["ready-fp32", "ready-int8"], method="fp32")
    (verification,) = _verifications(made)
    assert verification.labels[0].method == "fp32"
    truth = next(job for job in made.jobs if job.tells_truth)
    assert truth.inputs[0].path.endswith("small")


def test_a_ready_artifact_whose_model_is_not_here_is_measured_unverified(plan: Planner) -> None:
    shutil.rmtree(plan.folder / "small")
    made = plan({"cpu": CPU}, model="ready-fp32", method="fp32")
    (verification,) = _verifications(made)
    assert "small does not exist" in str(verification.refused)
    assert next(job for job in made.jobs if job.kind == "speed").refused is None


def test_the_model_itself_runs_where_transformers_is(plan: Planner) -> None:
    lean = Facts(RUNTIME, "Linux", memory_bytes=16 << 30)
    places = {"ort-genai": "lean", "other": "cpu"}
    made = plan({"cpu": CPU, "lean": lean}, model="ready-fp32", method="fp32", environment=places)
    assert [place for place, _ in _truths(made).values()] == ["cpu"]
    assert [(job.environment, job.refused) for job in _verifications(made)] == [("lean", None)]


def test_without_transformers_anywhere_an_artifact_is_unverified_with_the_reason(plan: Planner) -> None:
    lean = Facts(RUNTIME, "Linux", memory_bytes=16 << 30)
    made = plan({"lean": lean}, model="ready-fp32", method="fp32", environment="lean")
    (verification,) = _verifications(made)
    assert verification.refused == (
        "torch is not installed in environment lean: take environment cpu, which `harness setup --env cpu` makes"
    )
    assert not _truths(made)
    assert next(job for job in made.jobs if job.kind == "speed").refused is None, "what is unverified is measured"


def test_a_model_that_does_not_fit_the_memory_in_float32_is_unverified(plan: Planner) -> None:
    (verification,) = _verifications(plan({"cpu": CPU}, model="large", method="fp32"))
    assert verification.refused == "needs 282 GB for the model in float32, and this machine has 17 GB"


def test_a_model_that_fits_in_its_own_type_alone_is_compared_in_that(plan: Planner) -> None:
    """70B in float16 is 141 GB: too much for the model itself on this GPU, not in main memory; float32 fits neither."""
    cuda = {"engine": {"ort-genai": {"provider": "cuda"}}, "environment": "cuda"}
    made = plan({"cuda": replace(GPU, gpu_bytes=142 << 30)}, model="large", method="fp16", **cuda)
    (verification,) = _verifications(made)
    assert verification.refused is None
    assert [item.role for item in verification.inputs] == ["artifact", "reference"]
    assert list(_truths(made).values()) == [("cuda", {"dtype": "float16", "attention": "eager"})]


def test_a_16_bit_artifact_is_held_against_float32_and_against_its_own_type(plan: Planner) -> None:
    cuda = {"engine": {"ort-genai": {"provider": "cuda"}}, "environment": "cuda"}
    made = plan({"cuda": GPU}, model="small", method="fp16", **cuda)
    (verification,) = _verifications(made)
    assert [item.role for item in verification.inputs] == ["artifact", "reference", "native"]
    options = list(_truths(made).values())
    assert options == [
        ("cuda", {"device": "cuda", "attention": "eager"}),
        ("cuda", {"dtype": "float16", "device": "cuda", "attention": "eager"}),
    ]


def test_a_sweep_can_switch_verification_off(plan: Planner) -> None:
    made = plan({"cpu": CPU}, model="small", method="fp32", verify=False)
    (verification,) = _verifications(made)
    assert verification.refused == "switched off by the sweep (verify: false)"
    assert not _truths(made)


def test_an_artifact_that_cannot_be_built_is_not_verified(plan: Planner) -> None:
    assert not _verifications(plan({"cpu": CPU}, model="small", method="fp16"))
