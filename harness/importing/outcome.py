"""From what was found in a file to a run folder: job, key, measurements, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.core.files import write_whole
from harness.core.outcome import Citation, Gpu, Measurement, Outcome
from harness.core.seam import ProbeResult
from harness.core.spec import Job, Labels, MeasureSpec, Note, Status
from harness.formats.records import AS_DEFINED_THERE, FileFormat, Found, Number, metric_value_of
from harness.formats.source import FileSource
from harness.plan.keys import spec_key
from harness.store.files import OUTCOME
from harness.worker.record import keep

JOB = "job.json"
LABELS = ("model", "method", "recipe", "reference", "block")
TOLD = ("engine", "environment", "gpu")
"""What a person may add to a file that does not say it."""


@dataclass(frozen=True)
class Import:
    """What is imported: a file, its format, and what the person who imports it says of it."""

    source: FileSource
    format: FileFormat
    sweep: str
    labels: Mapping[str, str]
    moment: datetime


def run_name(source: FileSource, number: int) -> str:
    """Name a run after the file's bytes (and the map's) and the place in it: the same file is always the same runs."""
    return f"imported-{source.key}-{number}"


def write_run(found: Found, number: int, taken: Import, folder: Path) -> Outcome:
    """Write a run folder (arrays, job, outcome last) and return its outcome."""
    found = _told(found, taken.labels)
    job = _job(found, number, taken)
    folder.mkdir(parents=True, exist_ok=True)
    measurements = _measurements(found, folder)
    started, dated = _started(found, taken.moment)
    outcome = Outcome(
        job=job,
        status=Status.UNSUPPORTED if found.unsupported else Status.OK,
        reason=found.unsupported,
        origin="imported",
        citation=_citation(found, taken),
        written_by="import",
        started=started,
        seconds=found.seconds,
        environment=found.environment,
        provider=found.provider,
        protocol=found.protocol,
        measurements=measurements,
        notes=(*found.notes, *dated),
    )
    write_whole(folder / JOB, job.model_dump_json(indent=1))
    write_whole(folder / OUTCOME, outcome.model_dump_json(indent=1))
    return outcome


def _told(found: Found, labels: Mapping[str, str]) -> Found:
    """Add what the importing person says; a note tells it from what the file says."""
    told = {name: labels[name] for name in TOLD if name in labels}
    if not told:
        return found
    environment = found.environment
    if "environment" in told:
        environment = environment.model_copy(update={"name": told["environment"]})
    if "gpu" in told:
        environment = environment.model_copy(update={"gpus": (Gpu(name=told["gpu"]),)})
    words = ", ".join(f"{name} {value}" for name, value in told.items())
    note = Note(code="told-at-import", text=f"not from the file but given at the import: {words}")
    return replace(
        found,
        environment=environment,
        engine=told.get("engine", found.engine),
        notes=(*found.notes, note),
    )


def _job(found: Found, number: int, taken: Import) -> Job:
    spec = MeasureSpec(
        probe=found.probe,
        version=AS_DEFINED_THERE,
        workload=dict(found.workload),
        engine=found.engine,
        engine_version=AS_DEFINED_THERE,
        engine_options=dict(found.engine_options),
        artifact=f"imported:{taken.source.key}-{number}",
    )
    labels = dict(found.labels) | {name: value for name, value in taken.labels.items() if name in LABELS}
    return Job(
        run=run_name(taken.source, number),
        kind=found.kind,
        key=spec_key(spec),
        spec=spec,
        environment=found.environment.name,
        labels=Labels(sweep=taken.sweep, **labels),
        order=number,
    )


def _citation(found: Found, taken: Import) -> Citation:
    return Citation(
        title=found.title or taken.format.title,
        url=found.url,
        version=found.version,
        configuration=found.configuration,
        file=taken.source.name,
        sha256=taken.source.sha256,
    )


def _started(found: Found, moment: datetime) -> tuple[datetime, tuple[Note, ...]]:
    if found.started is None:
        text = f"the file gives no date; this is the moment of the import, {moment:%Y-%m-%d}"
        return moment, (Note(code="date-unknown", text=text),)
    if found.started.tzinfo is None:
        text = f"the file gives {found.started:%Y-%m-%d %H:%M:%S} without a time zone; taken as UTC"
        return found.started.replace(tzinfo=UTC), (Note(code="time-zone-unknown", text=text),)
    return found.started.astimezone(UTC), ()


def _measurements(found: Found, folder: Path) -> tuple[Measurement, ...]:
    kept = keep(ProbeResult(tuple(map(metric_value_of, found.numbers)), found.protocol), folder)
    return tuple(_as_published(item, number) for item, number in zip(kept, found.numbers, strict=True))


def _as_published(item: Measurement, number: Number) -> Measurement:
    changes = {
        "comparison": number.comparison,
        "baseline": dict(number.baseline),
        "unit": item.unit if number.unit is None else number.unit,
    }
    return item.model_copy(update=changes)
