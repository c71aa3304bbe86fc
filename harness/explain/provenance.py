"""Where a number comes from: its run, samples, recipe, artifact, command, machine and harness, walked back to the model. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.core.errors import HarnessError
from harness.core.outcome import Environment, Measurement, Outcome
from harness.core.spec import BuildSpec, Input, MeasureSpec, Status
from harness.explain.facts import EnvironmentText, Harness, Measured, OverRounds, Process, Provenance, Read, RecipeText
from harness.numbers.rounds import is_over_rounds
from harness.plan.keys import exact
from harness.probes import VERIFY
from harness.published.sources import NumberSource, rows_for
from harness.store.sittings import paces_of
from harness.store.workload import workload_columns
from harness.tables.columns import PACKAGES
from harness.tables.question import CellReader
from harness.tables.rows import TableRow, rows_of
from harness.tables.samples import statistic_of
from harness.tables.sitting import marks_of
from harness.tables.spec import TableSpec

_OF_A_ROUND = (
    "round",
    "started",
    "value",
    "unit",
    "notes",
    "summary_value",
    "summary_low",
    "summary_high",
    "rounds",
    "marks",
)
_CONDITIONS = ("load_average_before", "load_average_after", "foreign_cpus", "cpus", "gpus", "clocks_mhz")
"""Facts of a protocol that tell what else went on while a process was timed."""
FEW = 8
"""Samples up to this many are told one by one."""
_SUMMARY = ("min", "p50", "p90", "max", "mean", "stdev")
_DIRTY = "-dirty"


@dataclass(frozen=True)
class Archive:
    """What explains a cell: whole records of runs by name, and what is kept of their samples."""

    outcome: Callable[[str], Outcome]
    """Raises: HarnessError for a run that the source does not hold."""
    reader: CellReader
    makers: Mapping[str, str]
    """Artifact id to the run that made it."""
    rows: Callable[[TableSpec], Sequence[TableRow]] = lambda _spec: ()
    """All that a table can use."""
    sitting: Callable[[str], Sequence[TableRow]] = lambda _measurement: ()
    """By a measurement's id, the rows of all rounds of its sitting."""
    verified: Callable[[str, str, str], str] = lambda _artifact, _environment, _engine: ""
    """What came of holding an artifact against its model in an environment, on an engine (empty: any); empty where it was not."""


def archive_of(source: NumberSource) -> Archive:
    """Make an archive of a source; each record is read once."""
    outcome: Callable[[str], Outcome] = lru_cache(maxsize=None)(source.database.outcome)
    makers = source.database.artifact_runs()
    return Archive(
        outcome,
        source.reader(),
        makers,
        lambda spec: rows_for(spec, source),
        lambda one: _sitting(source, one),
        lru_cache(maxsize=None)(lambda artifact, environment, engine: _verified(source, artifact, environment, engine)),
    )


def _verified(source: NumberSource, artifact: str, environment: str, engine: str) -> str:
    """Tell the latest verification of an artifact where it was measured: a model's own folder is held on each engine anew."""
    columns = ["run", "counts_from", "engine", "status", "reason", "metric", "value"]
    where = {"artifact": artifact, "probe": VERIFY, "environment": environment} | ({"engine": engine} if engine else {})
    rows = rows_of(source.select(where, columns))
    if not rows:
        return ""
    last = max(rows, key=lambda row: row.age)
    if last.text("status") != Status.OK.value:
        return f"{last.text('reason')}, run {last.run}"
    far = next(row.get("value") for row in rows if row.run == last.run and row.text("metric") == "verify_max_dlogp")
    return f"held against its model on {last.text('engine')}: largest difference {far:.2g} nat, run {last.run}"


def _sitting(source: NumberSource, measurement: str) -> list[TableRow]:
    said = ("sitting", "metric", "slice", "source")
    found = rows_of(source.select({"measurement_id": measurement}, list(said)))
    if not found or found[0].get("sitting") is None:
        return []
    where = {name: found[0].get(name) for name in said}
    rows = rows_of(source.select(where, ["run", "measurement_id", *said, *_OF_A_ROUND]))
    return sorted({row.run: row for row in rows}.values(), key=lambda row: (row.get("round"), row.run))


def provenance(
    archive: Archive, role: str, run: str, measurement: str = "", *, stat: str = "", rounds: bool = False
) -> Provenance:
    """Tell of a run, and of one of its measurements; with `rounds` of those of its sitting, too. Raises: HarnessError for a run that the source does not hold."""
    outcome = archive.outcome(run)
    job = outcome.job
    measured = outcome.origin == "measured"
    sweep = job.labels.sweep
    command = f"harness run {sweep}" if measured and sweep else ""
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
        rerun=command if job.kind == "speed" or not command else f"{command} --rerun {job.kind}",
        citation=_plain(outcome.citation.model_dump() if outcome.citation else {}),
        measured=_measured(archive, outcome, measurement, stat) if measurement else None,
        over_rounds=_over_rounds(archive, measurement) if measurement and rounds else None,
        recipe=_recipe(outcome),
        protocol=_protocol(outcome),
        artifacts=_artifacts(archive, outcome),
        environment=_where(outcome),
        harness=harness_of(outcome.environment) if measured else None,
        notes=tuple(f"{note.code}: {note.text}" for note in outcome.notes),
    )


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
