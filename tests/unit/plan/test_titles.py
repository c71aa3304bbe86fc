"""What people see of jobs: any two that differ are told apart, and nothing is said that does not."""

from __future__ import annotations

from harness.plan.titles import titles
from tests.unit.plan.conftest import Planner


def test_a_job_that_stands_alone_is_named_by_model_method_and_probe(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: fp32\nengine: runtime\nprobes: [speed, perplexity]\n")
    assert sorted(titles(made.jobs).values()) == [
        "tiny fp32 build", "tiny fp32 perplexity on runtime", "tiny fp32 speed on runtime",
    ]  # fmt: skip


def test_workloads_environments_and_engine_options_are_said_where_they_differ_defaults_included(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: fp32\nengine: {runtime: {threads: [1, 2]}}\nenvironment: [cpu, new]\n"
        "probes: {speed: {batch: [1, 8], prompt: [16]}}\n"
    )
    found = titles(made.jobs)
    assert len(set(found.values())) == len(made.jobs)
    assert "tiny fp32 speed on runtime, batch 1, threads 2, in new" in found.values()
    assert not any("prompt" in name for name in found.values()), "what all have in common is not said"


def test_every_list_of_a_sweep_gives_jobs_that_can_be_told_apart(plan: Planner) -> None:
    for sweep in ("axes", "blocks", "comparison", "places"):
        made = plan(sweep)
        found = titles(made.jobs)
        assert len(set(found.values())) == len(made.jobs) == len(found), sweep


def test_rounds_say_how_many_there_are(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: fp32\nengine: runtime\nprobes: {speed: {batch: [1, 2]}}\nrounds: 3\n")
    assert [name for name in titles(made.jobs).values() if "batch 2" in name] == [
        f"tiny fp32 speed on runtime, batch 2, round {number} of 3" for number in (1, 2, 3)
    ]


def test_recipes_and_options_of_builds_tell_them_apart(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: [{int4: export}, {int4: calibrated}]\nengine: runtime\nprobes: perplexity\n")
    found = titles(made.jobs)
    assert len(set(found.values())) == len(made.jobs)
    assert any("by calibrated" in name for name in found.values())
