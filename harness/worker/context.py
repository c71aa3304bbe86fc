"""What a measurement may use beside its session, as its job says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.files import remove
from harness.core.identity import digest
from harness.core.outcome import Environment
from harness.core.privacy import cache_folder
from harness.core.spec import Input, Job, MeasureSpec
from harness.host import code_digest
from harness.worker.fresh_process import scorer
from harness.worker.inputs import input_of, partial_of, weights_read

if TYPE_CHECKING:
    from harness.core.seam import Context, FloatArray


def context_of(job: Job, folder: Path, found: Sequence[Input], environment: Environment) -> Context:
    """Give a measurement its folders, references and facts. found: the inputs with what they were found to hold."""
    from harness.core.seam import Context

    assert isinstance(job.spec, MeasureSpec)
    stored = [item for item in job.inputs if item.role == "reference" and not item.engine]
    native = [item for item in job.inputs if item.role == "native"]
    artifact = input_of(job, "artifact")
    trained = artifact.provenance.get("trained_positions")
    return Context(
        folder=folder,
        reference=Path(stored[0].path) if stored else None,
        reference_revision=stored[0].provenance.get(MADE_FROM, "") if stored else "",
        engine_floor=_engine_floor(job),
        native=Path(native[0].path) if native else None,
        artifact=Path(artifact.path),
        artifact_id=artifact.id,
        out=partial_of(job) if job.out else None,
        resume=_resume(job, found, environment),
        fresh=_fresh(job, artifact),
        trained_positions=int(trained) if trained else None,
        expected_output=job.output,
        declared=job.declared,
        weights_read=weights_read(Path(artifact.path)),
    )


MADE_FROM = "made_from"
"""Of a stored reference, in its input's provenance: id of the artifact that it is made from."""


def _fresh(job: Job, artifact: Input) -> Callable[[Sequence[int], Sequence[int]], FloatArray]:
    """Score in fresh processes with a live reference where there is one, else with the artifact, of which a reference is written."""
    assert isinstance(job.spec, MeasureSpec)
    for item in job.inputs:
        if item.role == "reference" and item.engine:
            engine = {"engine": item.engine, "engine_options": item.engine_options}
            return scorer(item.path, job.spec.model_copy(update=engine))
    return scorer(artifact.path, job.spec)


def _engine_floor(job: Job) -> float | None:
    said = [item.provenance["engine_floor"] for item in job.inputs if "engine_floor" in item.provenance]
    return max((float(one) for one in said), default=None)


def _resume(job: Job, found: Sequence[Input], environment: Environment) -> Path | None:
    """Name where groups of a measurement outlive it: by all that decides what it finds, and never where times are measured."""
    if job.kind not in {"quality", "reference"}:
        return None
    held = [[item.role, item.id, item.content, item.engine, item.engine_options] for item in found]
    place = environment.model_dump(mode="json", include={"machine", "cpu", "threads", "packages", "harness"})
    gpus = [[gpu.name, gpu.driver] for gpu in environment.gpus]
    known = [job.spec.model_dump(mode="json"), held, place, gpus, code_digest()]
    return cache_folder() / "groups" / digest(known)[:24]


def forget(folder: Path | None) -> None:
    """Remove the groups of a measurement that is done; what cannot be removed, as where another process does so too, stays."""
    if folder is not None and folder.is_dir():
        with contextlib.suppress(OSError):
            remove(folder)
