"""What a planned job needs: to be run, or nothing because it is known, refused, blocked or another box's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from harness.core.spec import MeasureSpec, Status
from harness.plan.expand import Plan, PlannedJob
from harness.plan.keys import normal
from harness.runner.desk import Desk
from harness.runner.enough import Key, Rounds, all_rounds
from harness.runner.verified import blocking, doubts, sibling_of
from harness.store.known import History, KnownRun

Verdict = Literal["run", "known", "skipped", "enough", "refused", "blocked", "unverified", "elsewhere"]

_NOT_AWAITED = "no job to run needs it"


@dataclass
class Memory:
    """What is known of a plan's jobs; grows while they run."""

    desk: Desk
    plan: Plan
    again: frozenset[str] = frozenset()
    """Kinds to run anew although known."""
    made: dict[str, str] = field(default_factory=dict)
    """Artifact id to content hash, of everything built and recorded."""
    makers: dict[str, str] = field(default_factory=dict)
    """Artifact id to the run that sealed it."""
    quality: dict[str, list[KnownRun]] = field(default_factory=dict)
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
    planned: Mapping[Key, int] = field(default_factory=dict)
    """Rounds that the plan has of each speed job."""
    outputs: dict[Key, str] = field(default_factory=dict)
    """Hash of the tokens that the first round of a speed job generated."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Plan id to why a job was not needed."""
    newest: datetime | None = None
    """Latest moment that a run measured here counts from, before this command."""
    users: dict[str, list[PlannedJob]] = field(default_factory=dict)
    """Plan id to the jobs that read its artifact."""

    @cached_property
    def history(self) -> History:
        """How long jobs took before this command."""
        return self.desk.database.history()

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


def remember(desk: Desk, plan: Plan, session: str = "", again: frozenset[str] = frozenset()) -> Memory:
    """Ask the database what is known of a plan's jobs, and what this session has done before it was interrupted."""
    keys = sorted({job.key for job in plan.jobs if job.kind == "quality"})
    memory = Memory(desk=desk, plan=plan, again=again | frozenset(plan.again))
    memory.newest = desk.database.newest()
    memory.made.update(desk.database.known_artifacts())
    memory.makers.update(desk.database.artifact_runs())
    memory.quality.update(desk.database.known_quality(keys))
    done = desk.database.frame({"session": session, "status": "ok"}, ["job_key", "environment", "round", "run"])
    memory.finished.update({(row.job_key, row.environment, int(row.round)): row.run for row in done.itertuples()})
    speed = [job for job in plan.jobs if job.kind == "speed"]
    memory.planned = all_rounds(((job.key, job.environment), job.round) for job in speed)
    if not done.empty:
        _remember_rounds(memory, session)
    columns = ["job_key", "environment", "status", "reason", "run"]
    said = desk.database.frame({"written_by": "runner", "seconds": 0.0}, columns)
    memory.refusals.update(
        {(row.job_key, row.environment, row.status, row.reason): row.run for row in said.itertuples()}
    )
    for job in plan.jobs:
        for need in job.needs:
            memory.users.setdefault(need, []).append(job)
    return memory


def _remember_rounds(memory: Memory, session: str) -> None:
    """Take in what this session's rounds gave before it was interrupted."""
    columns = ["job_key", "environment", "round", "metric", "source", "value"]
    where = {"session": session, "status": "ok", "kind": "speed", "part": ""}
    for row in memory.desk.database.frame(where, columns).itertuples():
        name = f"{row.metric} {row.source if isinstance(row.source, str) else ''}".strip()
        memory.rounds.add((row.job_key, row.environment), int(row.round), name, float(row.value))


def decide(job: PlannedJob, memory: Memory) -> tuple[Verdict, str]:
    """Say what a job needs, and why, in a few words."""
    if job.elsewhere:
        return "elsewhere", job.elsewhere
    if job.refused:
        return "unverified" if job.verifies else "refused", job.refused
    if in_vain := _in_vain(job, memory):
        return in_vain
    if job.verifies:
        return _verification(job, memory)
    if job.kind == "speed":
        return _speed(job, memory)
    return _quality(job, memory) if job.kind == "quality" else _artifact(job, memory)


def _verification(job: PlannedJob, memory: Memory) -> tuple[Verdict, str]:
    verdict, why = _quality(job, memory)
    if verdict == "run" and not _awaited(job, memory):
        return "skipped", _NOT_AWAITED
    return verdict, why


def _in_vain(job: PlannedJob, memory: Memory) -> tuple[Verdict, str] | None:
    """Say what becomes of a job whose need failed; a verification without the truth finds nothing out."""
    if refuted := blocking(job, memory):
        return "blocked", refuted
    for need in (one for one in job.needs if one in memory.bad and not memory.jobs[one].verifies):
        status, reason = memory.bad[need]
        if memory.jobs[need].tells_truth:
            return "unverified", reason
        return "blocked", f"{need} {status.value}: {reason}"
    return None


def _awaited(job: PlannedJob, memory: Memory) -> bool:
    """Tell whether something that will be run waits for this job."""
    users = memory.users.get(job.id, [])
    return not users or any(needed(user, memory) for user in users)


def _artifact(job: PlannedJob, memory: Memory) -> tuple[Verdict, str]:
    assert job.artifact is not None
    folder = memory.desk.artifact(job.artifact, job.kind)
    if job.kind in memory.again:
        return "run", f"--again {job.kind}"
    if job.artifact in memory.made and folder.is_dir():
        return "known", folder.name
    if not _awaited(job, memory):
        return "skipped", _NOT_AWAITED
    return "run", "its folder is gone" if job.artifact in memory.made else "never made here"


def needed(job: PlannedJob, memory: Memory) -> bool:
    """Tell whether a job will be run or something that will be run reads what it makes."""
    if job.elsewhere or job.refused:
        return False
    if job.verifies:
        return _verification(job, memory)[0] == "run"
    if job.kind == "quality":
        return _quality(job, memory)[0] == "run"
    if job.kind == "speed":
        return _speed(job, memory)[0] == "run"
    return _artifact(job, memory)[0] == "run"


def _quality(job: PlannedJob, memory: Memory) -> tuple[Verdict, str]:
    if "quality" in memory.again:
        done = memory.finished.get((job.key, job.environment, job.round))
        return ("known", done) if done else ("run", "--again quality")
    assert isinstance(job.spec, MeasureSpec)
    contents = {"artifact": memory.made.get(job.spec.artifact, job.spec.artifact)}
    if job.spec.reference is not None:
        contents["reference"] = memory.made.get(job.spec.reference, job.spec.reference)
    why = "never measured"
    for record in memory.quality.get(job.key, []):
        why = _difference(job.known_by, contents, record)
        if not why and record.unverified and not doubts(job, memory):
            why = "measured while its baseline was unverified"
        if not why:
            return "known", record.run
    return "run", why


def _difference(known_by: Mapping[str, Any], contents: Mapping[str, str], record: KnownRun) -> str:
    """Name what differs between a job and a recorded run of the same key; empty where nothing that counts does."""
    for role, content in contents.items():
        if record.inputs.get(role) != content:
            return f"the {role}'s content differs"
    there = {normal(name): version for name, version in record.packages.items()}
    for name, version in known_by.get("packages", {}).items():
        if there.get(name) != version:
            return f"{name} was {there.get(name, 'absent')}, is {version}"
    provider = known_by.get("provider")
    if provider != record.provider:
        return f"provider was {record.provider or 'none'}, is {provider or 'none'}"
    if provider != "cpu" and known_by.get("gpu") != record.gpu:
        return f"GPU was {record.gpu or 'none'}, is {known_by.get('gpu') or 'none'}"
    return ""


def _speed(job: PlannedJob, memory: Memory) -> tuple[Verdict, str]:
    done = memory.finished.get((job.key, job.environment, job.round))
    if done:
        return "known", done
    broken = memory.broken.get((job.key, job.environment))
    if broken:
        return "skipped", broken
    asked = (job.key, job.environment)
    enough = memory.rounds.enough(asked, job.precision, memory.planned.get(asked, job.round + 1))
    return ("enough", enough) if enough else ("run", "speed is always measured anew")
