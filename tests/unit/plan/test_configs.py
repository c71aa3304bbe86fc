"""What the repository ships: catalogues, sweeps, schema, documentation, and the keys that are pinned for ever."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.core.seam import Facts
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, PlannedJob, expand
from harness.plan.keys import artifact_id, reference_id, spec_key
from harness.plan.reading import read_sweep
from harness.plan.schema import sweep_schema, text
from harness.plan.yamlfile import plain, read
from tests.conftest import ROOT

CONFIGS = ROOT / "configs"
GOLDEN = ROOT / "tests" / "golden" / "keys.json"
CPU = Facts(
    {
        "onnxruntime-genai": "0.15.2",
        "onnxruntime": "1.31.1",
        "torch": "2.13.0",
        "transformers": "4.57.6",
        "nvidia-modelopt": "0.47.0",
        "onnx": "1.21.0",
        "lm-eval": "0.4.13",
    },
    "Linux",
)


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_catalogue(CONFIGS)


def planned(path: Path, catalogue: Catalogue, environments: dict[str, Facts | None]) -> Plan:
    return expand(
        read_sweep(path, catalogue), catalogue, environments, hashed=lambda folder: f"content of {folder.name}"
    )


def test_the_quickstart_plans_six_methods_and_the_floor(shipped: Catalogue) -> None:
    plan = planned(CONFIGS / "sweeps" / "quickstart.yaml", shipped, {"cpu": CPU})
    assert [job.refused for job in plan.jobs if job.refused] == []
    methods = [job.labels[0].method for job in plan.jobs if job.kind == "build"]
    assert methods == ["fp32", "int8", "int4_k_quant_mixed", "int4_rtn", "int4_rtn_b128", "int4_awq_reference"]
    verified = [
        (job.labels[0].method, job.spec.engine)
        for job in plan.jobs
        if job.verifies and isinstance(job.spec, MeasureSpec)
    ]
    assert verified == [("fp32", "ort-genai"), ("fp32", "transformers")]
    assert len([job for job in plan.jobs if job.tells_truth]) == 1, (
        "both engines are held against the same stored numbers"
    )
    measured = [job for job in plan.jobs if not (job.verifies or job.tells_truth)]
    assert Counter(job.kind for job in measured) == {"build": 6, "reference": 2, "quality": 6 * 4 + 1, "speed": 6 * 5}
    checks = {job.id for job in plan.jobs if isinstance(job.spec, MeasureSpec) and job.spec.probe == "output_check"}
    assert {job.check for job in plan.jobs if job.kind == "speed"} == checks
    assert len(checks) == 6, "all rounds of a method share the check of their output"
    floor = [job for job in measured if isinstance(job.spec, MeasureSpec) and job.spec.engine == "transformers"]
    assert [job.labels[0].reference for job in floor] == ["fp32@ort-genai"]
    assert len({job.group for job in plan.jobs if job.kind == "quality"}) == 7, "one worker per artifact and engine"


def test_the_gpu_sweep_is_planned_with_its_reasons_where_there_is_none(shipped: Catalogue) -> None:
    plan = planned(CONFIGS / "sweeps" / "gpu.yaml", shipped, {})
    assert all(job.refused for job in plan.jobs)
    gpu = Facts({**CPU.packages, "onnxruntime-genai-cuda": "0.15.2"}, "Linux", ("NVIDIA H200",), 1 << 37)
    methods = Counter(
        job.labels[0].method for job in planned(CONFIGS / "sweeps" / "gpu.yaml", shipped, {"cuda": gpu}).jobs
    )
    assert set(methods) == {"fp16", "int4_rtn", "int4_k_quant_mixed", "int4_awq", "mixed_awq"}


TORCH = {"torch": "2.11.0+cu130", "transformers": "5.17.0"}
BNB = {**TORCH, "bitsandbytes": "0.50.2", "accelerate": "1.15.0"}


def torch_jobs(shipped: Catalogue, packages: dict[str, str], kind: str) -> dict[str, list[PlannedJob]]:
    """Plan gpu-torch on a GPU; its jobs of a kind on the shape of 1B, which needs no download, by method."""
    path = CONFIGS / "sweeps" / "gpu-torch.yaml"
    facts = Facts(packages, "Linux", ("NVIDIA H200",), 1 << 37, name="torch-cuda")
    found: dict[str, list[PlannedJob]] = {}
    for job in planned(path, shipped, {"torch-cuda": facts}).jobs:
        if job.kind == kind and job.labels[0].model == "random-1b" and not job.verifies:
            found.setdefault(job.labels[0].method, []).append(job)
    return found


def test_what_bitsandbytes_made_is_refused_without_it_and_its_quality_stands_on_its_version(shipped: Catalogue) -> None:
    lacking = "bitsandbytes is not installed in environment torch-cuda; `harness setup --env torch-cuda`"
    theirs, others = {"nf4", "int8", "int8_decomp"}, {"bf16", "fp8", "fp8_weights"}
    reasons = {method: {job.refused for job in jobs} for method, jobs in torch_jobs(shipped, TORCH, "speed").items()}
    assert reasons == {**{method: {lacking} for method in theirs}, **{method: {None} for method in others}}
    with_it = torch_jobs(shipped, BNB, "quality")
    versions = {
        method: {job.known_by["packages"].get("bitsandbytes") for job in jobs} for method, jobs in with_it.items()
    }
    assert versions == {**{method: {"0.50.2"} for method in theirs}, **{method: {None} for method in others}}


def test_random_weights_run_in_the_type_that_their_method_names(shipped: Catalogue) -> None:
    (jobs,) = [jobs for method, jobs in torch_jobs(shipped, BNB, "speed").items() if method == "bf16"]
    assert {job.spec.engine_options.get("dtype") for job in jobs if isinstance(job.spec, MeasureSpec)} == {"bfloat16"}


def test_a_checkpoint_of_bitsandbytes_made_elsewhere_needs_it_too(tmp_path: Path) -> None:
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    folder, more = tmp_path / "theirs", tmp_path / "configs"
    folder.mkdir()
    more.mkdir()
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 9,
        "quantization_config": said,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}", "utf-8")
    (more / "models.yaml").write_text(f"theirs: {{ready: {{path: {folder}, method: nf4, of: reference}}}}\n", "utf-8")
    (more / "s.yaml").write_text(
        "model: theirs\nmethod: nf4\nengine: transformers\nenvironment: bnb\nprobes: {perplexity: {tokens: 2000}}\n",
        "utf-8",
    )
    catalogue = load_catalogue([CONFIGS, more])
    for packages, refused, version in (
        (TORCH, "bitsandbytes is not installed in environment bnb", None),
        (BNB, "None", "0.50.2"),
    ):
        plan = planned(more / "s.yaml", catalogue, {"bnb": Facts(packages, "Linux", name="bnb")})
        (job,) = [job for job in plan.jobs if job.kind == "quality"]
        assert str(job.refused).startswith(refused)
        assert job.known_by["packages"].get("bitsandbytes") == version


def test_the_windows_sketch_plans_each_job_with_its_reason(sketches: Path, shipped: Catalogue) -> None:
    plan = planned(sketches / "modelopt_windows.sweep.yaml", shipped, {})
    measured = [job for job in plan.jobs if job.kind in {"quality", "speed"}]
    blocks = Counter(job.labels[0].block for job in measured)
    assert blocks == {"speed_mmlu": 5 * 2 * 2, "ppl": (5 * 7 - 4) * 2, "kl": 3 + 6}
    reasons = Counter(job.refused for job in measured)
    assert reasons["environment 'genai-dml-0.4' is for Windows, and this machine is not"] == 20
    assert sum(reasons.values()) == sum(count for reason, count in reasons.items() if reason)
    builds = [job for job in plan.jobs if job.kind == "build" and job.labels[0].block == "kl"]
    assert {job.spec.quantizer for job in builds if isinstance(job.spec, BuildSpec)} == {"modelopt-torch"}
    provider = {job.provider for job in plan.jobs if job.labels[0].block == "speed_mmlu"}
    assert provider == {"dml"}, "said once, at the engine"


def test_the_bitsandbytes_sketch_belongs_to_other_boxes(sketches: Path, shipped: Catalogue) -> None:
    path = sketches / "bnb.sweep.yaml"
    plan = planned(path, shipped, {})
    speed = [job for job in plan.jobs if job.kind == "speed"]
    assert Counter(job.other_gpu for job in speed) == {"T4": 30, "RTX 4090": 30 + 16, "H100": 30 + 15 + 12}
    t4 = planned(path, shipped, {"bnb-0.44.1": Facts({}, "Linux", ("Tesla T4",))})
    here = {job.refused for job in t4.jobs if job.other_gpu is None}
    assert "optimum-benchmark is not installed in environment bnb-0.44.1; `harness setup --env bnb-0.44.1`" in here
    assert None not in here


def test_the_schema_in_the_repository_is_current(shipped: Catalogue) -> None:
    remedy = "run: python -m harness.plan.schema"
    assert (CONFIGS / "sweep.schema.json").read_text(encoding="utf-8") == text(shipped), remedy


def test_the_schema_takes_every_sweep_of_the_repository_and_refuses_slips(shipped: Catalogue) -> None:
    schema = sweep_schema(shipped)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted((CONFIGS / "sweeps").glob("*.yaml")):
        assert [error.message for error in validator.iter_errors(plain(read(path)))] == []
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first == "# yaml-language-server: $schema=../sweep.schema.json", path.name
    slips: list[dict[str, Any]] = [
        {"modle": "x"},
        {"probes": {"generation": {"bach": 1}}},
        {"model": []},
        {"engine": "ort"},
    ]
    for slip in slips:
        assert list(validator.iter_errors(slip)), slip


def golden() -> dict[str, str]:
    """Keys of fixed specs: what is pinned here must never change, or all history is orphaned."""
    build = BuildSpec(quantizer="q", version=1, options={"b": [1, 2.5], "a": "ä"}, model="m" * 64)
    based = BuildSpec(quantizer="q", version=2, model="m" * 64, base="b" * 64, contents={"calibration": "c" * 64})
    measure = MeasureSpec(probe="p", version=1, workload={"batch": 8}, engine="e", engine_version=1, artifact="a" * 64)
    compared = MeasureSpec(
        probe="p", version=1, engine="e", engine_version=3, engine_options={"provider": "cuda"}, artifact="a" * 64,
        reference="r" * 64, reference_engine='{"engine":"t"}', contents={"text": "t" * 64},
    )  # fmt: skip
    known = {"packages": {"x": "1+cpu"}, "provider": "cpu", "gpu": None}
    specs: dict[str, BuildSpec | MeasureSpec] = {
        "build": build, "build on a base": based, "measure": measure, "measure against a reference": compared,
    }  # fmt: skip
    keys = {name: spec_key(spec) for name, spec in specs.items()}
    keys["artifact"] = artifact_id(keys["build"], {"onnx": "1.21.0", "torch": "2.13.0+cpu"})
    keys["reference"] = reference_id(keys["measure"], known)
    return keys


def test_golden_keys_stay_what_they_are() -> None:
    assert golden() == json.loads(GOLDEN.read_text(encoding="utf-8"))


PAGE = {"fp16", "bf16", "nf4", "fp4", "nf4_dq", "int8", "int8_decomp"}
EXACT: dict[str, dict[str, Any]] = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "fp4": {"load_in_4bit": True},
    "nf4_dq": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "int8": {"load_in_8bit": True, "llm_int8_threshold": 0.0, "dtype": "float16"},
    "int8_decomp": {"load_in_8bit": True, "dtype": "float16"},
}
"""As the script of bitsandbytes' page quantizes, defaults left out (FP4, bfloat16, a threshold of 6.0)."""


@pytest.mark.parametrize(("sweep", "device"), [("bnb-cpu", "cpu"), ("bnb-cuda", "cuda")])
def test_every_setting_of_bitsandbytes_page_has_a_row_for_each_batch_and_protocol(
    sweep: str, device: str, shipped: Catalogue, tmp_path: Path
) -> None:
    said = yaml.safe_load((CONFIGS / "sweeps" / f"{sweep}.yaml").read_text("utf-8"))
    place, path = said["environment"], tmp_path / f"{sweep}.yaml"
    path.write_text(yaml.safe_dump({**said, "model": "reference", "rounds": 1}), "utf-8")  # a model that is here
    packages = {**BNB, "optimum-benchmark": "0.6.0", "transformers": "4.57.6"}
    facts = {place: Facts(packages, "Linux", ("NVIDIA H100",) if device == "cuda" else (), name=place)}
    plan = planned(path, shipped, facts)
    speed = [job for job in plan.jobs if job.kind == "speed"]
    rows = Counter(
        (job.labels[0].method, job.spec.workload.get("batch", 1), job.spec.workload["protocol"])
        for job in speed
        if isinstance(job.spec, MeasureSpec) and job.refused is None
    )
    protocols = ("bnb-2024-12", "bnb-2025-09")
    assert rows == Counter({(method, batch, name): 1 for method in PAGE for batch in (1, 8, 32) for name in protocols})
    assert {job.spec.engine_options.get("device", "cpu") for job in speed if isinstance(job.spec, MeasureSpec)} == {
        device
    }
    made = {job.labels[0].method: job.spec.options for job in plan.jobs if isinstance(job.spec, BuildSpec)}
    assert {method: made.get(method) for method in EXACT} == EXACT
    floats = {
        job.labels[0].method: job.spec.engine_options["dtype"]
        for job in speed
        if isinstance(job.spec, MeasureSpec) and job.labels[0].method in {"fp16", "bf16"}
    }
    assert floats == {"fp16": "float16", "bf16": "bfloat16"}


IMAGES = {"torch": "2.13.0+cpu", "transformers": "4.57.6", "diffusers": "0.39.0", "nvidia-modelopt": "0.47.0", "scikit-image": "0.26.0"}  # fmt: skip


def test_the_image_sweeps_run_where_their_torch_can_and_say_what_makes_such_a_place(shipped: Catalogue) -> None:
    facts = Facts(IMAGES, "Linux", name="diffusers")
    plan = planned(CONFIGS / "sweeps" / "diffusers-cpu.yaml", shipped, {"diffusers": facts})
    assert [job.refused for job in plan.jobs if job.refused] == []
    assert Counter(job.kind for job in plan.jobs) == {"build": 3, "speed": 4 * 3, "quality": 3}
    assert {job.spec.quantizer for job in plan.jobs if isinstance(job.spec, BuildSpec)} == {"random-weights", "modelopt-diffusers"}  # fmt: skip
    assert {job.labels[0].reference for job in plan.jobs if job.kind == "quality"} == {"fp32"}
    gpu = Facts(IMAGES, "Linux", ("NVIDIA H200",), 1 << 37, name="diffusers-cuda")
    refused = {
        job.refused for job in planned(CONFIGS / "sweeps" / "diffusers.yaml", shipped, {"diffusers-cuda": gpu}).jobs
    }
    assert refused >= {
        "device cuda needs a CUDA build of torch, and environment diffusers-cuda has 2.13.0+cpu; `harness setup --env diffusers-cuda`"
    }
