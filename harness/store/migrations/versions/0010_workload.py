"""What of a workload has no column of its own, so that two measurements which differ in it are told apart."""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import context, op

from harness.core.spec import MeasureSpec
from harness.store.workload import workload_columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

VIEWS = import_module("harness.store.migrations.versions.0009_views")


def upgrade() -> None:
    VIEWS.downgrade()
    op.add_column("job", sa.Column("workload", sa.Text(), nullable=True))
    if not context.is_offline_mode():
        _fill(op.get_bind())
    op.create_index("ix_job_workload", "job", ["workload"])
    for view in (VIEWS.RESULTS, VIEWS.LATEST):
        op.execute(sa.text(view.replace("j.engine_options,", "j.engine_options, j.workload,")))


def downgrade() -> None:
    VIEWS.downgrade()
    op.drop_index("ix_job_workload", "job")
    op.drop_column("job", "workload")
    VIEWS.upgrade()


def _fill(connection: sa.Connection) -> None:
    """Read the column from the specs, as ingest does."""
    job = sa.table("job", *[sa.column(name) for name in ("id", "spec", "probe", "workload")])
    for id_, text in connection.execute(sa.select(job.c.id, job.c.spec).where(job.c.probe.is_not(None))).all():
        found = workload_columns(MeasureSpec.model_validate_json(text))["workload"]
        connection.execute(job.update().where(job.c.id == id_).values(workload=found))
