"""What a plan says of a first run: marked as arithmetic, for each machine, and near what runs really took."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
import yaml

from harness.commands import first_run
from harness.commands.machine import plan_sweep
from harness.commands.workspace import Workspace
from harness.core.spec import BuildSpec
from harness.plan import arithmetic
from harness.plan.expand import PlannedJob
from tests.conftest import ROOT
from tests.fake_machine import Bench, Say


def group(job: PlannedJob) -> tuple[str, str]:
    return job.kind, "" if isinstance(job.spec, BuildSpec) else job.spec.probe


def took(sweep: str) -> dict[tuple[str, str], float]:
    """Seconds of the published runs of a sweep, measured on two cores, by kind and probe."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    text = (ROOT / "results" / "published" / f"{sweep}.yaml").read_text("utf-8")
    for run in yaml.load(text, Loader=yaml.CSafeLoader)["runs"]:
        job = run["job"]
        found[job["kind"], job["spec"].get("probe", "")] += run["outcome"]["seconds"]
    return found


@pytest.mark.parametrize("sweep", ["quickstart", "smollm2"])
def test_arithmetic_lies_within_a_factor_of_three_of_what_published_runs_took(
    sweep: str, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_run, "cores", lambda: 2)
    planned = plan_sweep(sweep, home)
    reckoned: dict[tuple[str, str], float] = defaultdict(float)
    estimates = first_run.estimate_first_run(planned)
    for job in planned.plan.jobs:
        reckoned[group(job)] += estimates[job.id].seconds
    real = took(sweep)
    for one in (("build", ""), ("speed", "generation"), ("quality", "kl_divergence")):
        assert real[one] / 3 < reckoned[one] < real[one] * 3, one
    assert sum(real.values()) / 3 < sum(reckoned.values()) < sum(real.values()) * 3


@pytest.mark.parametrize("sweep", ["gpu-smollm2", pytest.param("gpu-reference", marks=pytest.mark.slow)])
def test_arithmetic_for_an_h200_lies_within_a_factor_of_three_of_what_it_took(
    sweep: str, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "ASSUMED", "H200")
    monkeypatch.setattr(first_run, "cores", lambda: 16)
    estimates = first_run.estimate_first_run(plan_sweep(sweep, home))
    assert (
        sum(took(sweep).values()) / 3 < sum(one.seconds for one in estimates.values()) < sum(took(sweep).values()) * 3
    )


def test_seconds_per_token_of_dense_models_lie_within_a_factor_of_two_and_a_half_of_those_published(
    home: Workspace,
) -> None:
    """On a T4, an RTX 4090 and an H100: 21 rows of the page of bitsandbytes."""
    planned, held = plan_sweep("bnb", home), 0
    published = yaml.load((ROOT / "results/published/bnb.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)["blocks"]
    theirs = {
        (
            block["model"],
            next(machine for machine in ("T4", "RTX 4090", "H100") if machine in block["gpu"]),
            row[1],
            row[0],
        ): row[3]
        for block in published
        for row in block["rows"]
    }
    for job in planned.plan.jobs:
        if job.kind != "speed" or isinstance(job.spec, BuildSpec) or job.labels[0].method not in {"bf16", "fp16"}:
            continue
        batch = job.spec.workload.get("batch", 1)
        real = theirs[job.labels[0].model, str(job.other_gpu), job.labels[0].method, batch]
        work = arithmetic.generating(first_run._opened(job, planned), batch, 64, 100, 1)
        seconds = work.seconds(first_run._machine(job, planned)) / 99
        assert real / 2.5 < seconds < real * 2.5, job.labels
        held += 1
    assert held == 21


@pytest.mark.parametrize("sweep", ["modelopt_windows", "modelopt_h100", "modelopt_h200", "bnb"])
def test_every_job_of_a_published_page_has_an_estimate_where_nothing_of_it_can_run(sweep: str, home: Workspace) -> None:
    planned = plan_sweep(sweep, home)
    estimates = first_run.estimate_first_run(planned)
    asked = [job for job in planned.plan.jobs if not isinstance(job.spec, BuildSpec)]
    unknown = {job.id for job in asked if job.spec.probe == "command"}  # what a program asks of its tasks only it knows
    told = {job.id for job in planned.plan.jobs} - unknown
    assert told == estimates.keys()
    assert all(job.refused or job.other_gpu for job in planned.plan.jobs), "this machine has no GPU"
    lines = list(first_run.first_run_told(planned, estimates))
    assert all(" by arithmetic; no history, " in line for line in lines)
    machines = {job.other_gpu for job in planned.plan.jobs}
    assert all(any(f"first run on {machine}: ~" in line for line in lines) for machine in machines if machine)
    if sweep == "modelopt_windows":
        assert any("first run on RTX 4090 (assumed: no GPU here whose rates are known): ~" in line for line in lines)
        assert sum("to download" in line for line in lines) == 1, "each model once"


def test_rounds_that_are_not_planned_here_count(home: Workspace) -> None:
    planned = plan_sweep("modelopt_h200", home)
    (job, *_) = [one for one in planned.plan.jobs if one.kind == "speed" and one.labels[0].block == "speed"]
    assert job.rounds == 3
    seconds = first_run.estimate_first_run(planned)[job.id].seconds
    assert seconds > 3 * job.opened_bytes / 0.5e9


@pytest.mark.parametrize(("seconds", "said"), [(45.2, "45 s"), (700, "12 min"), (11_520, "3.2 h")])
def test_durations_are_said_in_their_unit(seconds: float, said: str) -> None:
    assert first_run.in_words(seconds) == said


def test_a_plan_marks_what_is_arithmetic(bench: Bench, say: Say) -> None:
    bench.sweep(method="fp32", probes={"perplexity": {"tokens": 50, "window": 16, "stride": 16}})
    before = say(bench, "plan", "s").out
    assert "by arithmetic; no history" in before
    rows: list[dict[str, Any]] = json.loads(say(bench, "plan", "s", "--json").out)["jobs"]
    assert {row["seconds"] for row in rows} == {None}
    assert all(row["seconds_by_arithmetic"] > 0 for row in rows)


@pytest.mark.slow
def test_what_has_a_history_is_not_reckoned(bench: Bench, say: Say) -> None:
    bench.sweep(method="fp32", probes={"perplexity": {"tokens": 50, "window": 16, "stride": 16}})
    bench.run()
    after = say(bench, "plan", "s").out
    assert "by arithmetic" not in after
    assert "~" not in after
