"""What a planned job needs: to be run, or nothing because it is known, refused, blocked or another machine's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness.core.spec import MeasureSpec
from harness.plan.expand import PlannedJob
from harness.plan.keys import KnownBy, normal
from harness.runner.job_memory import JobMemory
from harness.runner.verified import blocking, doubts
from harness.store.cache import CachedRun

Verdict = Literal["run", "known", "skipped", "enough", "refused", "blocked", "unverified", "other_gpu"]

_NOT_AWAITED = "no job to run needs it"


def decide(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str]:
    """Say what a job needs, and why, in a few words."""
    if job.other_gpu:
        return "other_gpu", job.other_gpu
    if job.refused:
        return "unverified" if job.verifies else "refused", job.refused
    if in_vain := _in_vain(job, memory):
        return in_vain
    if job.verifies:
        return _verification(job, memory)
    if job.kind == "speed":
        return _speed(job, memory)
    return _quality(job, memory) if job.kind == "quality" else _artifact(job, memory)


def _verification(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str]:
    verdict, why = _quality(job, memory)
    if verdict == "run" and not _awaited(job, memory):
        return "skipped", _NOT_AWAITED
    return verdict, why


def _in_vain(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str] | None:
    """Say what becomes of a job whose need failed; a verification without the truth finds nothing out."""
    if refuted := blocking(job, memory):
        return "blocked", refuted
    for need in (one for one in job.needs if one in memory.bad and not memory.jobs[one].verifies):
        status, reason = memory.bad[need]
        if memory.jobs[need].tells_truth:
            return "unverified", reason
        return "blocked", f"{need} {status.value}: {reason}"
    return None


def _awaited(job: PlannedJob, memory: JobMemory) -> bool:
    """Tell whether something that will be run waits for this job."""
    users = memory.users.get(job.id, [])
    return not users or any(needed(user, memory) for user in users)


def _artifact(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str]:
    assert job.artifact is not None
    folder = memory.opened.artifact(job.artifact, job.kind)
    if memory.anew(job, job.kind):
        return "run", f"--rerun {job.kind}"
    if job.artifact in memory.made and folder.is_dir():
        return "known", folder.name
    if not _awaited(job, memory):
        return "skipped", _NOT_AWAITED
    return "run", "its folder is gone" if job.artifact in memory.made else "never made here"


def needed(job: PlannedJob, memory: JobMemory) -> bool:
    """Tell whether a job will be run or something that will be run reads what it makes."""
    if job.other_gpu or job.refused:
        return False
    if job.verifies:
        return _verification(job, memory)[0] == "run"
    if job.kind == "quality":
        return _quality(job, memory)[0] == "run"
    if job.kind == "speed":
        return _speed(job, memory)[0] == "run"
    return _artifact(job, memory)[0] == "run"


def _quality(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str]:
    if memory.anew(job, "quality"):
        done = memory.finished.get((job.key, job.environment, job.round))
        return ("known", done) if done else ("run", "--rerun quality")
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


def _difference(known_by: KnownBy, contents: Mapping[str, str], record: CachedRun) -> str:
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


def _speed(job: PlannedJob, memory: JobMemory) -> tuple[Verdict, str]:
    done = memory.finished.get((job.key, job.environment, job.round))
    if done:
        return "known", done
    broken = memory.broken.get((job.key, job.environment))
    if broken:
        return "skipped", broken
    if memory.stop and (why := memory.stop(job)):
        return "enough", why
    asked = (job.key, job.environment)
    enough = memory.rounds.enough(asked, job.precision, memory.planned.get(asked, job.round + 1))
    return ("enough", enough) if enough else ("run", "speed is always measured anew")
