"""What verifications mean for the jobs behind them: what blocks, and what is marked as unverified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.core.outcome import Outcome
from harness.core.spec import Note, Status
from harness.plan.expand import PlannedJob
from harness.runner.job_memory import JobMemory, sibling_of
from harness.worker import OUTCOME

UNVERIFIED = "unverified"
"""Verdict on a verification that cannot be had, and code of the note on what is measured nevertheless."""


def refuted(outcome: Outcome) -> bool:
    """Tell a verification that found another model from one that failed itself."""
    return outcome.status is Status.FAILED and outcome.protocol is not None


def failed_itself(outcome: Outcome) -> str:
    """Say why a verification, or what it needs, found nothing out."""
    reason = outcome.reason or "no reason given"
    if outcome.status is Status.OOM:
        what, _, held = reason.removeprefix("out of memory: ").rpartition("; ")
        return f"ran out of memory ({what or held})"  # without request and peak, which differ from process to process
    return reason


def blocking(job: PlannedJob, memory: JobMemory) -> str | None:
    """Say which verification forbids a job; a build is allowed what one engine at least has verified."""
    needs = [need for need in job.needs if memory.jobs[need].verifies]
    bad = [need for need in needs if need in memory.refuted]
    if not bad or (job.kind == "build" and any(need in memory.verified for need in needs)):
        return None
    return memory.refuted[bad[0]]


def doubts(job: PlannedJob, memory: JobMemory) -> tuple[Note, ...]:
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


def engine_floor(job: PlannedJob, memory: JobMemory) -> float | None:
    """Give the largest KL-divergence at which verifications found float exports behind a job to stand from their model, in nat; None where none did.

    What runs left is read, since a verification that was known has not been taken in by this command.
    """
    runs = [memory.runs.get(need) for need in _verifications(job, memory) if need in memory.verified]
    found = [_verified_kl(memory.opened.runs / run / OUTCOME) for run in runs if run]
    return max((value for value in found if value is not None), default=None)


def _verified_kl(path: Path) -> float | None:
    try:
        outcome = Outcome.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return next((one.value for one in outcome.measurements if one.metric == "verify_kl"), None)


def siblings(job: PlannedJob, memory: JobMemory) -> tuple[str, ...]:
    """Name the verifications of what the same builder made of the same model in floats, where this was made straight from it, too."""
    build = next((memory.builds.get(item.id) for item in job.inputs if item.role == "artifact"), None)
    return memory.siblings.get(sibling_of(build), ()) if build is not None else ()


def _verifications(job: PlannedJob, memory: JobMemory) -> Iterator[str]:
    """Name the verifications that a measurement rests on: its own, and those of the reference that it is compared with."""
    for need in job.needs:
        known = memory.jobs[need]
        if known.verifies:
            yield need
        elif known.kind == "reference" and not known.tells_truth:
            yield from _verifications(known, memory)
