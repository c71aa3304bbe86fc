"""The order of jobs: rounds interleave, workloads share a process, versions stand side by side."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from harness.core.spec import MeasureSpec
from tests.unit.plan.conftest import Planner
from tests.unit.plan.planned import job_of, kinds


def test_nothing_comes_before_what_it_needs_and_candidates_are_finished_one_by_one(plan: Planner) -> None:
    made = plan("model: [tiny, other]\nmethod: [fp32, awq]\nengine: runtime\nprobes: {perplexity: {tokens: [1, 2]}}\n")
    place = {job.id: number for number, job in enumerate(made.jobs)}
    assert all(place[need] < place[job.id] for job in made.jobs for need in job.needs)
    artifacts = [job.spec.artifact for job in made.jobs if isinstance(job.spec, MeasureSpec)]
    changes = sum(before != after for before, after in itertools.pairwise(artifacts))
    assert changes == len(set(artifacts)) - 1


def test_rounds_repeat_speed_jobs_alone_and_interleave_the_candidates(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: [fp32, awq]\nengine: runtime\nprobes: [speed, perplexity]\nrounds: 3\n")
    speed = [(job.round, job.labels[0].method) for job in made.jobs if job.kind == "speed"]
    assert [number for number, _ in speed] == [0, 0, 1, 1, 2, 2]
    assert all({method for number, method in speed if number == each} == {"fp32", "awq"} for each in range(3))
    assert [job.kind for job in made.jobs].index("speed") == len(made.jobs) - len(speed), (
        "nothing is built between rounds"
    )
    assert kinds(made)["quality"] == 2
    assert len({job.key for job in made.jobs if job.kind == "speed"}) == 2, "a round is no part of the key"


def test_candidates_take_turns_in_an_order_that_is_drawn_and_every_second_round_runs_backwards(plan: Planner) -> None:
    threads = list(range(1, 9))
    text = f"model: tiny\nmethod: fp32\nengine: {{runtime: {{threads: {threads}}}}}\nprobes: speed\nrounds: 20\n"
    made = plan(text)
    orders = [
        [job.spec.engine_options.get("threads", 0) for job in made.jobs if job.kind == "speed" and job.round == each]
        for each in range(20)
    ]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert all(later == earlier[::-1] for earlier, later in zip(orders[::2], orders[1::2], strict=True))
    assert len({tuple(order) for order in orders[::2]}) == 10, "every two rounds are drawn anew"
    assert [job.id for job in plan(text).jobs] == [job.id for job in made.jobs], "the same plan has the same order"


def test_versions_of_a_library_stand_side_by_side_in_each_round(plan: Planner) -> None:
    text = "model: [tiny, other]\nmethod: [fp32, awq]\nengine: runtime\nenvironment: [cpu, new]\nprobes: {speed: {batch: [1, 4]}}\nrounds: 8\n"
    speed = [job for job in plan(text).jobs if job.kind == "speed"]
    groups = [next(jobs) for _, jobs in itertools.groupby(speed, lambda job: job.group)]
    pairs = list(zip(groups[::2], groups[1::2], strict=True))
    assert len(pairs) == 4 * 8
    for one, other in pairs:
        assert (one.labels[0].model, one.labels[0].method, one.round) == (
            other.labels[0].model, other.labels[0].method, other.round,
        )  # fmt: skip
        assert {one.environment, other.environment} == {"cpu", "new"}
    for early, late in zip(groups[:8], groups[8:16][::-1], strict=True):
        assert (early.group.partition("#")[0], early.round, late.round) == (late.group.partition("#")[0], 0, 1)
    assert {one.environment for one, _ in pairs} == {"cpu", "new"}, "neither always comes first"


def test_the_workloads_of_an_artifact_share_one_process_in_each_round_smallest_first(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: [fp32, awq]\nengine: runtime\n"
        "probes: {speed: {batch: [4, 1], prompt: [100, 7]}, perplexity: }\nrounds: 2\n"
    )
    speed = [job for job in made.jobs if job.kind == "speed"]
    groups = [
        (name, [job.spec.workload for job in jobs]) for name, jobs in itertools.groupby(speed, lambda job: job.group)
    ]
    assert len(groups) == len({name for name, _ in groups}) == 4, "one for each of two methods and two rounds"
    works = [{"prompt": 7}, {"prompt": 100}, {"batch": 4, "prompt": 7}, {"batch": 4, "prompt": 100}]
    sizes = [[_size(work) for work in found] for _, found in groups]
    assert all(found == sorted(found) and len(found) == len(works) for found in sizes)
    assert not {job.group for job in made.jobs if job.kind == "quality"} & {name for name, _ in groups}


def _size(work: dict[str, Any]) -> int:
    return int(work.get("batch", 1)) * int(work.get("prompt", 128))


def test_what_cannot_run_is_planned_once_whatever_the_rounds(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: fp32\nengine: runtime\nenvironment: absent\nprobes: speed\nrounds: 5\n")
    assert kinds(made)["speed"] == 1


def test_quality_of_one_artifact_shares_a_worker_and_speed_has_its_own(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: fp32\nengine: runtime\n"
        "probes: {speed: {batch: [1, 2]}, perplexity: {tokens: [1, 2]}, compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    assert len({job.group for job in made.jobs if job.kind in {"quality", "reference"}}) == 1
    assert len({job.group for job in made.jobs if job.kind == "speed"}) == 1
    assert len({job.group for job in made.jobs}) == 3, "a build is alone"
    assert [job.kind for job in made.jobs] == ["build", "reference", "quality", "quality", "quality", "speed", "speed"]
    assert [job.spec.probe for job in made.jobs if isinstance(job.spec, MeasureSpec)][1] == "compare", (
        "before perplexity"
    )


def test_equal_jobs_become_one_that_knows_all_its_places(plan: Planner) -> None:
    made = plan(
        "model: tiny\nengine: runtime\nprobes: perplexity\nblocks:\n  a: {method: fp32}\n  b: {method: [fp32, awq]}\n"
    )
    assert kinds(made) == {"build": 2, "quality": 2}
    assert [labels.block for labels in job_of(made, "quality", method="fp32").labels] == ["a", "b"]


@pytest.mark.parametrize("methods", ["[fp32, awq]", "[awq, fp32]"])
@pytest.mark.parametrize("form", ["auto", "live"])
@pytest.mark.parametrize(
    "probes",
    [
        "probes: {perplexity: {tokens: 9}, compare: {tokens: 9, form: FORM, reference: {method: fp32}}}",
        "probes: {compare: {tokens: 9, form: FORM, reference: {method: fp32}}, perplexity: {tokens: 9}}",
        (
            "blocks:\n  a: {probes: {perplexity: {tokens: 9}}}\n"
            "  b: {probes: {compare: {tokens: 9, form: FORM, reference: {method: fp32}}}}"
        ),
    ],
    ids=["perplexity first", "comparison first", "blocks"],
)
def test_what_scores_a_text_follows_the_comparison_whose_pass_it_takes(
    plan: Planner, probes: str, form: str, methods: str
) -> None:
    made = plan(f"model: tiny\nmethod: {methods}\nengine: runtime\n{probes.replace('FORM', form)}\n")
    quality = [job for job in made.jobs if job.kind == "quality"]
    said = [(job.labels[0].method, job.spec.probe) for job in quality if isinstance(job.spec, MeasureSpec)]
    assert [probe for _, probe in said] == ["compare", "perplexity"] * 2, said
    assert [method for method, _ in said[::2]] == [method for method, _ in said[1::2]]
    assert [job.group for job in quality[::2]] == [job.group for job in quality[1::2]], "one opened session serves both"
