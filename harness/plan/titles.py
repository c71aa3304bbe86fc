"""What people call jobs: model, method and what is done, and whatever else tells two jobs of a plan apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.spec import BuildSpec
from harness.plan.jobs import PlannedJob


def titles(jobs: Iterable[PlannedJob]) -> dict[str, str]:
    """Name the jobs of a plan by their ids; two of the same model, method, probe and engine say where they differ."""
    alike: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        alike.setdefault(title(job), []).append(job)
    return {name: text for base, group in alike.items() for name, text in _apart(base, group)}


def title(job: PlannedJob) -> str:
    """Name a job by model, method and what is done with it."""
    labels, spec = job.labels[0], job.spec
    what = "build" if isinstance(spec, BuildSpec) else spec.probe
    engine = "" if isinstance(spec, BuildSpec) else f"on {spec.engine}"
    return " ".join(part for part in (labels.model, labels.method, what, engine) if part)


def _apart(base: str, group: Sequence[PlannedJob]) -> Iterable[tuple[str, str]]:
    found = {job.id: _facets(job) for job in group}
    names = dict.fromkeys(name for facets in found.values() for name in facets)
    differ = [name for name in names if len({repr(facets.get(name)) for facets in found.values()}) > 1]
    rounds = max(job.round for job in group) + 1
    for job in group:
        parts = [
            f"{name} {_short(found[job.id][name])}" for name in differ if found[job.id].get(name) not in {None, ""}
        ]
        parts += [f"round {job.round + 1} of {rounds}"] if rounds > 1 else []
        yield job.id, ", ".join([base, *parts])


def _facets(job: PlannedJob) -> Mapping[str, Any]:
    """List what may tell a job from others of its name: its work first, then engine options and the place."""
    labels, spec = job.labels[0], job.spec
    if isinstance(spec, BuildSpec):
        found = {"by": labels.recipe or spec.quantizer, **spec.options}
    else:
        work, engine = (record.model_dump() if record is not None else {} for record in job.asked or (None, None))
        found = {
            **(work or spec.workload),
            "against": labels.reference,
            **(engine or spec.engine_options),
            "by": labels.recipe,
        }
    hashable = {
        name: value if isinstance(value, str | int | float | None) else str(value) for name, value in found.items()
    }
    return {**hashable, "in": job.environment, "for": job.other_gpu}


def _short(value: Any) -> str:
    """Write a value; of a path its last part."""
    return Path(value).name if isinstance(value, str) and ("/" in value or "\\" in value) else f"{value}"
