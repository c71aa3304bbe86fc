"""An outcome as the database keeps it, and put together again from there."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from harness.core.errors import HarnessError
from harness.core.identity import canonical
from harness.core.outcome import Outcome
from harness.core.spec import Status
from harness.store import models as m
from harness.store.arrays import unpacked_few
from harness.store.dimensions import COMPARED, FACTS
from harness.store.row import table

_VALUES = ("value", "low", "high", "n")


def kept_text(outcome: Outcome, *, rows: bool = True) -> str:
    """Write the outcome without what other tables hold in full: environment, and measurements where they are `rows`."""
    elsewhere = {"environment", "measurements"} if rows and outcome.status is Status.OK else {"environment"}
    raw = json.loads(outcome.model_dump_json(exclude=elsewhere))
    return canonical({"measurements": []} | raw)


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
    try:
        raw = json.loads(found[1])
        raw["environment"] = json.loads(found[2])
        raw["measurements"] = raw["measurements"] or _read_measurements(connection, found[0])
        return Outcome.model_validate_json(json.dumps(raw))
    except (ValueError, LookupError, TypeError) as error:
        raise HarnessError(
            f"the database holds no sound outcome of run '{run}' ({str(error).splitlines()[0]}); put a copy of it in its place, or move it "
            "away and run `harness ingest`, which rebuilds it from the run folders"
        ) from error


def _read_measurements(connection: Connection, run: int) -> list[dict[str, Any]]:
    items, variants, arrays = table(m.MeasurementRow), table(m.MetricVariantRow), table(m.SamplesRow)
    same = (arrays.c.run_id == items.c.run_id) & (arrays.c.name == items.c.array)
    query = (
        select(
            *[variants.c[name] for name in (*FACTS, "better", *COMPARED)],
            *[items.c[name] for name in _VALUES],
            *[items.c.samples, items.c.array, arrays.c.sha256, arrays.c.shape, arrays.c.dtype],
        )
        .select_from(items.join(variants, variants.c.id == items.c.quantity_id).outerjoin(arrays, same))
        .where(items.c.run_id == run)
        .order_by(items.c.ordinal)
    )
    return [_measurement(row) for row in connection.execute(query)]


def _measurement(row: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(row, name) for name in (*FACTS, *_VALUES)}
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
