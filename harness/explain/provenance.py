"""Where a number comes from: its run, samples, recipe, artifact, command, machine and harness, walked back to the model. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError
from harness.core.marks import BY_NIGHT
from harness.core.outcome import Environment, Measurement, Outcome
from harness.core.spec import BuildSpec, Input, MeasureSpec
from harness.explain.archive import _CONDITIONS, Archive
from harness.explain.facts import EnvironmentText, Harness, Measured, OverRounds, Process, Provenance, Read, RecipeText
from harness.numbers.rounds import is_over_rounds
from harness.numbers.sample_statistics import statistic_of
from harness.plan.keys import exact
from harness.store.sittings import paces_of
from harness.store.workload import workload_columns
from harness.tables.columns import PACKAGES
from harness.tables.rows import TableRow
from harness.tables.sitting import marks_of

FEW = 8
"""Samples up to this many are told one by one."""
_SUMMARY = ("min", "p50", "p90", "max", "mean", "stdev")
_DIRTY = "-dirty"
_PLAIN = re.compile(r"[\w.@+-]+")


def provenance(
    archive: Archive, role: str, run: str, measurement: str = "", *, stat: str = "", rounds: bool = False
) -> Provenance:
    """Tell of a run, and of one of its measurements; with `rounds` of those of its sitting, too. Raises: HarnessError for a run that the source does not hold."""
    outcome = archive.outcome(run)
    job = outcome.job
    measured = outcome.origin == "measured"
    sweep = job.labels.sweep.removesuffix(BY_NIGHT)
    by_night = sweep != job.labels.sweep
    command = f"harness {'night' if by_night else 'run'} {sweep}" if measured and sweep else ""
    return Provenance(
        role=role,
        run=run,
        kind=job.kind,
        status=outcome.status.value,
        reason=outcome.reason,
        origin=outcome.origin,
        started=outcome.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=outcome.seconds,
        session=job.session,
        labels={name: value for name, value in job.labels.model_dump().items() if value},
        command=command,
        rerun=f"{command}{_anew(outcome)}" if command and not by_night else command,
        citation=_plain(outcome.citation.model_dump() if outcome.citation else {}),
        measured=_measured(archive, outcome, measurement, stat) if measurement else None,
        over_rounds=_over_rounds(archive, measurement) if measurement and rounds else None,
        recipe=_recipe(outcome),
        protocol=_protocol(outcome),
        executed=_plain(outcome.executed.model_dump()) if outcome.executed else {},
        artifacts=_artifacts(archive, outcome),
        environment=_where(outcome),
        harness=harness_of(outcome.environment) if measured else None,
        notes=tuple(f"{note.code}: {note.text}" for note in outcome.notes),
        left_out=tuple(
            f"run {void.run}, round {void.round + 1}, void: {void.reason}" for void in archive.left_out(run)
        ),
    )


def _anew(outcome: Outcome) -> str:
    """Say with which words a sweep's command does this job again and no other row's: values that a shell takes as they are."""
    spec, labels = outcome.job.spec, outcome.job.labels
    named = {"model": labels.model, "method": labels.method}
    named |= {"kind": "build"} if isinstance(spec, BuildSpec) else {"probe": spec.probe, "engine": spec.engine}
    only = ",".join(f"{name}={value}" for name, value in named.items() if _PLAIN.fullmatch(value))
    return f"{f' --only {only}' if only else ''} --rerun {outcome.job.kind}"


def behind(archive: Archive, found: Provenance, seen: frozenset[str] = frozenset()) -> list[Provenance]:
    """Walk back from a run to those that made what it read, nearest first, each once."""
    told: list[Provenance] = []
    for read in found.artifacts:
        if read.made_by and read.made_by != found.run and read.made_by not in seen:
            maker = provenance(archive, read.role, read.made_by)
            seen |= {read.made_by}
            further = behind(archive, maker, seen)
            seen |= {one.run for one in further}
            told += [maker, *further]
    return told


def measurement_of(archive: Archive, measurement: str) -> Measurement:
    """Return a measurement by its id, RUN#PLACE. Raises: HarnessError where the source does not hold it."""
    run, _, place = measurement.rpartition("#")
    found = archive.outcome(run).measurements
    if not place.isdecimal() or int(place) >= len(found):
        raise HarnessError(f"run {run} holds {len(found)} measurements, and '{measurement}' is none of them")
    return found[int(place)]


def harness_of(environment: Environment) -> Harness:
    """Read `VERSION+COMMIT-dirty`."""
    version, _, commit = environment.harness.partition("+")
    return Harness(version, commit.removesuffix(_DIRTY), commit.endswith(_DIRTY))


# ---------------------------------------------------------------- parts


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", {}, 0) or value is False}


def _protocol(outcome: Outcome) -> dict[str, Any]:
    if outcome.protocol is None:
        return {}
    said = _plain(outcome.protocol.model_dump())
    return said if "facts" not in said else {**said, "facts": _plain(said["facts"])}


def _measured(archive: Archive, outcome: Outcome, measurement: str, stat: str) -> Measured:
    item = measurement_of(archive, measurement)
    samples, summary, shape, kept = _samples(archive, measurement, item, stat)
    if (
        is_over_rounds(item.metric, outcome.origin) and item.interval != "rounding"
    ):  # repetitions in a process are no uncertainty
        item = item.model_copy(update={"low": None, "high": None, "interval": None})
    return Measured(
        id=measurement,
        metric=item.metric,
        metric_version=item.metric_version,
        slice=item.slice,
        value=item.value,
        unit=item.unit,
        low=item.low,
        high=item.high,
        interval=item.interval,
        n=item.n,
        comparison=item.comparison,
        baseline=item.baseline,
        source=item.source,
        samples=samples,
        summary=summary,
        shape=shape,
        kept=kept if outcome.origin == "measured" else "published without samples",
    )


def _over_rounds(archive: Archive, measurement: str) -> OverRounds | None:
    rows = [row for row in archive.sitting(measurement) if row.get("rounds") is not None]
    if not rows:
        return None
    first, marks = rows[0], {f"{note.code}: {note.text}": None for row in rows for note in marks_of(row)}
    return OverRounds(
        value=first.get("summary_value"),
        low=first.get("summary_low"),
        high=first.get("summary_high"),
        unit=first.text("unit") or "",
        processes=tuple(_process(archive, row) for row in rows),
        marks=tuple(marks),
    )


def _process(archive: Archive, row: TableRow) -> Process:
    outcome = archive.outcome(row.run)
    facts = outcome.protocol.facts if outcome.protocol else {}
    return Process(
        run=row.run,
        round=int(row.get("round")),
        started=outcome.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        value=row.get("value"),
        unit=row.text("unit") or "",
        conditions=_plain({name: facts[name] for name in _CONDITIONS if name in facts}),
        notes=tuple(f"{note.code}: {note.text}" for note in outcome.notes),
        at_1ms=paces_of(facts).get(row.metric or ""),
    )


def _samples(
    archive: Archive, measurement: str, item: Measurement, stat: str
) -> tuple[tuple[float, ...], Mapping[str, float], tuple[int, ...], str]:
    asked = (*_SUMMARY, *((stat,) if stat and stat not in _SUMMARY else ()))
    shape = item.array.shape if item.array else (len(item.samples),)
    values = archive.reader.samples(measurement) if item.array or not item.samples else item.samples
    if values is None:
        held = archive.reader.statistics(measurement)
        kept = "statistics of the samples are kept, not the samples" if held else "no samples are at hand"
        return (), {name: held[name] for name in asked if name in held}, shape if item.array else (), kept
    few = tuple(float(value) for value in _flat(values))
    if len(few) <= FEW:
        return few, {}, shape, "all samples are kept"
    found = {name: statistic_of(values, name) for name in asked}
    return (), {name: value for name, value in found.items() if value is not None}, shape, "all samples are kept"


def _flat(values: Any) -> list[float]:
    import numpy as np

    flat: list[float] = np.asarray(values, dtype=np.float64).ravel().tolist()
    return flat


def _recipe(outcome: Outcome) -> RecipeText:
    spec = outcome.job.spec
    if isinstance(spec, BuildSpec):
        return RecipeText("build", spec.quantizer, spec.version, spec.options, contents=spec.contents)
    return RecipeText(
        "measure",
        spec.engine,
        spec.engine_version,
        spec.engine_options,
        spec.probe,
        _workload(spec),
        spec.contents,
    )


def _workload(spec: MeasureSpec) -> dict[str, Any]:
    """Return the workload with the probe's defaults, whole numbers as such."""
    full = {**workload_columns(spec), **spec.workload}
    return {name: _whole(value) for name, value in full.items() if value is not None}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _artifacts(archive: Archive, outcome: Outcome) -> tuple[Read, ...]:
    read = [_read(archive, outcome, item) for item in outcome.inputs or outcome.job.inputs]
    made = outcome.artifact
    if made is not None:
        facts = _plain(made.model_dump(include={"bytes", "files", "format", "layers", "scheme", "weights_bytes"}))
        read.append(Read("made", made.id, made.content, outcome.job.run, facts))
    return tuple(read)


def _read(archive: Archive, outcome: Outcome, item: Input) -> Read:
    engine = {"engine": item.engine, "engine_options": item.engine_options} if item.engine else {}
    said = archive.verified(item.id, outcome.environment.name, getattr(outcome.job.spec, "engine", ""))
    verified = {"verified": said} if said else {}
    return Read(
        item.role, item.id, item.content, archive.makers.get(item.id, ""), {**item.provenance, **engine, **verified}
    )


def _where(outcome: Outcome) -> EnvironmentText:
    place = outcome.environment
    others = exact(place.packages) if outcome.origin == "measured" else set(place.packages)
    told = (*PACKAGES, *sorted(others - set(PACKAGES)))
    return EnvironmentText(
        name=place.name,
        gpus=tuple(gpu.name for gpu in place.gpus),
        driver=next((gpu.driver for gpu in place.gpus if gpu.driver), None),
        cuda=place.cuda,
        cpu=place.cpu,
        cores=place.cores,
        memory_bytes=place.memory_bytes,
        system=place.system,
        python=place.python,
        packages={name: place.packages[name] for name in told if name in place.packages},
        threads=place.threads,
        provider=outcome.provider,
    )
