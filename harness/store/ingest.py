"""Turn an outcome into rows, and rows back into the outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from harness.core.errors import HarnessError
from harness.core.identity import canonical, digest
from harness.core.spec import BuildSpec, Environment, Labels, Measurement, MeasureSpec, Outcome, Status
from harness.store import models as m
from harness.store.arrays import Stored, packed_few, unpacked_few
from harness.store.series import Ids, series_of
from harness.store.session import SessionRecord
from harness.store.sittings import name_of, noted, settle
from harness.store.workload import engine_options, workload_columns


def table(row: type[m.Row]) -> Table:
    """Return the table of a row class."""
    found = row.__table__
    assert isinstance(found, Table)
    return found


def write_outcome(connection: Connection, outcome: Outcome, arrays: Sequence[Stored]) -> bool:
    """Write all rows of an outcome; False where its run is there already. The caller holds the transaction."""
    return write_outcomes(connection, [(outcome, arrays)], Ids()) == 1


def write_outcomes(connection: Connection, batch: Sequence[tuple[Outcome, Sequence[Stored]]], ids: Ids) -> int:
    """Write all rows of outcomes whose runs are not there yet; return how many. The caller holds the transaction.

    ids: what the caller has seen before; no longer good where the transaction fails.
    """
    known = _known_runs(connection, [outcome.job.run for outcome, _ in batch])
    rows = _Rows()
    for outcome, arrays in batch:
        if outcome.job.run not in known:
            known.add(outcome.job.run)
            _take(connection, outcome, arrays, ids, rows)
            rows.runs += 1
    for kind, found in rows.by_table.items():
        _many(connection, kind, found)
    settle(connection, rows.measured)
    return rows.runs


@dataclass
class _Rows:
    """What a batch will insert, by table in an order that foreign keys allow."""

    runs: int = 0
    measured: list[int] = field(default_factory=list)
    """Runs that were measured here and are ok: they sit with the other rounds of their session."""
    by_table: dict[type[m.Row], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, kind: type[m.Row], rows: Iterable[dict[str, Any]]) -> None:
        self.by_table.setdefault(kind, []).extend(rows)


def _known_runs(connection: Connection, names: Sequence[str]) -> set[str]:
    return set(connection.execute(select(m.RunRow.name).where(m.RunRow.name.in_(names))).scalars())


def _take(connection: Connection, outcome: Outcome, arrays: Sequence[Stored], ids: Ids, rows: _Rows) -> None:
    """Insert the run and what it refers to, and set the rest of its rows aside."""
    good = outcome.status is Status.OK  # a number of a run that failed must not reach a table
    quantities = [_quantity_id(connection, item, ids) for item in outcome.measurements] if good else []
    row = _run(connection, outcome, ids)
    row |= _scheme(connection, outcome, row["artifact_content"], ids)
    sits = good and outcome.origin == "measured"
    row["sitting"] = name_of(row, outcome.job.key, outcome.environment.model_dump(mode="json")) if sits else None
    run = _insert(connection, m.RunRow, row | {"series_id": series_of(connection, ids, row, quantities)})
    rows.add(m.OutcomeRow, [{"run_id": run, "json": _kept(outcome)}])
    rows.add(m.RunInputRow, [{"run_id": run, **given} for given in _inputs(outcome)])
    if outcome.artifact is not None:
        rows.add(m.ArtifactRow, [{"run_id": run, **_artifact(outcome)}])
    if sits:
        rows.measured.append(run)
    if good:
        rows.add(m.MeasurementRow, _measurements(run, outcome.measurements, quantities))
        rows.add(m.SamplesRow, [{"run_id": run, **asdict(array)} for array in arrays])
    if outcome.job.labels != Labels():
        _place(connection, outcome.job.key, outcome.environment.name, [outcome.job.labels], ids)


def forget_reported(connection: Connection, sessions: set[str], keep: set[str]) -> int:
    """Delete reported runs of these sessions, all their rows, but for those to keep."""
    runs = table(m.RunRow)
    query = select(runs.c.id, runs.c.name).where(runs.c.origin == "reported", runs.c.session.in_(sessions))
    gone = [row.id for row in connection.execute(query) if row.name not in keep]
    for kind in (m.MeasurementRow, m.SamplesRow, m.OutcomeRow, m.RunInputRow, m.ArtifactRow):
        rows = table(kind)
        connection.execute(rows.delete().where(rows.c.run_id.in_(gone)))
    connection.execute(runs.delete().where(runs.c.id.in_(gone)))
    return len(gone)


def write_session(connection: Connection, session: SessionRecord) -> None:
    """Write a session and what it calls its jobs; written again, it takes the newer `finished`."""
    row = session.model_dump(include={"sweep", "started", "finished", "plan"})
    found = connection.execute(select(m.SessionRow.id).where(m.SessionRow.name == session.session)).scalar()
    if found is None:
        _insert(connection, m.SessionRow, {"name": session.session, **row})
    else:
        sessions = table(m.SessionRow)
        connection.execute(sessions.update().where(sessions.c.id == found).values(**row))
    ids = Ids()
    for job in session.jobs:
        _place(connection, job.key, job.environment, [labels for labels in job.labels if labels != Labels()], ids)


def read_outcome(connection: Connection, run: str) -> Outcome:
    """Put an outcome together again, equal to what was written. Raises: HarnessError for an unknown run."""
    query = (
        select(m.RunRow.id, m.OutcomeRow.json, m.EnvironmentRow.json)
        .join(m.OutcomeRow, m.OutcomeRow.run_id == m.RunRow.id)
        .join(m.EnvironmentRow, m.EnvironmentRow.id == m.RunRow.environment_id)
        .where(m.RunRow.name == run)
    )
    found = connection.execute(query).first()
    if found is None:
        raise HarnessError(f"the database holds no run '{run}'; `harness ingest` reads the run folders again")
    raw = json.loads(found[1])
    raw["environment"] = json.loads(found[2])
    raw["measurements"] = raw["measurements"] or _read_measurements(connection, found[0])
    return Outcome.model_validate_json(json.dumps(raw))


def _read_measurements(connection: Connection, run: int) -> list[dict[str, Any]]:
    items, quantities, arrays = table(m.MeasurementRow), table(m.QuantityRow), table(m.SamplesRow)
    same = (arrays.c.run_id == items.c.run_id) & (arrays.c.name == items.c.array)
    query = (
        select(
            *[quantities.c[name] for name in (*_QUANTITY, "better", *_COMPARED)],
            *[items.c[name] for name in _VALUES],
            *[items.c.samples, items.c.array, arrays.c.sha256, arrays.c.shape, arrays.c.dtype],
        )
        .select_from(items.join(quantities, quantities.c.id == items.c.quantity_id).outerjoin(arrays, same))
        .where(items.c.run_id == run)
        .order_by(items.c.ordinal)
    )
    return [_measurement(row) for row in connection.execute(query)]


def _measurement(row: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(row, name) for name in (*_QUANTITY, *_VALUES)}
    if row.better is not None:
        facts["better"] = row.better
    if row.comparison is not None:
        facts |= {"comparison": row.comparison, "baseline": json.loads(row.baseline)}
    if row.samples is not None:
        facts["samples"] = unpacked_few(row.samples)
    if row.array is not None:
        shape = json.loads(row.shape)
        facts["array"] = {"name": row.array, "sha256": row.sha256, "shape": shape, "dtype": row.dtype}
    return facts


def _kept(outcome: Outcome) -> str:
    """Write the outcome without what other tables hold in full: environment, and measurements where they are rows."""
    elsewhere = {"environment", "measurements"} if outcome.status is Status.OK else {"environment"}
    raw = json.loads(outcome.model_dump_json(exclude=elsewhere))
    return canonical({"measurements": []} | raw)


def _run(connection: Connection, outcome: Outcome, ids: Ids) -> dict[str, Any]:
    job, protocol = outcome.job, outcome.protocol
    facts = protocol.model_dump(exclude={"name", "version", "limit", "facts"}) if protocol else {}
    artifact, content = _subject(outcome)
    return {
        "name": job.run,
        "citation": outcome.citation.line if outcome.citation else None,
        "job_id": _job(connection, outcome, ids),
        "environment_id": _environment(connection, outcome.environment, ids),
        **outcome.model_dump(include={"reason", "origin", "started", "seconds", "written_by", "provider"}),
        "counts_from": max(outcome.started, outcome.job.not_before or outcome.started),
        "status": outcome.status.value,
        **job.model_dump(include={"session", "round", "order"}),
        "protocol": protocol.name if protocol else None,
        "protocol_version": protocol.version if protocol else None,
        "artifact": artifact,
        "artifact_content": content,
        "notes": noted(outcome.notes),
        **facts,
    }


def _subject(outcome: Outcome) -> tuple[str | None, str | None]:
    """Name the artifact that a run made or measured, and its content hash where it is known."""
    if outcome.artifact is not None:
        return outcome.artifact.id, outcome.artifact.content
    spec = outcome.job.spec
    if isinstance(spec, BuildSpec) or outcome.job.kind == "reference":
        return outcome.job.artifact, None
    inputs = outcome.inputs or outcome.job.inputs
    return spec.artifact, next((item.content for item in inputs if item.role == "artifact"), None)


def _scheme(connection: Connection, outcome: Outcome, content: str | None, ids: Ids) -> dict[str, Any]:
    """Give a run its scheme: what it says itself, else what the build of this content said; whichever is ingested first."""
    said = outcome.scheme or (outcome.artifact.scheme if outcome.artifact else None)
    found: tuple[str | None, float | None] = (said.text, said.bits_per_weight) if said else (None, None)
    if content is not None and said is not None and outcome.job.kind == "build":
        runs = table(m.RunRow)
        same = (runs.c.artifact_content == content) & runs.c.scheme.is_(None)
        connection.execute(runs.update().where(same).values(scheme=found[0], bits_per_weight=found[1]))
        ids.schemes[content] = found
    elif content is not None and said is None:
        if content not in ids.schemes:
            ids.schemes[content] = _scheme_of(connection, content)
        found = ids.schemes[content]
    return {"scheme": found[0], "bits_per_weight": found[1]}


def _scheme_of(connection: Connection, content: str) -> tuple[str | None, float | None]:
    runs, jobs = table(m.RunRow), table(m.JobRow)
    query = select(runs.c.scheme, runs.c.bits_per_weight).join(jobs, jobs.c.id == runs.c.job_id)
    query = query.where(runs.c.artifact_content == content, jobs.c.kind == "build", runs.c.scheme.is_not(None)).limit(1)
    found = connection.execute(query).first()
    return (None, None) if found is None else (found[0], found[1])


def _job(connection: Connection, outcome: Outcome, ids: Ids) -> int:
    key = outcome.job.key
    if key not in ids.jobs:
        ids.jobs[key] = _job_row(connection, outcome)
    return ids.jobs[key]


def _job_row(connection: Connection, outcome: Outcome) -> int:
    job = outcome.job
    found = connection.execute(select(m.JobRow.id).where(m.JobRow.key == job.key)).scalar()
    if found is not None:
        return found
    spec = job.spec
    row = {"key": job.key, "kind": job.kind, "spec": canonical(spec.model_dump(mode="json"))}
    if isinstance(spec, MeasureSpec):
        row |= {"probe": spec.probe, "engine": spec.engine, "engine_options": engine_options(spec)}
        row |= workload_columns(spec)
    else:
        row |= {"quantizer": spec.quantizer}
    return _insert(connection, m.JobRow, row)


def _environment(connection: Connection, environment: Environment, ids: Ids) -> int:
    text = environment.model_dump_json()
    if text not in ids.environments:
        ids.environments[text] = _environment_row(connection, environment)
    return ids.environments[text]


def _environment_row(connection: Connection, environment: Environment) -> int:
    raw = environment.model_dump(mode="json")
    name = digest(raw)
    found = connection.execute(select(m.EnvironmentRow.id).where(m.EnvironmentRow.digest == name)).scalar()
    if found is not None:
        return found
    gpus = environment.gpus
    plain = {"name", "python", "system", "machine", "cpu", "cores", "memory_bytes", "box", "cuda", "harness"}
    row = {
        "digest": name,
        **environment.model_dump(include=plain),
        "gpu": " + ".join(dict.fromkeys(gpu.name for gpu in gpus)) or None,
        "driver": gpus[0].driver if gpus else None,
        "json": canonical(raw),
    }
    return _insert(connection, m.EnvironmentRow, row)


def _inputs(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"ordinal": place, "role": item.role, "artifact": item.id, "content": item.content}
        for place, item in enumerate(outcome.inputs or outcome.job.inputs)
    ]


def _artifact(outcome: Outcome) -> dict[str, Any]:
    assert outcome.artifact is not None
    row = outcome.artifact.model_dump(exclude={"scheme"})
    raw = json.loads(outcome.artifact.model_dump_json(include={"layers", "facts"}))
    return row | {name: canonical(raw[name]) for name in ("layers", "facts")}


def _measurements(run: int, measurements: Sequence[Measurement], quantities: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run,
            "ordinal": place,
            "quantity_id": quantity,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "n": item.n,
            "samples": packed_few(item.samples),
            "array": item.array.name if item.array else None,
        }
        for place, (item, quantity) in enumerate(zip(measurements, quantities, strict=True))
    ]


_VALUES = ("value", "low", "high", "n")
_QUANTITY = ("metric", "metric_version", "part", "unit", "interval", "source", "items")
_COMPARED = ("comparison", "baseline")
_NAMED = attrgetter(*_QUANTITY, "better")


def _quantity(item: Measurement) -> dict[str, Any]:
    plain = {name: getattr(item, name) for name in _QUANTITY}
    compared = {"comparison": item.comparison, "baseline": canonical(item.baseline)} if item.comparison else {}
    return plain | {"better": item.better} | dict.fromkeys(_COMPARED) | compared


def _quantity_key(item: Measurement) -> str:
    """Name a quantity; what few of them have stands in the name only where it is said."""
    values = _quantity(item)
    named = [values[name] for name in (*_QUANTITY, *(_COMPARED if item.comparison else ()))]
    return canonical([*named, {"better": item.better}] if item.better else named)


def _quantity_id(connection: Connection, item: Measurement, ids: Ids) -> int:
    seen = _NAMED(item) if item.comparison is None else _quantity_key(item)
    if seen not in ids.quantities:
        ids.quantities[seen] = _quantity_row(connection, item)
    return ids.quantities[seen]


def _quantity_row(connection: Connection, item: Measurement) -> int:
    key = _quantity_key(item)
    found = connection.execute(select(m.QuantityRow.id).where(m.QuantityRow.key == key)).scalar()
    return _insert(connection, m.QuantityRow, {"key": key, **_quantity(item)}) if found is None else found


def _place(connection: Connection, key: str, environment: str, labels: Iterable[Labels], ids: Ids) -> None:
    places = table(m.PlacementRow)
    for label in labels:
        row = {"job_key": key, "environment": environment, **label.model_dump()}
        if tuple(row.values()) not in ids.labels:
            same = [places.c[name] == value for name, value in row.items()]
            if connection.execute(select(places.c.id).where(*same)).first() is None:
                connection.execute(insert(places), row)
            ids.labels.add(tuple(row.values()))


def _insert(connection: Connection, kind: type[m.Row], row: dict[str, Any]) -> int:
    key = connection.execute(insert(table(kind)), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _many(connection: Connection, kind: type[m.Row], rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table(kind)), rows)
