"""The rows that an outcome refers to, found or made: job, environment, variant, and what people call a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, insert, select

from harness.core.identity import canonical, digest
from harness.core.outcome import Environment, Measurement, Outcome
from harness.core.spec import Labels, MeasureSpec
from harness.store import models as m
from harness.store.configurations import Ids
from harness.store.row import Row, table
from harness.store.workload import engine_options, workload_columns

FACTS = ("metric", "metric_version", "slice", "unit", "interval", "source", "items")
"""Columns of a variant that every measurement has."""
COMPARED = ("comparison", "baseline")
"""Those of a ratio that was published without its inputs."""
_NAMED = attrgetter(*FACTS, "better")


def job_id(connection: Connection, outcome: Outcome, ids: Ids) -> int:
    """Return the row of an outcome's job."""
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
    text = canonical(spec.model_dump(mode="json"))
    row: dict[str, str | float | None] = {"key": job.key, "kind": job.kind, "spec": text}
    if isinstance(spec, MeasureSpec):
        row |= {"probe": spec.probe, "engine": spec.engine, "engine_options": engine_options(spec)}
        row |= workload_columns(spec)
    else:
        row |= {"quantizer": spec.quantizer}
    return insert_one(connection, m.JobRow, row)


def environment_id(connection: Connection, environment: Environment, ids: Ids) -> int:
    """Return the row of an environment."""
    text = environment.model_dump_json()
    if text not in ids.environments:
        ids.environments[text] = environment_row(connection, environment)
    return ids.environments[text]


def gpu_of(environment: Environment) -> str | None:
    """Name the GPU; different ones are joined by ` + `."""
    return " + ".join(dict.fromkeys(gpu.name for gpu in environment.gpus)) or None


def environment_row(connection: Connection, environment: Environment) -> int:
    """Return the row of an environment that this connection has not seen yet."""
    raw = environment.model_dump(mode="json")
    name = digest(raw)
    found = connection.execute(select(m.EnvironmentRow.id).where(m.EnvironmentRow.digest == name)).scalar()
    if found is not None:
        return found
    plain = {"name", "python", "system", "machine", "cpu", "cores", "memory_bytes", "machine_id", "cuda", "harness"}
    row = {
        "digest": name,
        **environment.model_dump(include=plain, by_alias=False),
        "gpu": gpu_of(environment),
        "driver": environment.gpus[0].driver if environment.gpus else None,
        "json": canonical(raw),
    }
    return insert_one(connection, m.EnvironmentRow, row)


def _variant(item: Measurement) -> dict[str, Any]:
    plain = {name: getattr(item, name) for name in FACTS}
    compared = {"comparison": item.comparison, "baseline": canonical(item.baseline)} if item.comparison else {}
    return plain | {"better": item.better} | dict.fromkeys(COMPARED) | compared


def _variant_key(item: Measurement) -> str:
    """Name a quantity; what few of them have stands in the name only where it is said."""
    values = _variant(item)
    named = [values[name] for name in (*FACTS, *(COMPARED if item.comparison else ()))]
    return canonical([*named, {"better": item.better}] if item.better else named)


def quantity_id(connection: Connection, item: Measurement, ids: Ids) -> int:
    """Return the row of what a measurement is a number of."""
    seen = _NAMED(item) if item.comparison is None else _variant_key(item)
    if seen not in ids.variants:
        ids.variants[seen] = _variant_row(connection, item)
    return ids.variants[seen]


def _variant_row(connection: Connection, item: Measurement) -> int:
    key = _variant_key(item)
    found = connection.execute(select(m.MetricVariantRow.id).where(m.MetricVariantRow.key == key)).scalar()
    return insert_one(connection, m.MetricVariantRow, {"key": key, **_variant(item)}) if found is None else found


def label(connection: Connection, key: str, environment: str, labels: Iterable[Labels], ids: Ids) -> None:
    """Write what people call a job in an environment, where it is not there yet."""
    places = table(m.LabelRow)
    for one in labels:
        row = {"job_key": key, "environment": environment, **one.model_dump()}
        if tuple(row.values()) not in ids.labels:
            same = [places.c[name] == value for name, value in row.items()]
            if connection.execute(select(places.c.id).where(*same)).first() is None:
                connection.execute(insert(places), row)
            ids.labels.add(tuple(row.values()))


def insert_one(connection: Connection, kind: type[Row], row: Mapping[str, object]) -> int:
    """Insert a row and return its id."""
    key = connection.execute(insert(table(kind)), row).inserted_primary_key
    assert key is not None
    return int(key[0])
