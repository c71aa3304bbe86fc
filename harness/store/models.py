"""The tables: facts only, one row per fact, every dimension a real column with an index where rows are many.

A column that a table of results can name is indexed in the table it lives in. What describes a number (metric, part,
unit, source, ...) lives in `quantity`, which has a few hundred rows, so that a measurement is a narrow row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Utc(TypeDecorator[datetime]):
    """An aware moment: on SQLite ISO text in UTC with six digits (sorts as it reads), elsewhere a timestamp with zone."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = String(32) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy calls it by name
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


class Row(DeclarativeBase):
    """What every table shares: naming of constraints and the types of columns."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: Utc()}  # noqa: RUF012 - SQLAlchemy's own spelling


class EnvironmentRow(Row):
    """A place where jobs ran, as it was found; equal descriptions are one row."""

    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    """sha256 of the canonical JSON; its first twelve digits are the frame's `environment_id`."""
    name: Mapped[str] = mapped_column(index=True)
    python: Mapped[str] = mapped_column(index=True)
    system: Mapped[str] = mapped_column(index=True)
    machine: Mapped[str]
    cpu: Mapped[str] = mapped_column(index=True)
    cores: Mapped[int | None] = mapped_column(index=True)
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    box: Mapped[str] = mapped_column(index=True)
    gpu: Mapped[str | None] = mapped_column(index=True)
    """Name of the GPU; different ones are joined by ` + `."""
    driver: Mapped[str | None] = mapped_column(index=True)
    cuda: Mapped[str | None] = mapped_column(index=True)
    harness: Mapped[str] = mapped_column(index=True)
    json: Mapped[str] = mapped_column(Text)


class JobRow(Row):
    """A unit of work by its key; the same for whoever asks for it."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(index=True)
    quantizer: Mapped[str | None] = mapped_column(index=True)
    probe: Mapped[str | None] = mapped_column(index=True)
    engine: Mapped[str | None] = mapped_column(index=True)
    engine_options: Mapped[str | None] = mapped_column(Text, index=True)
    """Canonical JSON, defaults included."""
    workload: Mapped[str | None] = mapped_column(Text, index=True)
    """What of the workload has no column of its own: canonical JSON, defaults included. A table shows of it what differs, or one option, as `workload.run`."""
    batch: Mapped[float | None] = mapped_column(index=True)
    prompt: Mapped[float | None] = mapped_column(index=True)
    output: Mapped[float | None] = mapped_column(index=True)
    depth: Mapped[float | None] = mapped_column(index=True)
    concurrency: Mapped[float | None] = mapped_column(index=True)
    request_rate: Mapped[float | None] = mapped_column(index=True)
    shots: Mapped[float | None] = mapped_column(index=True)
    limit: Mapped[float | None] = mapped_column(index=True)
    window: Mapped[float | None] = mapped_column(index=True)
    stride: Mapped[float | None] = mapped_column(index=True)
    text: Mapped[str | None] = mapped_column(index=True)
    task: Mapped[str | None] = mapped_column(index=True)
    tokens: Mapped[float | None] = mapped_column(index=True)
    spec: Mapped[str] = mapped_column(Text)


class RunRow(Row):
    """One attempt at a job in one environment, whatever became of it."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint("seconds >= 0", name="seconds"),
        Index("ix_run_series_id_counts_from", "series_id", "counts_from", "name", "session"),
        Index("ix_run_series_id_session", "series_id", "session"),
        Index("ix_run_session_counts_from", "session", "counts_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"), index=True)
    status: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(index=True)
    started: Mapped[datetime] = mapped_column(index=True)
    """As the clock of its machine said."""
    counts_from: Mapped[datetime | None] = mapped_column(index=True)
    """Orders runs: as the clock said, but never before what the results folder had seen when it began."""
    seconds: Mapped[float]
    session: Mapped[str]
    round: Mapped[int] = mapped_column(index=True)
    order: Mapped[int] = mapped_column(index=True)
    written_by: Mapped[str] = mapped_column(index=True)
    provider: Mapped[str | None] = mapped_column(index=True)
    dtype: Mapped[str | None] = mapped_column(index=True)
    protocol: Mapped[str | None] = mapped_column(index=True)
    protocol_version: Mapped[int | None] = mapped_column(index=True)
    gpu_count: Mapped[int | None] = mapped_column(index=True)
    """GPUs that the measurement used, as its protocol says."""
    artifact: Mapped[str | None] = mapped_column(index=True)
    artifact_content: Mapped[str | None] = mapped_column(index=True)
    scheme: Mapped[str | None] = mapped_column(index=True)
    """Which weights of the artifact are quantized and how; of a measurement that of the build with the same content."""
    bits_per_weight: Mapped[float | None] = mapped_column(index=True)
    scored: Mapped[int | None] = mapped_column(index=True)
    skipped: Mapped[int | None] = mapped_column(index=True)
    truncated: Mapped[int | None] = mapped_column(index=True)
    warmups: Mapped[int | None] = mapped_column(index=True)
    repetitions: Mapped[int | None] = mapped_column(index=True)
    bos: Mapped[bool | None] = mapped_column(index=True)
    prompt_tokens: Mapped[int | None] = mapped_column(index=True)
    beyond_trained: Mapped[int | None] = mapped_column(index=True)
    citation: Mapped[str | None] = mapped_column(index=True)
    """Where a number that was not measured here stands, in one line."""
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    """None only between a bulk load and `series.fill`."""
    sitting: Mapped[str | None] = mapped_column(String(12), index=True)
    """The rounds that this run is one of, by the hash of what they share: job, session, place. None for what failed or was not measured here."""
    notes: Mapped[str | None] = mapped_column(Text)
    """Canonical JSON of the outcome's notes; None where there are none."""


class ShapeRow(Row):
    """Which quantities a run gave, in their order; a few for each probe."""

    __tablename__ = "shape"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)


class ShapeQuantityRow(Row):
    """A quantity of a shape: where its measurement stands in every run of that shape."""

    __tablename__ = "shape_quantity"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own spelling

    shape_id: Mapped[int] = mapped_column(ForeignKey("shape.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    quantity_id: Mapped[int] = mapped_column(ForeignKey("quantity.id"), index=True)


class SeriesRow(Row):
    """Runs that a table can tell apart only by when they ran."""

    __tablename__ = "series"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    environment: Mapped[str]
    """Name of the environment: with the job's key what a placement speaks of."""
    shape_id: Mapped[int] = mapped_column(ForeignKey("shape.id"), index=True)


class OutcomeRow(Row):
    """The outcome as it was written, without what other tables hold in full; kept apart so that runs stay narrow."""

    __tablename__ = "outcome"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    json: Mapped[str] = mapped_column(Text)


class RunInputRow(Row):
    """What a run read, by role, with the content hash that was found."""

    __tablename__ = "run_input"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    artifact: Mapped[str] = mapped_column(index=True)
    content: Mapped[str | None] = mapped_column(index=True)


class ArtifactRow(Row):
    """A sealed folder, as the run that made it found it."""

    __tablename__ = "artifact"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    id: Mapped[str] = mapped_column(index=True)
    content: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int]
    weights_bytes: Mapped[int | None] = mapped_column(BigInteger)
    format: Mapped[str] = mapped_column(index=True)
    seconds: Mapped[float | None]
    peak_rss_bytes: Mapped[int | None] = mapped_column(BigInteger)
    layers: Mapped[str] = mapped_column(Text)
    facts: Mapped[str] = mapped_column(Text)


class QuantityRow(Row):
    """What a number is a number of."""

    __tablename__ = "quantity"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    """Canonical JSON of the other columns: unique also where some are absent."""
    metric: Mapped[str] = mapped_column(index=True)
    metric_version: Mapped[int] = mapped_column(index=True)
    part: Mapped[str] = mapped_column(index=True)
    unit: Mapped[str] = mapped_column(index=True)
    interval: Mapped[str | None] = mapped_column(index=True)
    source: Mapped[str | None] = mapped_column(index=True)
    items: Mapped[str | None] = mapped_column(index=True)
    better: Mapped[str | None] = mapped_column(index=True)
    """Direction, where the metric's own record does not say it."""
    comparison: Mapped[str | None] = mapped_column(index=True)
    """Of a ratio that was published without its inputs."""
    baseline: Mapped[str | None] = mapped_column(index=True)
    """Canonical JSON of what such a ratio is to."""


class MeasurementRow(Row):
    """One value; clustered by run."""

    __tablename__ = "measurement"
    __table_args__ = (CheckConstraint("n >= 1", name="n"), {"sqlite_with_rowid": False})

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    quantity_id: Mapped[int] = mapped_column(ForeignKey("quantity.id"), index=True)
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[int]
    samples: Mapped[bytes | None]
    """Its own few samples, little-endian float64; None where they are in an array, or there are none."""
    array: Mapped[str | None]
    """Name of its array in `samples`."""


class SummaryRow(Row):
    """A speed or memory over the rounds of a sitting, as tables show it; made at ingest from their measurements."""

    __tablename__ = "summary"
    __table_args__ = (CheckConstraint("rounds >= 1", name="rounds"), {"sqlite_with_rowid": False})

    sitting: Mapped[str] = mapped_column(String(12), primary_key=True)
    quantity_id: Mapped[int] = mapped_column(ForeignKey("quantity.id"), primary_key=True)
    value: Mapped[float]
    """Mean over the rounds: of rates all work over all seconds."""
    low: Mapped[float | None]
    high: Mapped[float | None]
    """Student's 95 % interval between rounds, on the log scale; none below three rounds."""
    rounds: Mapped[int]
    round_values: Mapped[str] = mapped_column(Text)
    """JSON list of [round, order, value], with a fourth where it is known: the value at one pace of the machine."""
    marks: Mapped[str | None] = mapped_column(Text)
    """Canonical JSON of the notes of all rounds that mark the number, and of what their comparison shows."""


class SamplesRow(Row):
    """An array: here where it is small, else only its hash and shape, and the values in the run folder's arrays.npz."""

    __tablename__ = "samples"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    """Of the C-ordered bytes."""
    shape: Mapped[str]
    dtype: Mapped[str]
    codec: Mapped[str | None]
    """`raw` or `zlib`; None where the values are not here."""
    data: Mapped[bytes | None]


class PlacementRow(Row):
    """What people call a job in an environment; it may be called several things."""

    __tablename__ = "placement"
    __table_args__ = (
        UniqueConstraint("job_key", "environment", "sweep", "block", "model", "method", "recipe", "reference"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_key: Mapped[str]
    environment: Mapped[str]
    sweep: Mapped[str] = mapped_column(index=True)
    block: Mapped[str] = mapped_column(index=True)
    model: Mapped[str] = mapped_column(index=True)
    method: Mapped[str] = mapped_column(index=True)
    recipe: Mapped[str] = mapped_column(index=True)
    reference: Mapped[str] = mapped_column(index=True)


class SessionRow(Row):
    """A command that asked for jobs."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    sweep: Mapped[str] = mapped_column(index=True)
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    plan: Mapped[str]
    """sha256 of the plan."""
