"""Outcomes and what came of their verification, as an explanation asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.core.outcome import Outcome
from harness.core.spec import Status
from harness.probes import VERIFY
from harness.published.sources import NumberSource, rows_for
from harness.store.marking import LeftOut
from harness.tables.question import CellReader
from harness.tables.rows import TableRow, rows_of
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
    left_out: Callable[[str], Sequence[LeftOut]] = lambda _run: ()
    """By run, what a person does not let count of its job and place, in its session or since."""


def archive_of(source: NumberSource) -> Archive:
    """Make an archive of a source; each record is read once."""
    outcome: Callable[[str], Outcome] = lru_cache(maxsize=None)(source.database.marked.noted)
    makers = source.database.artifact_runs()
    return Archive(
        outcome,
        source.reader(),
        makers,
        lambda spec: rows_for(spec, source),
        lambda one: _sitting(source, one),
        lru_cache(maxsize=None)(lambda artifact, environment, engine: _verified(source, artifact, environment, engine)),
        source.database.marked.left_out,
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
