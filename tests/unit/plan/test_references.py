"""References: written down or beside, of another engine, how large they will be, and what they count with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.model_record import record_of
from harness.core.spec import MeasureSpec
from harness.engines.fake import ENGINE as FAKE
from harness.engines.ort_genai import ENGINE as GENAI
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.references import Candidate, is_stored, stored_bytes
from harness.plan.sweep import EngineChoice, ProbeWork
from harness.plan.yamlfile import Node
from harness.probes.kl_divergence import PROBE, Workload
from harness.texts import HUB_TEXTS
from tests.unit.plan.conftest import Planner, model_folder
from tests.unit.plan.planned import job_of, kinds

VOCABULARY, HIDDEN, TOKENS = 128_256, 4096, 100_000


def work(**given: Any) -> ProbeWork:
    record = Workload(**({"text": "wikitext-2", "tokens": TOKENS} | given))
    return ProbeWork(PROBE, {}, record, None, Node(None, "x.yaml", 1), {})


def reference(engine: Any = GENAI, **config: Any) -> Candidate:
    model = ArtifactRef("m", "hf", "source", "source", "big", record=record_of({"model_type": "llama", **config}))
    made = ArtifactRef("a", "ort-genai", "fp16", "fp16", "big", vocabulary=VOCABULARY, bases=(model,))
    choice = EngineChoice(engine, {}, engine.options(), Node(None, "x.yaml", 1))
    return Candidate(made, choice, choice, "cpu", None, "g")


def test_hidden_states_are_written_down_where_log_probabilities_would_not_be() -> None:
    positions = work().adapter.scored_tokens(work().record)
    assert positions is not None
    one = reference(hidden_size=HIDDEN)
    assert stored_bytes(one, work()) == 2 * positions * HIDDEN + 4 * HIDDEN * VOCABULARY
    assert stored_bytes(one, work(stores="float32")) == 4 * positions * HIDDEN + 4 * HIDDEN * VOCABULARY
    assert is_stored(one, work())
    assert not is_stored(one, work(stores="logprobs"))
    assert not is_stored(one, work(form="live"))


def test_a_whole_text_of_the_hub_is_written_down_though_it_is_not_here() -> None:
    one = reference(hidden_size=HIDDEN)
    whole = work(tokens=None)
    assert work().adapter.scored_tokens(whole.record) == HUB_TEXTS["wikitext-2"].most_bytes + 2
    assert is_stored(one, whole), "else the baseline runs again beside every candidate"
    assert not is_stored(one, work(tokens=None, text="cnn_dailymail"))
    assert not is_stored(reference(), whole)


@pytest.mark.parametrize("one", [reference(FAKE, hidden_size=HIDDEN), reference()], ids=["engine", "size not known"])
def test_without_hidden_states_a_large_reference_runs_live(one: Candidate) -> None:
    assert not is_stored(one, work())
    assert stored_bytes(one, work()) == 4 * (work().adapter.scored_tokens(work().record) or 0) * VOCABULARY


def test_a_reference_of_another_engine_comes_before_what_is_compared_with_it(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: awq\nengine: runtime\n"
        "probes: {compare: {tokens: 9, reference: [{method: fp32}, {method: fp32, engine: torch}]}}\n"
    )
    assert [job.kind for job in made.jobs] == ["build", "reference", "build", "reference", "quality", "quality"]
    assert len({job.group for job in made.jobs if job.kind == "quality"}) == 1


def test_a_small_reference_is_written_down_and_a_large_or_live_one_is_run_beside(plan: Planner) -> None:
    made = plan("comparison")
    references = [job for job in made.jobs if job.kind == "reference"]
    assert len(references) == 2, "one for each engine"
    assert all(isinstance(job.spec, MeasureSpec) and job.spec.workload == {"tokens": 100} for job in references)
    compared = [job for job in made.jobs if isinstance(job.spec, MeasureSpec) and job.spec.probe == "compare"]
    assert len(compared) == 2 * 2 * 2
    stored = [job for job in compared if job.inputs[1].engine is None]
    assert {job.inputs[1].id for job in stored} == {job.artifact for job in references}
    live = [job for job in compared if job.inputs[1].engine]
    same = [
        job.spec.reference_engine
        for job in live
        if isinstance(job.spec, MeasureSpec) and job.inputs[1].engine == "runtime"
    ]
    assert same == [None, None]
    assert {job.labels[0].reference for job in compared} == {"fp32", "fp32@torch"}
    assert {job.inputs[1].engine_options.get("dtype") for job in live} == {None}, "float32 is the default"


def test_auto_runs_a_reference_live_beyond_two_gibibytes(plan: Planner, models: Path) -> None:
    text = "model: tiny\nmethod: awq\nengine: runtime\nprobes: {compare: {tokens: 600000, reference: {method: fp32}}}\n"
    assert job_of(plan(text), "quality").inputs[1].engine == "runtime", "600,000 x 1,000 x 4 bytes"
    model_folder(models / "tiny", vocabulary=500)
    assert job_of(plan(text), "reference").needs


def test_a_live_reference_counts_with_its_packages_and_stays_in_one_environment(plan: Planner) -> None:
    text = """model: tiny
method: fp32
engine: runtime
environment: {runtime: cpu, torch: ENVIRONMENT, other: cpu}
probes: {compare: {tokens: 9, form: live, reference: {method: fp32, engine: torch}}}
"""
    together = job_of(plan(text.replace("ENVIRONMENT", "cpu")), "quality")
    assert together.refused is None
    assert together.known_by["packages"] == {"runtime": "1.0", "torch": "2.13.0"}
    apart = job_of(plan(text.replace("ENVIRONMENT", "new")), "quality")
    assert apart.refused == (
        "a live reference runs beside its candidate, in one environment, not in 'new' and 'cpu': say form: stored"
    )


def test_a_candidate_equal_to_its_reference_is_still_measured(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: fp32\nengine: runtime\nprobes: {compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    assert kinds(made) == {"build": 1, "reference": 1, "quality": 1}
