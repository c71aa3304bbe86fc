"""The smallest sweep, and how jobs of a plan are found."""

from __future__ import annotations

from collections import Counter

from harness.core.spec import MeasureSpec
from harness.plan.jobs import Plan, PlannedJob

LEAST = "model: tiny\nmethod: fp32\nengine: runtime\nprobes: perplexity\n"


def kinds(plan: Plan) -> Counter[str]:
    return Counter(job.kind for job in plan.jobs)


def job_of(plan: Plan, kind: str, probe: str = "", method: str = "") -> PlannedJob:
    (found,) = [
        job
        for job in plan.jobs
        if job.kind == kind
        and (not probe or (isinstance(job.spec, MeasureSpec) and job.spec.probe == probe))
        and (not method or job.labels[0].method == method)
    ]
    return found
