"""What is known of a plan's jobs: from before this command, and as they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from harness.core.spec import BuildSpec, Kind, MeasureSpec, Status
from harness.plan.expand import Plan, PlannedJob
from harness.runner.enough import Rounds, SittingKey, all_rounds
from harness.runner.opened import OpenWorkspace
from harness.store.cache import CachedRun, History


@dataclass
class JobMemory:
    """What is known of a plan's jobs; grows while they run."""

    opened: OpenWorkspace
    plan: Plan
    rerun: frozenset[str] = frozenset()
    """Kinds to run anew although known."""
    made: dict[str, str] = field(default_factory=dict)
    """Artifact id to content hash, of everything built and recorded."""
    makers: dict[str, str] = field(default_factory=dict)
    """Artifact id to the run that sealed it."""
    quality: dict[str, list[CachedRun]] = field(default_factory=dict)
    """Measure key to its ok runs."""
    bad: dict[str, tuple[Status, str]] = field(default_factory=dict)
    """Plan id to status and reason of jobs whose dependants are blocked."""
    verified: set[str] = field(default_factory=set)
    """Plan ids of verifications that found the model itself."""
    refuted: dict[str, str] = field(default_factory=dict)
    """Plan ids of verifications that found another model, and how far off it is."""
    unverified: dict[str, str] = field(default_factory=dict)
    """Plan ids of verifications that found nothing out, and why."""
    died: set[str] = field(default_factory=set)
    """Plan ids of jobs whose worker died once in this command."""
    runs: dict[str, str] = field(default_factory=dict)
    """Plan id to the run that answers it."""
    finished: dict[tuple[str, str, int], str] = field(default_factory=dict)
    """(key, environment, round) to run: what this session did before it was interrupted."""
    refusals: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    """(key, environment, status, reason) to run: refusals that are on record already and need not be said twice."""
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    """(key, environment) to what became of a round of a speed job that this command ran in vain."""
    rounds: Rounds = field(default_factory=Rounds)
    """What this session's speed jobs gave so far."""
    planned: Mapping[SittingKey, int] = field(default_factory=dict)
    """Rounds that the plan has of each speed job."""
    outputs: dict[SittingKey, str] = field(default_factory=dict)
    """Hash of the tokens that the first round of a speed job generated."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Plan id to why a job was not needed."""
    newest: datetime | None = None
    """Latest moment that a run measured here counts from, before this command."""
    stop: Callable[[PlannedJob], str] | None = None
    """Says why no further round is needed, where something decides that while they run; empty where one is."""
    users: dict[str, list[PlannedJob]] = field(default_factory=dict)
    """Plan id to the jobs that read its artifact."""

    def anew(self, job: PlannedJob, kind: Kind) -> bool:
        """Tell whether jobs of a kind are asked for anew, and this job with them."""
        return kind in self.rerun and (self.plan.chosen is None or job.id in self.plan.chosen)

    @cached_property
    def history(self) -> History:
        """How long jobs took before this command."""
        return self.opened.database.history()

    @cached_property
    def jobs(self) -> dict[str, PlannedJob]:
        """The plan's jobs by plan id."""
        return {job.id: job for job in self.plan.jobs}

    @cached_property
    def builds(self) -> dict[str, PlannedJob]:
        """Artifact id to the job that builds it."""
        return {job.artifact: job for job in self.plan.jobs if job.kind == "build" and job.artifact}

    @cached_property
    def siblings(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Quantizer and model to the plan ids of the verifications of what it made straight from the model."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for job in self.plan.jobs:
            build = self.builds.get(job.spec.artifact) if job.verifies and isinstance(job.spec, MeasureSpec) else None
            if build is not None and sibling_of(build)[1]:
                found[sibling_of(build)] = (*found.get(sibling_of(build), ()), job.id)
        return found


def remember(opened: OpenWorkspace, plan: Plan, session: str = "", rerun: frozenset[str] = frozenset()) -> JobMemory:
    """Ask the database what is known of a plan's jobs, and what this session has done before it was interrupted."""
    keys = sorted({job.key for job in plan.jobs if job.kind == "quality"})
    memory = JobMemory(opened=opened, plan=plan, rerun=rerun | frozenset(plan.rerun))
    memory.newest = opened.database.newest()
    memory.made.update(opened.database.known_artifacts())
    memory.makers.update(opened.database.artifact_runs())
    memory.quality.update(opened.database.known_quality(keys))
    done = opened.database.select({"session": session, "status": "ok"}, ["job_key", "environment", "round", "run"])
    memory.finished.update({(key, place, int(turn)): run for key, place, turn, run in done.rows})
    speed = [job for job in plan.jobs if job.kind == "speed"]
    memory.planned = all_rounds(((job.key, job.environment), job.round) for job in speed)
    if done.rows:
        _remember_rounds(memory, session)
    columns = ["job_key", "environment", "status", "reason", "run"]
    said = opened.database.select({"written_by": "runner", "seconds": 0.0}, columns)
    memory.refusals.update({(key, place, status, reason): run for key, place, status, reason, run in said.rows})
    for job in plan.jobs:
        for need in job.needs:
            memory.users.setdefault(need, []).append(job)
    return memory


def _remember_rounds(memory: JobMemory, session: str) -> None:
    """Take in what this session's rounds gave before it was interrupted."""
    columns = ["job_key", "environment", "round", "metric", "source", "value"]
    where = {"session": session, "status": "ok", "kind": "speed", "slice": ""}
    for key, environment, turn, metric, source, value in memory.opened.database.select(where, columns).rows:
        memory.rounds.add((key, environment), int(turn), f"{metric} {source or ''}".strip(), value)


def sibling_of(build: PlannedJob) -> tuple[str, str]:
    """Tell by what and of which model an artifact was made; the model is empty where it was made from another artifact."""
    assert isinstance(build.spec, BuildSpec)
    return build.spec.quantizer, build.spec.model if build.spec.base is None else ""
