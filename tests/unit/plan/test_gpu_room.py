"""A GPU that is too small for an artifact's weights is told while planning, and one that may do is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.model_record import record_of
from harness.core.seam import Facts
from harness.engines import tensorrt_llm, transformers
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.gpu_room import too_small
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
