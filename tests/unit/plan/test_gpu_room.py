"""A GPU that is too small or too old for an artifact's weights is told while planning, and one that may do is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.model_record import record_of
from harness.core.registry import load
from harness.core.seam import Facts
from harness.engines import tensorrt_llm, transformers
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import expand
from harness.plan.gpu_room import too_old, too_small
from harness.plan.reading import read_sweep
from harness.quantizers import QUANTIZERS
from harness.quantizers.modelopt_torch_options import ModeloptTorchOptions
from tests.conftest import ROOT
from tests.unit.plan.test_verifying import CUDA, LARGE, Planner

ON_CUDA: dict[str, Any] = {"engine": {"ort-genai": {"provider": "cuda"}}, "environment": "cuda", "verify": False}


def gpu(gigabytes: int) -> Facts:
    return Facts(CUDA, "Linux", ("NVIDIA H100",), gpu_bytes=gigabytes * 10**9, memory_bytes=10**12)


def engine(adapter: Any = transformers.ENGINE, provider: str = "cuda", **options: Any) -> Any:
    return SimpleNamespace(adapter=adapter, record=adapter.options.model_validate(options), provider=provider)


def artifact(**facts: Any) -> ArtifactRef:
    given = {"id": "a", "format": "hf", "recipe": "ort-genai", "method": "m", "model": "m", "parameters": 8 * 10**9}
    return ArtifactRef(**(given | facts))


def test_a_plan_says_it_of_each_job_before_anything_is_loaded(tmp_path: Path) -> None:
    made = Planner(tmp_path)({"cuda": gpu(80)}, model="large", method=["fp16", "int8"], **ON_CUDA)
    refused = {job.labels[0].method: job.refused for job in made.jobs if job.kind == "speed"}
    assert refused["fp16"] == (
        "its weights alone take 141.1 GB in float16, and the GPU has 80.0 GB: take a method of fewer bits, a smaller model or another GPU"
    )
    assert refused["int8"] is None, "4 bits a weight would fit: nobody says more of INT8 than that"
    assert all(job.refused is None for job in made.jobs if job.kind == "build"), "a build has no need of it"
    enough = Planner(tmp_path / "b")({"cuda": gpu(142)}, model="large", method="fp16", **ON_CUDA)
    assert {job.refused for job in enough.jobs if job.kind == "speed"} == {None}


@pytest.mark.parametrize(("facts", "opened", "room", "says"), [
    ({"float_type": "float32"}, engine(), 31, "32.0 GB in float32"), ({"float_type": "float32"}, engine(), 32, None),
    ({}, engine(), 3, "4.0 GB in 4 bits, the least"), ({}, engine(), 4, None),
    ({"recipe": "source"}, engine(dtype="bfloat16"), 15, "16.0 GB in bfloat16"),
    ({"float_type": "float32"}, engine(provider="cpu"), 1, None), ({"parameters": None}, engine(), 1, None),
    ({"float_type": "float16"}, engine(tensorrt_llm.ENGINE, tp=2), 7, "and 2 GPUs have 14.0 GB"),
    ({"float_type": "float16"}, engine(tensorrt_llm.ENGINE, tp=2), 8, None),
])  # fmt: skip
def test_weights_are_reckoned_by_their_type_and_spread_over_gpus(
    facts: dict[str, Any], opened: Any, room: int, says: str | None
) -> None:
    found = too_small(artifact(**facts), opened, gpu(room))
    assert found is None if says is None else says in str(found)


def test_weights_that_lie_in_a_folder_twice_count_once() -> None:
    twice = artifact(parameters=2 * 70_553_706_496, record=record_of(LARGE), float_type="float16")
    assert too_small(twice, engine(), gpu(142)) is None
    assert "141.1 GB" in str(too_small(twice, engine(), gpu(80)))


@pytest.mark.parametrize("facts", [Facts(CUDA, "Linux"), Facts(CUDA, "Linux", ("NVIDIA H100",))])
def test_where_no_gpu_or_size_is_known_nothing_is_said(facts: Facts) -> None:
    assert too_small(artifact(float_type="float32"), engine(), facts) is None


FP8 = {"torch": "2.11.0+cu130", "transformers": "5.17.0", "bitsandbytes": "0.50.2", "accelerate": "1.15.0"}


@pytest.mark.parametrize(("compute", "refused"), [((8, 0), {"fp8"}), ((8, 9), set()), ((9, 0), set()), (None, set())])
def test_a_gpu_too_old_for_fp8_is_told_before_anything_is_loaded(
    compute: tuple[int, int] | None, refused: set[str]
) -> None:
    catalogue = load_catalogue(ROOT / "configs")
    facts = Facts(FP8, "Linux", ("NVIDIA A100",), 1 << 37, compute=compute, name="torch-cuda")
    plan = expand(
        read_sweep(ROOT / "configs" / "sweeps" / "gpu-torch.yaml", catalogue), catalogue, {"torch-cuda": facts}
    )
    jobs = [job for job in plan.jobs if job.labels[0].model == "random-1b"]
    said = {job.labels[0].method: job.refused for job in jobs if job.kind == "speed"}
    assert {method for method, why in said.items() if why is not None} == refused
    assert all(job.refused is None for job in jobs if job.kind == "build"), "it is built on the CPU"
    if refused:
        assert said["fp8"] == (
            "method 'fp8' is multiplied in a type that GPUs have from compute capability 8.9 on, and NVIDIA A100 has 8.0: "
            "take a method without it, as fp8_weights for fp8, or another GPU"
        )


def test_packed_fp8_needs_such_a_gpu_too_and_a_processor_none() -> None:
    assert load(QUANTIZERS, "quantizer", "modelopt-torch").capability(packed("W4A8_AWQ_BETA_CFG")) == (8, 9)
    assert load(QUANTIZERS, "quantizer", "modelopt-torch").capability(packed("INT4_AWQ_CFG")) is None
    old = Facts(FP8, "Linux", ("NVIDIA A100",), compute=(8, 0))
    assert too_old(artifact(capability=(8, 9)), engine(provider="cpu"), old) is None
    assert "and NVIDIA A100 has 8.0" in str(too_old(artifact(capability=(8, 9)), engine(), old))
    several = replace(old, gpus=("NVIDIA T4", "NVIDIA A100"), compute_gpu="NVIDIA A100")
    assert "and NVIDIA A100 has 8.0" in str(too_old(artifact(capability=(8, 9)), engine(), several))


def packed(config: str) -> ModeloptTorchOptions:
    return ModeloptTorchOptions.model_validate({"config": config, "export": True})


@pytest.mark.parametrize(("said", "found"), [
    ({"run": "python hf_ptq.py --qformat fp8 --out {out}"}, (8, 9)), ({"run": "hf_ptq --qformat=int4_awq,w4a8_awq {out}"}, (8, 9)),
    ({"run": "hf_ptq --qformat int4_awq {out}"}, None), ({"run": "hf_ptq --qformat fp8_pb_wo {out}"}, None), ({"run": "fp8 {out}"}, None),
    ({"run": "theirs {out}", "capability": 8.9}, (8, 9)), ({"run": "theirs {out}", "capability": 12.0}, (12, 0)),
    ({"run": "hf_ptq --qformat fp8 {out}", "capability": 7.5}, (7, 5)),
])  # fmt: skip
def test_a_command_says_from_which_gpu_on_by_its_recipe_or_by_the_format_that_it_asks_for(
    said: dict[str, Any], found: tuple[int, int] | None
) -> None:
    command = load(QUANTIZERS, "quantizer", "command")
    assert command.capability(command.options.model_validate(said)) == found


def test_every_shipped_command_that_rounds_activations_to_fp8_says_so() -> None:
    command, methods = load(QUANTIZERS, "quantizer", "command"), load_catalogue(ROOT / "configs").methods
    there = {name: method.recipes["command"].options for name, method in methods.items() if "command" in method.recipes}
    found = {name: command.capability(command.options.model_validate(said)) for name, said in there.items()}
    assert found == {name: (8, 9) if "FP8" in methods[name].entry.bits else None for name in there}
    assert {"fp8", "int4_awq"} <= found.keys()


@pytest.mark.parametrize("model", ["reference", "theirs"])
def test_fp8_by_a_command_or_made_elsewhere_is_refused_on_an_old_gpu_and_not_on_a_new_one(
    model: str, tmp_path: Path
) -> None:
    run = "hf_ptq --pyt_ckpt_path {base} --qformat fp8 --export_path {out}"
    methods = {"their_fp8": {"recipes": {"command": {"run": run, "produces": "hf"}}}}
    (tmp_path / "ready").mkdir()
    for name, content in (("config.json", json.dumps(LARGE)), ("model.safetensors", "{}"), ("tokenizer.json", "{}")):
        (tmp_path / "ready" / name).write_text(content, "utf-8")
    models = {"theirs": {"ready": {"path": str(tmp_path / "ready"), "method": "their_fp8", "of": "reference"}}}
    sweep = {
        "model": model, "method": "their_fp8", "environment": "cuda", "engine": {"program": {"provider": "cuda"}},
        "probes": {"command": {"run": "theirs {artifact} {out}", "read": {"decode_tps": "tps"}}},
    }  # fmt: skip
    for name, content in (("methods", methods), ("models", models), ("sweep", sweep)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content), "utf-8")
    catalogue = load_catalogue([ROOT / "configs", tmp_path])
    for compute, told in (((8, 0), "and NVIDIA A100 has 8.0"), ((8, 9), "None")):
        facts = Facts(FP8, "Linux", ("NVIDIA A100",), 1 << 37, compute=compute)
        plan = expand(read_sweep(tmp_path / "sweep.yaml", catalogue), catalogue, {"cuda": facts})
        assert {told in str(job.refused) for job in plan.jobs if job.kind == "speed"} == {True}
