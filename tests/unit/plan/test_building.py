"""Artifacts: built, found ready, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spec import BuildSpec, MeasureSpec
from tests.unit.plan.conftest import Planner, model_folder
from tests.unit.plan.planned import LEAST, job_of, kinds


def test_random_weights_are_a_build_of_their_own(plan: Planner) -> None:
    made = plan(LEAST.replace("tiny", "random"))
    weights, export, _ = made.jobs
    assert isinstance(weights.spec, BuildSpec)
    assert weights.spec.quantizer == "random-weights"
    assert weights.inputs == ()
    assert isinstance(export.spec, BuildSpec)
    assert export.spec.model == weights.artifact
    assert export.needs == (weights.id,)
    direct = plan("model: random\nmethod: fp32\nengine: torch\nprobes: perplexity\n")
    assert direct.jobs[0].artifact == weights.artifact


def test_a_ready_artifact_is_hashed_and_measured_once_under_its_method(plan: Planner) -> None:
    made = plan(
        "model: ready\nmethod: [fp32, int4]\nengine: runtime\n"
        "probes: {perplexity: , compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    measured = job_of(made, "quality", "perplexity")
    assert isinstance(measured.spec, MeasureSpec)
    assert measured.inputs[0].content == measured.spec.artifact
    assert (measured.labels[0].model, measured.labels[0].method, measured.labels[0].recipe) == ("tiny", "awq", "ready")
    assert job_of(made, "build").labels[0].method == "fp32", "its reference is made of the model that it was made of"


def test_a_refused_build_refuses_its_dependants_with_the_same_reason_and_no_others(plan: Planner) -> None:
    made = plan(LEAST.replace("fp32", "[fp16, fp32]"))
    assert {job.labels[0].method: job.refused for job in made.jobs} == {"fp16": "no fp16 on cpu", "fp32": None}
    assert kinds(made) == {"build": 2, "quality": 2}


def test_a_missing_folder_is_an_error_at_its_entry_and_a_missing_download_a_refusal(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"models\.yaml:3: model 'nowhere': the folder .* does not exist"):
        plan(LEAST.replace("tiny", "nowhere"))
    made = plan(LEAST.replace("tiny", "on-hub"))
    remedy = "model 'on-hub' is not in the local hub cache: hf download nobody/nothing --revision abc123"
    assert {job.refused for job in made.jobs} == {remedy}


@pytest.mark.parametrize(
    ("name", "told"), [("config.json", "config"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")]
)
def test_a_model_folder_that_lacks_something_is_an_error_naming_it(
    name: str, told: str, plan: Planner, models: Path
) -> None:
    (models / "tiny" / name).unlink()
    with pytest.raises(ConfigError, match=rf"models\.yaml:1: model 'tiny': .* has no {told}"):
        plan(LEAST)


def test_a_downloaded_snapshot_is_found_by_its_revision(plan: Planner, tmp_path: Path) -> None:
    model_folder(tmp_path / "hub" / "models--nobody--nothing" / "snapshots" / "abc123")
    made = plan(LEAST.replace("tiny", "on-hub"))
    assert {job.refused for job in made.jobs} == {None}
    assert made.jobs[0].inputs[0].provenance["revision"] == "abc123"
