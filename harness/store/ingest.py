"""Turn outcomes and sessions into rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from harness.store.mark import NO_MARK, VOID, RunMark
from harness.store.outcomes import kept_text
from harness.store.row import Row, table
from harness.store.session import SessionRecord
from harness.store.sittings import name_of, noted, settle


@dataclass(frozen=True)
class SaidOfRuns:
    """What is said of runs beside their outcomes."""

    marks: Mapping[str, RunMark] = field(default_factory=dict)
    """By run, what a person said of it."""
    results: str | None = None
    """Id of the results folder that holds their folders."""


def write_outcomes(
    connection: Connection,
    batch: Sequence[tuple[Outcome, Sequence[StoredArray]]],
    ids: Ids,
    kept: SaidOfRuns | None = None,
) -> int:
    """Write all rows of outcomes whose runs are not there yet; return how many. The caller holds the transaction.

    ids: what the caller has seen before; no longer good where the transaction fails.
    """
    known = _known_runs(connection, [outcome.job.run for outcome, _ in batch])
    rows = _Rows(kept or SaidOfRuns())
    for outcome, arrays in batch:
        if outcome.job.run not in known:
            known.add(outcome.job.run)
            _take(connection, outcome, arrays, ids, rows)
            rows.runs += 1
    rows.write(connection)
    return rows.runs


def rewrite_outcome(
    connection: Connection, outcome: Outcome, arrays: Sequence[StoredArray], kept: SaidOfRuns, run: int
) -> None:
    """Write the rows of a run that is there anew, in its place, as what is said of it has changed. The caller holds the transaction."""
    for kind in OF_A_RUN:
        connection.execute(table(kind).delete().where(table(kind).c.run_id == run))
    rows = _Rows(kept)
    _take(connection, outcome, arrays, Ids(), rows, run)
    rows.write(connection)


OF_A_RUN = (m.MeasurementRow, m.SamplesRow, m.OutcomeRow)
"""Tables that hold rows of a run."""


@dataclass
class _Rows:
    """What a batch will insert, by table in an order that foreign keys allow."""

    kept: SaidOfRuns
    runs: int = 0
    good: list[int] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    """Runs that were measured here and are ok: they sit with the other rounds of their session."""
    by_table: dict[type[Row], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, kind: type[Row], rows: Iterable[dict[str, Any]]) -> None:
        self.by_table.setdefault(kind, []).extend(rows)

    def write(self, connection: Connection) -> None:
        for kind, found in self.by_table.items():
            if found:
                connection.execute(insert(table(kind)), found)
        settle(connection, self.measured)
        newest.advance(connection, self.good)


def _known_runs(connection: Connection, names: Sequence[str]) -> set[str]:
    return set(connection.execute(select(m.RunRow.name).where(m.RunRow.name.in_(names))).scalars())


def _take(
    connection: Connection,
    outcome: Outcome,
    arrays: Sequence[StoredArray],
    ids: Ids,
    rows: _Rows,
    there: int | None = None,
) -> None:
    """Insert the run and what it refers to, and set the rest of its rows aside. there: id of its row, which is written anew."""
    mark = rows.kept.marks.get(outcome.job.run, NO_MARK)
    # A number of a run that failed must not reach a table, nor one that a person does not let count.
    good = outcome.status is Status.OK and not mark.void
    variants = [quantity_id(connection, item, ids) for item in outcome.measurements] if good else []
    row = _run(connection, outcome, ids, mark) | {"results": rows.kept.results}
    row |= told_of_artifact(connection, outcome, (row["artifact"], row["artifact_content"]), ids)
    sits = good and outcome.origin == "measured"
    row["sitting"] = name_of(row, outcome.job.key, outcome.environment.model_dump(mode="json")) if sits else None
    row["configuration_id"] = configuration_of(connection, ids, row, variants)
    run = insert_one(connection, m.RunRow, row) if there is None else _anew(connection, there, row)
    rows.add(m.OutcomeRow, [{"run_id": run, "json": kept_text(outcome, rows=good)}])
    if sits:
        rows.measured.append(run)
    if good:
        rows.good.append(run)
        rows.add(m.MeasurementRow, _measurements(run, outcome.measurements, variants))
        rows.add(m.SamplesRow, [{"run_id": run, **asdict(array)} for array in arrays])
    if outcome.job.labels != Labels():
        label(connection, outcome.job.key, outcome.environment.name, [outcome.job.labels], ids)


def _anew(connection: Connection, run: int, row: Mapping[str, Any]) -> int:
    runs = table(m.RunRow)
    connection.execute(runs.update().where(runs.c.id == run).values(**row, newest=False))
    return run


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


def _run(connection: Connection, outcome: Outcome, ids: Ids, mark: RunMark) -> dict[str, Any]:
    job, protocol = outcome.job, outcome.protocol
    facts = protocol.model_dump(exclude={"name", "version", "limit", "facts"}) if protocol else {}
    artifact, content = _subject(outcome)
    return {
        "name": job.run,
        "citation": outcome.citation.line if outcome.citation else None,
        "job_id": job_id(connection, outcome, ids),
        "environment_id": environment_id(connection, outcome.environment, ids),
        "series": series_of(job.key, gpu_of(outcome.environment), outcome.environment.machine_id),
        **outcome.model_dump(include={"origin", "started", "seconds", "written_by", "provider"}),
        "counts_from": max(outcome.started, outcome.job.not_before or outcome.started),
        "status": VOID if mark.void else outcome.status.value,
        "reason": mark.void or outcome.reason,
        **job.model_dump(include={"session", "round", "order"}),
        "protocol": protocol.name if protocol else None,
        "protocol_version": protocol.version if protocol else None,
        "executed": outcome.executed.text if outcome.executed else None,
        "artifact": artifact,
        "artifact_content": content,
        "notes": noted((*outcome.notes, *mark.notes)),
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
