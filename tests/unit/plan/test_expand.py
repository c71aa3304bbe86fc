"""A sweep becomes jobs: every list is an axis."""

from __future__ import annotations

import time

import pytest

from harness.core.errors import ConfigError
from harness.core.seam import Facts
from harness.core.spec import MeasureSpec
from tests.fake_machine import Bench
from tests.unit.plan.conftest import HERE, Planner
from tests.unit.plan.planned import LEAST, kinds


def test_the_smallest_sweep_builds_once_and_measures_once(plan: Planner) -> None:
    build, measure = plan("smallest").jobs
    assert (build.kind, measure.kind) == ("build", "quality")
    assert isinstance(measure.spec, MeasureSpec)
    assert measure.spec.artifact == build.artifact
    assert measure.needs == (build.id,)
    assert build.inputs[0].role == "model"
    assert build.inputs[0].content == build.inputs[0].id
    assert measure.inputs[0].path == "", "what another job makes has no path yet"
    assert build.labels[0].model_dump() == {
        "sweep": "smallest", "block": "", "model": "tiny", "method": "fp32", "recipe": "export", "reference": "",
    }  # fmt: skip


def test_every_list_is_an_axis_and_skip_leaves_out(plan: Planner) -> None:
    made = plan("axes")
    # tiny fp32 and awq, random fp32: each in 2 environments x 2 thread counts x 4 workloads; builds serve both environments
    assert kinds(made) == {"speed": 3 * 2 * 2 * 4, "build": 2 + 2}
    assert len({job.id for job in made.jobs}) == len(made.jobs)


def test_building_and_measuring_may_stand_in_different_environments(plan: Planner) -> None:
    made = plan("places")
    assert {job.environment for job in made.jobs if job.kind == "build"} == {"cpu"}
    speed = {job.environment: job.refused for job in made.jobs if job.kind == "speed"}
    assert speed == {"new": None, "absent": "environment 'absent' is not on this machine: harness setup --env absent"}


def test_an_adapter_without_environment_is_told_with_its_line(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:4: 'environment' has no entry for 'export'"):
        plan("model: tiny\nmethod: fp32\nengine: runtime\nenvironment: {runtime: cpu}\nprobes: speed\n")


def test_a_case_of_another_box_is_listed_and_not_refused(plan: Planner) -> None:
    made = plan(LEAST + "on: {gpu: T4}\n")
    assert {(job.other_gpu, job.refused) for job in made.jobs} == {("T4", None)}
    here = {"cpu": Facts(HERE.packages, "Linux", ("Tesla T4",))}
    assert {job.other_gpu for job in plan(LEAST + "on: {gpu: T4}\n", here).jobs} == {None}
    larger = {"cpu": Facts(HERE.packages, "Linux", ("NVIDIA T400",))}
    assert {job.other_gpu for job in plan(LEAST + "on: {gpu: T4}\n", larger).jobs} == {"T4"}


def test_a_text_that_is_missing_is_an_error_of_the_plan(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:5: no text 'gone\.txt'"):
        plan("model: tiny\nmethod: fp32\nengine: runtime\nprobes:\n  perplexity: {text: gone.txt}\n")


def test_a_sweep_that_skips_everything_is_an_error(plan: Planner) -> None:
    with pytest.raises(ConfigError, match="'skip' skips every job"):
        plan(LEAST + "skip: {model: tiny}\n")


@pytest.mark.alone
def test_ten_thousand_jobs_are_planned_in_seconds(plan: Planner) -> None:
    batches, prompts = list(range(1, 26)), list(range(1, 101))
    text = (
        "model: [tiny, random]\nmethod: [fp32, awq]\nengine: runtime\n"
        f"probes: {{speed: {{batch: {batches}, prompt: {prompts}}}}}\n"
    )
    many = {f"package-{number}": "1.0" for number in range(200)}
    environments = {"cpu": Facts({**HERE.packages, **many}, "Linux")}
    seconds = []
    for _ in range(2):
        begun = time.process_time()
        made = plan(text, environments)
        seconds.append(time.process_time() - begun)  # of this process alone: other work on the machine does not count
    assert kinds(made)["speed"] == 10_000
    assert min(seconds) < 4, "0.5 on a quick machine"


def test_a_sweep_of_too_many_jobs_is_refused_with_its_file_and_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.core import limits

    bench.sweep(method=["fp32", "int8"])
    monkeypatch.setattr(limits, "JOBS", 3)
    with pytest.raises(ConfigError, match=r"s\.yaml:\d+: this sweep has more than 3 jobs"):
        bench.run()
