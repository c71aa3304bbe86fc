"""Dimensions of serving and of long contexts (depth, concurrency, request rate); engine options with their defaults."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import context, op

from harness.core.identity import canonical
from harness.core.spec import MeasureSpec
from harness.store.workload import engine_options, workload_columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = ("depth", "concurrency", "request_rate")


def upgrade() -> None:
    for column in ADDED:
        op.add_column("job", sa.Column(column, sa.Double(), nullable=True))
    if not context.is_offline_mode():
        _fill(op.get_bind())
    for column in ADDED:
        op.create_index(f"ix_job_{column}", "job", [column])


def downgrade() -> None:
    job, connection = _job(), op.get_bind()
    for id_, text in connection.execute(sa.select(job.c.id, job.c.spec).where(job.c.probe.is_not(None))).all():
        written = canonical(json.loads(text)["engine_options"])
        connection.execute(job.update().where(job.c.id == id_).values(engine_options=written))
    for column in ADDED:
        op.drop_index(f"ix_job_{column}", "job")
        op.drop_column("job", column)


def _fill(connection: sa.Connection) -> None:
    """Read the columns from the specs, as ingest does."""
    job = _job()
    for id_, text in connection.execute(sa.select(job.c.id, job.c.spec).where(job.c.probe.is_not(None))).all():
        spec = MeasureSpec.model_validate_json(text)
        columns = workload_columns(spec)
        row = {"engine_options": engine_options(spec), **{name: columns[name] for name in ADDED}}
        connection.execute(job.update().where(job.c.id == id_).values(row))


def _job() -> sa.TableClause:
    names = ("id", "spec", "probe", "engine_options", *ADDED)
    return sa.table("job", *[sa.column(name) for name in names])
