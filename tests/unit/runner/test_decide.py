"""When a quality result counts as known: for the same content, packages, provider and GPU, and for nothing less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from harness.core.spec import MeasureSpec
from harness.plan.expand import Plan, PlannedJob
from harness.runner.decide import decide
from harness.runner.known_jobs import KnownJobs
from harness.store.cache import CachedRun

SPEC = MeasureSpec(
    probe="perplexity", version=1, engine="ort-genai", engine_version=1, artifact="a" * 64, reference="r" * 64
)
JOB = PlannedJob(
    id="q-1", kind="quality", spec=SPEC, key="k" * 64, artifact=None, needs=(), inputs=(), environment="cuda", labels=(),
    provider="cuda", round=0, own_process=False, timeout_seconds=None, group="g",
    known_by={"packages": {"onnxruntime": "1.31.1", "lm-eval": "0.4.13"}, "provider": "cuda", "gpu": "H100"},
)  # fmt: skip
RUN = CachedRun(
    run="earlier", environment="cuda", packages={"onnxruntime": "1.31.1", "LM_Eval": "0.4.13", "rich": "15.0"},
    provider="cuda", gpu="H100", artifact_content="c1", inputs={"artifact": "c1", "reference": "c2"},
)  # fmt: skip


def verdict(*records: CachedRun, job: PlannedJob = JOB, rerun: frozenset[str] = frozenset()) -> tuple[str, str]:
    plan = Plan("s", (job,))
    memory = KnownJobs(opened=cast("Any", None), plan=plan, rerun=rerun, quality={job.key: list(records)})
    memory.made = {"a" * 64: "c1", "r" * 64: "c2"}
    return decide(job, memory)


def test_a_result_of_the_same_content_packages_provider_and_gpu_is_known() -> None:
    assert verdict(RUN) == ("known", "earlier")
    assert verdict(replace(RUN, packages={**RUN.packages, "rich": "16.0"})) == ("known", "earlier")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"inputs": {"artifact": "other", "reference": "c2"}}, "the artifact's content differs"),
        ({"inputs": {"reference": "c2"}}, "the artifact's content differs"),
        ({"inputs": {"artifact": "c1", "reference": "other"}}, "the reference's content differs"),
        ({"inputs": {"artifact": "c1"}}, "the reference's content differs"),
        ({"packages": {"onnxruntime": "1.30.0", "lm-eval": "0.4.13"}}, "onnxruntime was 1.30.0, is 1.31.1"),
        ({"packages": {"onnxruntime": "1.31.1"}}, "lm-eval was absent, is 0.4.13"),
        ({"provider": "cpu"}, "provider was cpu, is cuda"),
        ({"provider": None}, "provider was none, is cuda"),
        ({"gpu": "A100"}, "GPU was A100, is H100"),
        ({"gpu": None}, "GPU was none, is H100"),
    ],
)
def test_a_result_that_differs_in_anything_that_counts_is_measured_again(changed: dict[str, Any], why: str) -> None:
    assert verdict(replace(RUN, **changed)) == ("run", why)


def test_on_a_cpu_the_gpu_that_is_also_there_does_not_count() -> None:
    known_by = {**JOB.known_by, "provider": "cpu"}
    assert verdict(replace(RUN, provider="cpu", gpu="A100"), job=replace(JOB, known_by=known_by)) == (
        "known",
        "earlier",
    )


def test_an_older_result_that_fits_is_found_behind_a_newer_one_that_does_not() -> None:
    assert verdict(replace(RUN, run="newer", gpu="A100"), RUN) == ("known", "earlier")


def test_quality_is_measured_again_where_a_person_asks_for_it() -> None:
    assert verdict(RUN, rerun=frozenset({"quality"}))[0] == "run"
    assert verdict()[0] == "run"
