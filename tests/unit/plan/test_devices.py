"""What is calibrated on a GPU is another artifact on another GPU; what is not, is the same everywhere."""

from __future__ import annotations

import pytest

from harness.core.seam import Facts
from tests.unit.plan.conftest import HERE, Planner

SWEEP = "model: tiny\nmethod: {method}\nengine: {{runtime: {{provider: {provider}}}}}\nenvironment: cpu\nprobes: {{speed: }}\n"


def artifacts(plan: Planner, method: str, provider: str, gpu: str) -> list[str | None]:
    facts = Facts(HERE.packages, "Linux", (gpu,))
    made = plan(SWEEP.format(method=method, provider=provider), {"cpu": facts})
    return [job.artifact for job in made.jobs if job.kind == "build"]


@pytest.mark.parametrize(
    ("method", "provider", "same"),
    [("awq", "cuda", [True, False]), ("awq", "cpu", [True, True]), ("fp16", "cuda", [True]),
     ("{rtn: calibrated}", "cuda", [True, True])],
)  # fmt: skip
def test_a_calibration_on_a_gpu_puts_its_model_into_the_artifacts_id(
    plan: Planner, method: str, provider: str, same: list[bool]
) -> None:
    one, other = (artifacts(plan, method, provider, gpu) for gpu in ("NVIDIA T4", "NVIDIA H100"))
    assert [left == right for left, right in zip(one, other, strict=True)] == same
    assert one == artifacts(plan, method, provider, "NVIDIA T4")
