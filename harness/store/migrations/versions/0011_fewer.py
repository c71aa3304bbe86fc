"""Twelve tables and few indexes; counts that are whole; options of recipes; series, and what stands for each in `latest`.

What older migrations had filled by code of their time is filled here, from the same facts. There is no way back: an older
harness reads a copy of the older file.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from harness.core.spec import MeasureSpec
from harness.store import artifacts, configurations, newest
from harness.store.workload import workload_columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COUNTS = ("batch", "prompt", "output", "depth", "concurrency", "shots", "limit", "window", "stride", "tokens")
GONE = {
    "environment": "box cores cpu cuda driver gpu harness name python system",
    "job": "batch concurrency depth engine engine_options kind limit output probe prompt quantizer request_rate shots stride "
    "task text tokens window workload",
    "placement": "block method recipe reference",
    "quantity": "baseline better comparison interval items metric_version part source unit",
    "session": "sweep",
    "run": "beyond_trained bits_per_weight bos citation counts_from dtype gpu_count order origin prompt_tokens protocol "
    "protocol_version provider repetitions round scheme scored series_id_counts_from series_id_session skipped started "
    "truncated warmups",
}
"""Indexes that no question reads, or that stand elsewhere from now on."""
MADE = (
    ("ix_run_configuration_id_counts_from", ["configuration_id", "counts_from", "name", "session"]),
    ("ix_run_configuration_id_session", ["configuration_id", "session"]),
    ("ix_run_origin_counts_from", ["origin", "counts_from"]),
)
REFERENCE = (
    "ALTER TABLE run ADD COLUMN configuration_id INTEGER "
    "CONSTRAINT fk_run_configuration_id_configuration REFERENCES configuration (id)"
)
ABOUT = """
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, r.recipe_options, j.kind, j.quantizer, j.probe, j.engine,
    j.engine_options, e.name AS environment, r.provider, r.dtype, e.gpu, r.gpu_count, e.driver, e.cuda, e.box AS machine, e.cpu,
    e.cores, e.system, e.python, e.harness, j.batch, j.prompt, j.output, j.depth, j.concurrency, j.request_rate, j.shots,
    j."limit", j."window", j.stride, j.tokens, j."text", j.task, j.workload, q.metric, q.metric_version, q.part AS slice,
    q.unit, q.source, q.items, q.better, q.comparison, q.baseline"""
RUN = """
    r.status, r.reason, r.origin, r.citation, r.protocol, r.protocol_version, r.warmups, r.repetitions, r.bos,
    r.prompt_tokens, r.beyond_trained, r.scored, r.skipped, r.truncated, r.scheme, r.bits_per_weight, r.notes, r.started,
    r.counts_from, r.seconds, r.session, r.round, r."order", r.series, r.name AS run, r.written_by, r.artifact,
    r.artifact_content, j.key AS job_key"""
TABLES = """run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name"""
SUMMARY = "LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id"
RESULTS = f"""
CREATE VIEW results AS
SELECT {ABOUT}, m.value,
    CASE WHEN s.sitting IS NULL THEN m.low END AS low, CASE WHEN s.sitting IS NULL THEN m.high END AS high,
    CASE WHEN s.sitting IS NULL THEN q.interval END AS "interval", m.n, {RUN}
FROM {TABLES}
LEFT JOIN measurement m ON m.run_id = r.id
LEFT JOIN quantity q ON q.id = m.quantity_id
{SUMMARY}
"""  # noqa: S608 - put together from constants
# Added to nothing, since the index on quantities would lead to all of history, and few runs are the newest.
LATEST = f"""
CREATE VIEW latest AS
SELECT {ABOUT}, coalesce(s.value, m.value) AS value,
    CASE WHEN s.sitting IS NULL THEN m.low ELSE s.low END AS low,
    CASE WHEN s.sitting IS NULL THEN m.high ELSE s.high END AS high, m.n, s.rounds, s.marks, {RUN}
FROM {TABLES}
JOIN measurement m ON m.run_id = r.id
JOIN quantity q ON q.id = m.quantity_id + 0
{SUMMARY}
WHERE r.newest
"""  # noqa: S608


def upgrade() -> None:
    for view in ("latest", "results"):
        op.execute(sa.text(f"DROP VIEW {view}"))
    for table, names in GONE.items():
        for name in names.split():
            op.drop_index(f"ix_{table}_{name}", table)
    _count_whole()
    _tables()
    if not context.is_offline_mode():
        _fill(op.get_bind())
    for name, columns in MADE:
        op.create_index(name, "run", columns)
    newest_only = sa.text("newest")
    op.create_index("ix_run_newest", "run", ["series"], sqlite_where=newest_only, postgresql_where=newest_only)
    for view in (RESULTS, LATEST):
        op.execute(sa.text(view))


def _count_whole() -> None:
    """Make columns anew: SQLite would make the table anew, which its foreign keys do not allow."""
    for name in COUNTS:
        op.add_column("job", sa.Column(f"{name}_", sa.BigInteger(), nullable=True))
        op.drop_column("job", name)
        op.execute(f'ALTER TABLE job RENAME COLUMN {name}_ TO "{name}"')


def _tables() -> None:
    """Replace series and shapes by configurations; drop what the outcomes themselves say of inputs and artifacts."""
    op.drop_column("run", "series_id")
    for name in ("series", "shape_quantity", "shape", "run_input", "artifact"):
        op.drop_table(name)
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("quantities", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_configuration_job_id_job"),
        sa.PrimaryKeyConstraint("id", name="pk_configuration"),
        sa.UniqueConstraint("digest", name="uq_configuration_digest"),
    )
    op.create_index("ix_configuration_job_id", "configuration", ["job_id"])
    op.execute(REFERENCE)  # inline: SQLite cannot add a constraint to a table that is there
    op.add_column("run", sa.Column("series", sa.String(12), nullable=True))
    op.add_column("run", sa.Column("newest", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("run", sa.Column("recipe_options", sa.Text(), nullable=True))


def _fill(connection: sa.Connection) -> None:
    """Read from specs and measurements, as ingest does."""
    names = (*COUNTS, "workload")
    job = sa.table("job", *[sa.column(name) for name in ("id", "spec", "probe", *names)])
    for id_, text in connection.execute(sa.select(job.c.id, job.c.spec).where(job.c.probe.is_not(None))).all():
        found = workload_columns(MeasureSpec.model_validate_json(text))
        connection.execute(job.update().where(job.c.id == id_).values({name: found[name] for name in names}))
    artifacts.fill(connection)
    configurations.fill(connection)
    newest.settle(connection)
