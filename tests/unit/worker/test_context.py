"""What a measurement is given beside its session: its inputs by role, and where its finished groups outlive it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.outcome import Environment, Gpu
from harness.core.seam import Context
from harness.core.spec import Input, Job, MeasureSpec
from harness.worker.context import MADE_FROM, context_of, forget
from harness.worker.inputs import partial_of
from tests.unit.store.outcomes import environment

SPEC = MeasureSpec(probe="kl_divergence", version=1, engine="fake", engine_version=1, artifact="b-1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def given(role: Any = "artifact", **facts: Any) -> Input:
    return Input(**({"role": role, "id": f"{role}-1", "path": f"/place/{role}", "content": "c0ffee"} | facts))


def job(*inputs: Input, **facts: Any) -> Job:
    named = inputs if any(one.role == "artifact" for one in inputs) else (given(), *inputs)
    held: dict[str, Any] = {
        "run": "20260101T000000-s",
        "kind": "quality",
        "key": "k",
        "spec": SPEC,
        "environment": "cpu",
    }
    return Job(**(held | {"inputs": named} | facts))


def context(made: Job, found: tuple[Input, ...] | None = None, place: Environment | None = None) -> Context:
    return context_of(made, Path("/run"), made.inputs if found is None else found, place or environment())


def test_a_measurement_alone_has_its_artifact_and_nothing_else() -> None:
    made = context(job(output="hash of tokens"))
    assert (made.folder, made.artifact, made.artifact_id) == (Path("/run"), Path("/place/artifact"), "artifact-1")
    assert (made.reference, made.reference_revision, made.native, made.out) == (None, "", None, None)
    assert (made.trained_positions, made.engine_floor) == (None, None)
    assert made.expected_output == "hash of tokens"
    assert made.fresh is not None


def test_a_stored_reference_is_its_folder_and_a_live_one_is_not() -> None:
    stored = given("reference", provenance={MADE_FROM: "b-9"})
    live = given("reference", engine="fake", path="/place/live", provenance={MADE_FROM: "b-8"})
    assert context(job(live)).reference is None
    made = context(job(live, stored, given("native")))
    assert (made.reference, made.reference_revision) == (Path("/place/reference"), "b-9")
    assert made.native == Path("/place/native")
    assert context(job(given("reference"))).reference_revision == ""


def test_launches_are_of_a_live_reference_where_there_is_one_else_of_the_artifact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "harness.worker.context.scorer", lambda path, spec: asked.append((path, spec.engine, dict(spec.engine_options)))
    )
    live = given("reference", engine="transformers", engine_options={"dtype": "float16"}, path="/place/live")
    context(job(live))
    context(job(given("reference")))
    assert asked == [("/place/live", "transformers", {"dtype": "float16"}), ("/place/artifact", "fake", {})]


def test_trained_positions_are_those_that_the_artifact_says() -> None:
    assert context(job(given(provenance={"trained_positions": "2048"}))).trained_positions == 2048


def test_of_several_floors_of_engines_the_largest_counts() -> None:
    inputs = [
        given(role, provenance={"engine_floor": floor}) for role, floor in (("artifact", "9e-4"), ("reference", "1e-3"))
    ]
    assert context(job(*inputs)).engine_floor == 1e-3
    assert context(job(inputs[0], given("reference"))).engine_floor == 9e-4


def test_a_reference_job_fills_a_folder_of_its_own() -> None:
    made = job(kind="reference", out="/results/artifacts/r-1")
    assert context(made).out == partial_of(made)
    assert context(made).out != Path("/results/artifacts/r-1")


@pytest.mark.parametrize("kind", ["quality", "reference"])
def test_groups_outlive_a_job_under_what_decides_their_numbers(cache: Path, kind: str) -> None:
    made = job(kind=kind)
    place = context(made).resume
    assert place is not None
    assert place.parent == cache / "groups"
    again = job(kind=kind, run="20270101T000000-s", session="another", key="another")
    moved = tuple(one.model_copy(update={"path": "/elsewhere"}) for one in made.inputs)
    assert context(again, moved).resume == place


@pytest.mark.parametrize(
    "change",
    [
        {"made": job(spec=SPEC.model_copy(update={"workload": {"window": 64}}))},
        {"made": job(spec=SPEC.model_copy(update={"engine_options": {"threads": 1}}))},
        {"found": (given(content="decaf"),)},
        {"found": (given(id="artifact-2"),)},
        {"found": (given(), given("reference", engine="fake", engine_options={"dtype": "float16"}))},
        {"place": environment(torch="2.13.0")},
        {"place": environment().model_copy(update={"harness": "0.2.0"})},
        {"place": environment().model_copy(update={"cpu": "Another CPU"})},
        {"place": environment(gpus=(Gpu(name="Example GPU", driver="1.0"),)).model_copy(update={"cuda": None})},
        {"place": environment().model_copy(update={"threads": {"OMP_NUM_THREADS": "1"}})},
    ],
    ids=[
        "workload",
        "engine options",
        "content",
        "artifact",
        "reference",
        "packages",
        "harness",
        "processor",
        "gpu",
        "threads",
    ],
)
def test_groups_of_something_else_are_never_taken_up(change: dict[str, Any]) -> None:
    assert context(**({"made": job()} | change)).resume != context(job()).resume


def test_groups_that_other_code_of_the_same_version_measured_are_never_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = context(job()).resume
    monkeypatch.setattr("harness.worker.context.code_digest", lambda: "edited")
    assert context(job()).resume != place


def test_where_times_are_measured_nothing_is_taken_up_again() -> None:
    assert context(job(kind="speed")).resume is None


def test_groups_of_a_finished_measurement_go(tmp_path: Path) -> None:
    folder = tmp_path / "groups"
    folder.mkdir()
    (folder / "0.npz").write_bytes(b"x")
    forget(folder)
    assert not folder.exists()
    forget(folder)
    forget(None)
