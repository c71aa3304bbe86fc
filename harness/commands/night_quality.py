"""What a night measures before its rounds: builds and quality, known ones from before; and quality once more where it got worse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from harness.commands.progress import Show
from harness.comparing.comparison import ComparedNumber
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.identity import canonical
from harness.core.spec import MeasureSpec
from harness.night.record import NightNumber
from harness.plan.expand import Plan, PlannedJob
from harness.published.sources import NumberSource
from harness.runner.live import work_of
from harness.runner.loop import execute
from harness.runner.night import called
from harness.runner.opened import OpenWorkspace
from harness.store.files import SESSIONS, read_session

RunByJob = dict[str, str]
"""Plan id to the run that answers it."""
WorkName = tuple[str, str, str]
"""What a job of quality measures, whatever the environment: first as people call it."""


@dataclass(frozen=True)
class QualityFound:
    """Numbers of builds and quality. unchanged: jobs that both sides share; lacking: what a side has no number of, and why."""

    numbers: list[ComparedNumber]
    unchanged: int
    lacking: list[tuple[str, str]]


def run_quality(plan: Plan, opened: OpenWorkspace, console: Console, again: Iterable[str] = ()) -> RunByJob:
    """Run all but rounds of speed; known results stay as they are, but for jobs (plan ids) that are to run again."""
    anew = frozenset(again)
    jobs = tuple(job for job in plan.jobs if job.kind != "speed")
    # All are chosen, so that nobody takes a session without rounds for the sweep's newest whole one.
    chosen = replace(plan, jobs=jobs, chosen=anew or frozenset(job.id for job in jobs))
    session = ""
    with Show(console, {}, jobs) as show:
        for event in execute(chosen, opened, frozenset({"quality"}) if anew else frozenset()):
            if event.what == "session":
                session = event.text.splitlines()[0]
            show.event(event)
    answered = read_session(opened.results / SESSIONS / f"{session}.json").jobs
    runs = {(one.kind, one.key, one.environment): one.run for one in answered if one.run}
    return {job.id: run for job in jobs if (run := runs.get((job.kind, job.key, job.environment)))}


def quality_numbers(
    plan: Plan, sides: tuple[str, str], runs: RunByJob, opened: OpenWorkspace, only: Iterable[str] | None = None
) -> QualityFound:
    """Compare the builds and the quality of two environments. only: of these jobs (plan ids)."""
    builds = {job.artifact: job for job in plan.jobs if job.kind == "build"}
    wanted = None if only is None else frozenset(only)
    lacking = _lacking(plan, sides, runs, opened)
    told = [(work[0], why) for work, why in lacking.items()]
    found: list[set[str]] = []
    for side in sides:
        measured = [job for job in plan.jobs if job.environment == side and job.kind in {"quality", "speed"}]
        made = [
            builds[job.spec.artifact]
            for job in measured
            if isinstance(job.spec, MeasureSpec) and job.spec.artifact in builds
        ]
        scored = [
            job for job in measured if job.kind == "quality" and not job.verifies and work_named(job) not in lacking
        ]
        found.append(
            {runs[job.id] for job in (*made, *scored) if job.id in runs and (wanted is None or job.id in wanted)}
        )
    shared = found[0] & found[1]
    if found[0] == found[1]:
        return QualityFound([], len(shared), told)
    source = NumberSource(opened.database)
    one, other = (
        side_where(side, source, {"run": sorted(some - shared)}) for side, some in zip(sides, found, strict=True)
    )
    return QualityFound(compared_sides(one, other)[0], len(shared), told)


def _lacking(plan: Plan, sides: tuple[str, str], runs: RunByJob, opened: OpenWorkspace) -> dict[WorkName, str]:
    """Say, by what was to be measured, why a side has no number of it: nothing of that may pass as unchanged, or as not asked for."""
    columns = ["run", "status", "reason"]
    bad = {run: (status, why) for run, status, why in opened.database.select({"run": sorted(set(runs.values())), "metric": None}, columns).rows}  # fmt: skip
    reasons: dict[WorkName, dict[str, str]] = {}
    for job in plan.jobs:
        if job.kind != "quality" or job.environment not in sides or job.verifies or job.other_gpu:
            continue
        status, why = bad.get(runs.get(job.id), ("", ""))
        if job.id not in runs:
            said = f"{job.environment} cannot measure it here: {job.refused or 'what it needs is not there'}"
        else:
            said = f"in {job.environment} it came to {status}: {why or 'no reason given'}" if status else ""
        there = reasons.setdefault(work_named(job), {})
        there[job.environment] = there.get(job.environment) or said
    found = {}
    refused = refused_by_both(plan, sides)
    for work, by_side in reasons.items():
        if work[0] in refused:
            continue
        both = [by_side.get(side, f"{side} does not measure it") for side in sides]
        if any(both):
            found[work] = "; ".join(filter(None, both))
    return found


def refused_by_both(plan: Plan, sides: tuple[str, str]) -> dict[str, str]:
    """Name what the plan refuses in either side, with a reason: it is told, and not missing, as of speed."""
    reasons: dict[str, dict[str, str | None]] = {}
    for job in plan.jobs:
        if job.kind == "quality" and job.environment in sides and not job.verifies and not job.other_gpu:
            there = reasons.setdefault(work_named(job)[0], {})
            there[job.environment] = job.refused and there.get(job.environment, job.refused)
    return {
        name: next(filter(None, said.values()), "")
        for name, said in reasons.items()
        if len(said) == len(sides) and all(said.values())
    }


def work_named(job: PlannedJob) -> WorkName:
    """Say what a job of quality measures, whatever the environment: first as people do."""
    assert isinstance(job.spec, MeasureSpec)
    return f"{called(job)} {job.spec.probe}", canonical(job.spec.engine_options), work_of(job)


def jobs_behind(plan: Plan, sides: tuple[str, str], worse: Sequence[NightNumber]) -> list[PlannedJob]:
    """List the jobs of quality of both sides that gave numbers."""
    asked = {
        (one.covers.get("model"), one.covers.get("method"), one.covers.get("engine"), one.covers.get("probe"))
        for one in worse
    }
    return [
        job
        for job in plan.jobs
        if job.kind == "quality" and job.environment in sides and isinstance(job.spec, MeasureSpec) and not job.verifies
        and any((label.model, label.method, job.spec.engine, job.spec.probe) in asked for label in job.labels)
    ]  # fmt: skip
