"""The tables: facts only, one row per fact, every dimension a real column.

An index stands where a question of ours reads it (`tests/unit/store/test_indexes.py` holds each against its question). What describes
a number (metric, slice, unit, source, ...) lives in `quantity`, which has a few hundred rows, so that a measurement is a narrow row.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from harness.store.row import Row


class EnvironmentRow(Row):
    """A place where jobs ran, as it was found; equal descriptions are one row."""

    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    """sha256 of the canonical JSON; its first twelve digits are the frame's `environment_id`."""
    name: Mapped[str]
    python: Mapped[str]
    system: Mapped[str]
    machine: Mapped[str]
    cpu: Mapped[str]
    cores: Mapped[int | None]
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    machine_id: Mapped[str] = mapped_column("box", key="machine_id")
    gpu: Mapped[str | None]
    """Name of the GPU; different ones are joined by ` + `."""
    driver: Mapped[str | None]
    cuda: Mapped[str | None]
    harness: Mapped[str]
    json: Mapped[str] = mapped_column(Text)


class JobRow(Row):
    """A unit of work by its key; the same for whoever asks for it."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    quantizer: Mapped[str | None]
    probe: Mapped[str | None]
    engine: Mapped[str | None]
    engine_options: Mapped[str | None] = mapped_column(Text)
    """Canonical JSON, defaults included."""
    workload: Mapped[str | None] = mapped_column(Text)
    """What of the workload has no column of its own: canonical JSON, defaults included. A table shows of it what differs, or one option, as `workload.run`."""
    # Counts are whole; what is not stands in `workload`.
    batch: Mapped[int | None] = mapped_column(BigInteger)
    prompt: Mapped[int | None] = mapped_column(BigInteger)
    output: Mapped[int | None] = mapped_column(BigInteger)
    depth: Mapped[int | None] = mapped_column(BigInteger)
    concurrency: Mapped[int | None] = mapped_column(BigInteger)
    request_rate: Mapped[float | None]
    shots: Mapped[int | None] = mapped_column(BigInteger)
    limit: Mapped[int | None] = mapped_column(BigInteger)
    window: Mapped[int | None] = mapped_column(BigInteger)
    stride: Mapped[int | None] = mapped_column(BigInteger)
    text: Mapped[str | None]
    task: Mapped[str | None]
    tokens: Mapped[int | None] = mapped_column(BigInteger)
    spec: Mapped[str] = mapped_column(Text)


class RunRow(Row):
    """One attempt at a job in one environment, whatever became of it."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint("seconds >= 0", name="seconds"),
        Index("ix_run_job_id", "job_id"),
        Index("ix_run_environment_id", "environment_id"),
        Index("ix_run_configuration_id_counts_from", "configuration_id", "counts_from", "name", "session"),
        Index("ix_run_configuration_id_session", "configuration_id", "session"),
        Index("ix_run_session_counts_from", "session", "counts_from"),
        Index("ix_run_origin_counts_from", "origin", "counts_from"),
        Index("ix_run_status", "status"),
        Index("ix_run_written_by", "written_by"),
        Index("ix_run_artifact", "artifact"),
        Index("ix_run_artifact_content", "artifact_content"),
        Index("ix_run_sitting", "sitting"),
        # Of PostgreSQL the migration says the same; said here, its whole dialect is imported by every command.
        Index("ix_run_newest", "series", sqlite_where=text("newest")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"))
    status: Mapped[str]
    """What became of it; `void` where a person said that it does not count: such a run has no measurements here."""
    reason: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str]
    started: Mapped[datetime]
    """As the clock of its machine said."""
    counts_from: Mapped[datetime | None]
    """Orders runs: as the clock said, but never before what the results folder had seen when it began."""
    seconds: Mapped[float]
    session: Mapped[str]
    round: Mapped[int]
    order: Mapped[int]
    written_by: Mapped[str]
    provider: Mapped[str | None]
    dtype: Mapped[str | None]
    protocol: Mapped[str | None]
    protocol_version: Mapped[int | None]
    gpu_count: Mapped[int | None]
    """GPUs that the measurement used, as its protocol says."""
    artifact: Mapped[str | None]
    artifact_content: Mapped[str | None]
    scheme: Mapped[str | None]
    """Which weights of the artifact are quantized and how; of a measurement that of the build with the same content."""
    bits_per_weight: Mapped[float | None]
    executed: Mapped[str | None]
    """What the engine really ran, after all that its runtime changed, in one line; `not reported` where its program says nothing."""
    recipe_options: Mapped[str | None] = mapped_column(Text)
    """What the artifact was built with, defaults included: canonical JSON; of a measurement that of the artifact's build."""
    scored: Mapped[int | None]
    skipped: Mapped[int | None]
    truncated: Mapped[int | None]
    warmups: Mapped[int | None]
    repetitions: Mapped[int | None]
    bos: Mapped[bool | None]
    prompt_tokens: Mapped[int | None]
    beyond_trained: Mapped[int | None]
    citation: Mapped[str | None]
    """Where a number that was not measured here stands, in one line."""
    configuration_id: Mapped[int | None] = mapped_column(ForeignKey("configuration.id"))
    """None only between a bulk load and `configurations.fill`."""
    series: Mapped[str | None] = mapped_column(String(12))
    """Names its history: job, GPU model and machine. What changes along it (driver, packages, environment) starts no new one."""
    newest: Mapped[bool] = mapped_column(server_default=false())
    """Whether it stands for its series in the view `latest`: the newest good run of its environment and origin."""
    sitting: Mapped[str | None] = mapped_column(String(12))
    """The rounds that this run is one of, by the hash of what they share: job, session, place. None for what failed or was not measured here."""
    notes: Mapped[str | None] = mapped_column(Text)
    """Canonical JSON of the outcome's notes, and of the one that a person left; None where there are none."""
    results: Mapped[str | None] = mapped_column(String(12))
    """Id of the results folder that holds its run folder; None where it came without one, as from a published file."""


class ConfigurationRow(Row):
    """Runs that a table can tell apart only by when they ran: of these the newest session can stand for all."""

    __tablename__ = "configuration"
    __table_args__ = (Index("ix_configuration_job_id", "job_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    environment: Mapped[str]
    """Name of the environment: with the job's key what a placement speaks of."""
    quantities: Mapped[str] = mapped_column(Text)
    """Which variants each of its runs gave, by their ids, in their order; JSON."""


class OutcomeRow(Row):
    """The outcome as it was written, without what other tables hold in full; kept apart so that runs stay narrow."""

    __tablename__ = "outcome"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    json: Mapped[str] = mapped_column(Text)


class MetricVariantRow(Row):
    """What a number is a number of."""

    __tablename__ = "quantity"
    __table_args__ = (Index("ix_quantity_metric", "metric"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    """Canonical JSON of the other columns: unique also where some are absent."""
    metric: Mapped[str]
    metric_version: Mapped[int]
    slice: Mapped[str] = mapped_column("part", key="slice")
    unit: Mapped[str]
    interval: Mapped[str | None]
    source: Mapped[str | None]
    items: Mapped[str | None]
    better: Mapped[str | None]
    """Direction, where the metric's own record does not say it."""
    comparison: Mapped[str | None]
    """Of a ratio that was published without its inputs."""
    baseline: Mapped[str | None]
    """Canonical JSON of what such a ratio is to."""


class MeasurementRow(Row):
    """One value; clustered by run."""

    __tablename__ = "measurement"
    __table_args__ = (
        CheckConstraint("n >= 1", name="n"),
        Index("ix_measurement_quantity_id", "quantity_id"),
        {"sqlite_with_rowid": False},
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    quantity_id: Mapped[int] = mapped_column(ForeignKey("quantity.id"))
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


class LabelRow(Row):
    """What people call a job in an environment; it may be called several things."""

    __tablename__ = "placement"
    __table_args__ = (
        UniqueConstraint("job_key", "environment", "sweep", "block", "model", "method", "recipe", "reference"),
        Index("ix_placement_sweep", "sweep"),
        Index("ix_placement_model", "model"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_key: Mapped[str]
    environment: Mapped[str]
    sweep: Mapped[str]
    block: Mapped[str]
    model: Mapped[str]
    method: Mapped[str]
    recipe: Mapped[str]
    reference: Mapped[str]


class SessionRow(Row):
    """A command that asked for jobs."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    sweep: Mapped[str]
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    plan: Mapped[str]
    """sha256 of the plan."""
