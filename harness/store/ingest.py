"""Turn outcomes and sessions into rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from harness.core.outcome import Measurement, Outcome
from harness.core.spec import BuildSpec, Labels, Status
from harness.store import models as m
from harness.store import newest
from harness.store.arrays import StoredArray, packed_few
from harness.store.artifacts import told_of_artifact
from harness.store.configurations import Ids, configuration_of, series_of
from harness.store.dimensions import environment_id, gpu_of, insert_one, job_id, label, quantity_id
from harness.store.outcomes import kept_text
from harness.store.row import Row, table
from harness.store.session import SessionRecord
from harness.store.sittings import name_of, noted, settle


def write_outcome(connection: Connection, outcome: Outcome, arrays: Sequence[StoredArray]) -> bool:
    """Write all rows of an outcome; False where its run is there already. The caller holds the transaction."""
    return write_outcomes(connection, [(outcome, arrays)], Ids()) == 1


def write_outcomes(connection: Connection, batch: Sequence[tuple[Outcome, Sequence[StoredArray]]], ids: Ids) -> int:
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
        if found:
            connection.execute(insert(table(kind)), found)
    settle(connection, rows.measured)
    newest.advance(connection, rows.good)
    return rows.runs


@dataclass
class _Rows:
    """What a batch will insert, by table in an order that foreign keys allow."""

    runs: int = 0
    good: list[int] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    """Runs that were measured here and are ok: they sit with the other rounds of their session."""
    by_table: dict[type[Row], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, kind: type[Row], rows: Iterable[dict[str, Any]]) -> None:
        self.by_table.setdefault(kind, []).extend(rows)


def _known_runs(connection: Connection, names: Sequence[str]) -> set[str]:
    return set(connection.execute(select(m.RunRow.name).where(m.RunRow.name.in_(names))).scalars())


def _take(connection: Connection, outcome: Outcome, arrays: Sequence[StoredArray], ids: Ids, rows: _Rows) -> None:
    """Insert the run and what it refers to, and set the rest of its rows aside."""
    good = outcome.status is Status.OK  # a number of a run that failed must not reach a table
    variants = [quantity_id(connection, item, ids) for item in outcome.measurements] if good else []
    row = _run(connection, outcome, ids)
    row |= told_of_artifact(connection, outcome, (row["artifact"], row["artifact_content"]), ids)
    sits = good and outcome.origin == "measured"
    row["sitting"] = name_of(row, outcome.job.key, outcome.environment.model_dump(mode="json")) if sits else None
    run = insert_one(connection, m.RunRow, row | {"configuration_id": configuration_of(connection, ids, row, variants)})
    rows.add(m.OutcomeRow, [{"run_id": run, "json": kept_text(outcome)}])
    if sits:
        rows.measured.append(run)
    if good:
        rows.good.append(run)
        rows.add(m.MeasurementRow, _measurements(run, outcome.measurements, variants))
        rows.add(m.SamplesRow, [{"run_id": run, **asdict(array)} for array in arrays])
    if outcome.job.labels != Labels():
        label(connection, outcome.job.key, outcome.environment.name, [outcome.job.labels], ids)


def forget_reported(connection: Connection, sessions: set[str], keep: set[str]) -> int:
    """Delete reported runs of these sessions, all their rows, but for those to keep."""
    runs = table(m.RunRow)
    query = select(runs.c.id, runs.c.name, runs.c.series)
    found = connection.execute(query.where(runs.c.origin == "reported", runs.c.session.in_(sessions))).all()
    rows = [row for row in found if row.name not in keep]
    gone = [row.id for row in rows]
    for kind in (m.MeasurementRow, m.SamplesRow, m.OutcomeRow):
        of_runs = table(kind)
        connection.execute(of_runs.delete().where(of_runs.c.run_id.in_(gone)))
    connection.execute(runs.delete().where(runs.c.id.in_(gone)))
    if gone:
        newest.settle(connection, {row.series for row in rows})
    return len(gone)


def write_session(connection: Connection, session: SessionRecord) -> None:
    """Write a session and what it calls its jobs; written again, it takes the newer `finished`."""
    row = session.model_dump(include={"sweep", "started", "finished", "plan"})
    found = connection.execute(select(m.SessionRow.id).where(m.SessionRow.name == session.session)).scalar()
    if found is None:
        insert_one(connection, m.SessionRow, {"name": session.session, **row})
    else:
        sessions = table(m.SessionRow)
        connection.execute(sessions.update().where(sessions.c.id == found).values(**row))
    ids = Ids()
    for job in session.jobs:
        label(connection, job.key, job.environment, [labels for labels in job.labels if labels != Labels()], ids)


def _run(connection: Connection, outcome: Outcome, ids: Ids) -> dict[str, Any]:
    job, protocol = outcome.job, outcome.protocol
    facts = protocol.model_dump(exclude={"name", "version", "limit", "facts"}) if protocol else {}
    artifact, content = _subject(outcome)
    return {
        "name": job.run,
        "citation": outcome.citation.line if outcome.citation else None,
        "job_id": job_id(connection, outcome, ids),
        "environment_id": environment_id(connection, outcome.environment, ids),
        "series": series_of(job.key, gpu_of(outcome.environment), outcome.environment.machine_id),
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


def _measurements(run: int, measurements: Sequence[Measurement], variants: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run,
            "ordinal": place,
            "quantity_id": variant,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "n": item.n,
            "samples": packed_few(item.samples),
            "array": item.array.name if item.array else None,
        }
        for place, (item, variant) in enumerate(zip(measurements, variants, strict=True))
    ]
