"""Some jobs of a plan, by what they are called and do, with all that they need: `--only`, `--probe`, `--failed`, `--round`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from harness.core.errors import HarnessError
from harness.core.spec import BuildSpec, Kind
from harness.plan.expand import Plan, PlannedJob
from harness.store.where import ConditionValue, shown, values_told
from harness.store.workload import workload_columns

LABELS = ("model", "method", "recipe", "reference", "block")
WORKLOAD = ("batch", "prompt", "output", "depth", "concurrency", "request_rate", "shots", "limit", "window", "stride", "text", "task", "tokens")  # fmt: skip
DIMENSIONS = (*LABELS, "kind", "probe", "quantizer", "engine", "environment", "provider", *WORKLOAD)
"""What `--only` can name of a planned job, as tables call it."""
MEASURES = frozenset({"quality", "speed"})


@dataclass(frozen=True)
class JobChoice:
    """What a command chooses of a sweep's jobs; nothing: all of them."""

    only: Mapping[str, Sequence[ConditionValue]] = field(default_factory=dict)
    """Dimension to values, any of which will do."""
    round: int | None = None
    """Of speed, this round alone, counted from 0."""
    failed: bool = False
    """What came to no good end at its last attempt."""
    kinds: frozenset[str] = frozenset()
    """Kinds of `--rerun`."""

    @property
    def chooses(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.only or self.round is not None or self.failed or "speed" in self.kinds)


EVERYTHING = JobChoice()


def choose(plan: Plan, choice: JobChoice, failed: Collection[tuple[str, str]] = ()) -> Plan:
    """Narrow a plan to what is chosen and what that needs; the whole plan where nothing is.

    failed: key and environment of jobs whose last attempt came to no good end. A speed job is chosen with all of its
    rounds, unless one is named: rounds of two sessions have no common mean.
    Raises: HarnessError where nothing is chosen, with the values that there are.
    """
    if not choice.chooses:
        return plan
    there = {job.id: _dimensions(job) for job in plan.jobs}
    measured = choice.kinds & MEASURES
    wanted = {
        job.id
        for job in plan.jobs
        if _fits(there[job.id], choice.only)
        and not (measured and job.kind not in measured)
        and (choice.round is None or (job.kind == "speed" and job.round == choice.round))
        and (not choice.failed or (job.key, job.environment) in failed)
    }
    if not wanted:
        raise HarnessError(_nothing(plan, choice, list(there.values())))
    kept = with_needs(plan, wanted)
    # What an artifact is made by has no probe or batch: of what the chosen jobs need, it is chosen by what it has.
    made = {job.id for job in plan.jobs if job.id in kept and job.kind in choice.kinds - MEASURES and _fits(there[job.id], choice.only, lacking=True)}  # fmt: skip
    rerun = tuple(dict.fromkeys((*plan.rerun, *(cast("Kind", kind) for kind in sorted(choice.kinds)))))
    jobs = tuple(job for job in plan.jobs if job.id in kept)
    return replace(plan, jobs=jobs, chosen=frozenset(wanted | made), rerun=rerun)


def told(plan: Plan, whole: Plan) -> list[str]:
    """Say what was chosen, and what that means for the numbers."""
    if plan.chosen is None:
        return []
    lines = [
        f"chosen: {len(plan.chosen)} of {len(whole.jobs)} jobs, and {len(plan.jobs) - len(plan.chosen)} that they need"
    ]
    speed = [job for job in plan.jobs if job.kind == "speed"]
    if speed:
        lines.append(
            "their speed is a session of its own: ratios to rows of other sessions are marked so and have no interval"
        )
    cut = {
        (job.key, job.environment)
        for job in whole.jobs
        if job.kind == "speed" and job.id not in {one.id for one in speed}
    }
    if any((job.key, job.environment) in cut for job in speed):
        lines.append("one round alone has no interval; without --round all rounds are measured")
    return lines


def with_needs(plan: Plan, wanted: Iterable[str]) -> set[str]:
    """Return the plan ids of jobs and of all that they need."""
    jobs = {job.id: job for job in plan.jobs}
    found, waiting = set[str](), list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found and name in jobs:
            found.add(name)
            waiting += [*jobs[name].needs, *([check] if (check := jobs[name].check) else [])]
    return found


def _dimensions(job: PlannedJob) -> Mapping[str, frozenset[Any]]:
    """Return what a job is called and does, as tables call it; a job of several places in a sweep has several names."""
    found: dict[str, set[Any]] = {name: {getattr(one, name) for one in job.labels} - {""} for name in LABELS}
    found |= {"kind": {job.kind}, "environment": {job.environment}}
    if isinstance(job.spec, BuildSpec):
        found["quantizer"] = {job.spec.quantizer}
    else:
        found |= {"probe": {job.spec.probe}, "engine": {job.spec.engine}, "provider": {job.provider}}
        columns = workload_columns(job.spec)
        found |= {name: {columns[name]} for name in WORKLOAD}
    return {name: frozenset(values - {None}) for name, values in found.items() if values - {None}}


def _fits(there: Mapping[str, frozenset[Any]], only: Mapping[str, Sequence[Any]], *, lacking: bool = False) -> bool:
    """Tell whether a job has what is asked for; `lacking`: what it has no such dimension of is no matter."""
    return all(
        (lacking and name not in there)
        or bool(there.get(name, frozenset()) & set(values))
        or (None in values and name not in there)
        for name, values in only.items()
    )


def _nothing(plan: Plan, choice: JobChoice, jobs: Sequence[Mapping[str, frozenset[Any]]]) -> str:
    """Say why nothing is chosen, and what there is to choose from."""
    if choice.only and any(_fits(job, choice.only) for job in jobs):
        what = " and ".join(_asked(choice))
        return f"nothing of sweep {plan.sweep} that fits --only {what}"
    if not choice.only:
        rounds = max((job.rounds for job in plan.jobs if job.kind == "speed"), default=0)
        more = f"; its speed jobs have {rounds} rounds" if choice.round is not None else ""
        return f"nothing of sweep {plan.sweep} {' and '.join(_asked(choice))}{more}"
    alone = [name for name, values in choice.only.items() if not any(_fits(job, {name: values}) for job in jobs)]
    lacking = "; ".join(f"no job has {name}={','.join(map(shown, choice.only[name]))}" for name in alone)
    there = {name: frozenset[Any]().union(*(job.get(name, frozenset()) for job in jobs)) for name in DIMENSIONS}
    return (
        f"nothing of sweep {plan.sweep} fits --only{f' ({lacking})' if lacking else ''}; there is {values_told(there)}"
    )


def _asked(choice: JobChoice) -> list[str]:
    said = [] if choice.round is None else [f"is round {choice.round + 1}"]
    said += ["failed at its last attempt"] if choice.failed else []
    return said + ([f"is of kind {', '.join(sorted(choice.kinds))}"] if choice.kinds else [])
