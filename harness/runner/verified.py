"""What verifications mean for the jobs behind them: what blocks, and what is marked as unverified."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.outcome import Outcome
from harness.core.spec import Note, Status
from harness.plan.expand import PlannedJob
from harness.runner.known_jobs import KnownJobs, sibling_of

UNVERIFIED = "unverified"
"""Verdict on a verification that cannot be had, and code of the note on what is measured nevertheless."""


def refuted(outcome: Outcome) -> bool:
    """Tell a verification that found another model from one that failed itself."""
    return outcome.status is Status.FAILED and outcome.protocol is not None


def failed_itself(outcome: Outcome) -> str:
    """Say why a verification, or what it needs, found nothing out."""
    reason = outcome.reason or "no reason given"
    if outcome.status is Status.OOM:
        return f"ran out of memory ({reason.removeprefix('out of memory: ')})"
    return reason


def blocking(job: PlannedJob, memory: KnownJobs) -> str | None:
    """Say which verification forbids a job; a build is allowed what one engine at least has verified."""
    needs = [need for need in job.needs if memory.jobs[need].verifies]
    bad = [need for need in needs if need in memory.refuted]
    if not bad or (job.kind == "build" and any(need in memory.verified for need in needs)):
        return None
    return memory.refuted[bad[0]]


def doubts(job: PlannedJob, memory: KnownJobs) -> tuple[Note, ...]:
    """Note what a job's numbers rest on that could not be verified."""
    found = {}
    for need in _verifications(job, memory):
        reason = memory.unverified.get(need) or memory.jobs[need].refused
        if reason:
            labels = memory.jobs[need].labels[0]
            found[need] = Note(
                code=UNVERIFIED, text=f"{labels.method} of {labels.model} was not held against its model: {reason}"
            )
    for need in siblings(job, memory):
        reason = memory.refuted.get(need)
        if reason and need not in found:
            labels = memory.jobs[need].labels[0]
            text = f"made by the builder whose {labels.method} of {labels.model} did not pass: {reason}"
            found[need] = Note(code=UNVERIFIED, text=text)
    return tuple(dict.fromkeys(found.values()))


def siblings(job: PlannedJob, memory: KnownJobs) -> tuple[str, ...]:
    """Name the verifications of what the same builder made of the same model in floats, where this was made straight from it, too."""
    build = next((memory.builds.get(item.id) for item in job.inputs if item.role == "artifact"), None)
    return memory.siblings.get(sibling_of(build), ()) if build is not None else ()


def _verifications(job: PlannedJob, memory: KnownJobs) -> Iterator[str]:
    """Name the verifications that a measurement rests on: its own, and those of the reference that it is compared with."""
    for need in job.needs:
        known = memory.jobs[need]
        if known.verifies:
            yield need
        elif known.kind == "reference" and not known.tells_truth:
            yield from _verifications(known, memory)
