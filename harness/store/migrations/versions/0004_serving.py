"""Dimensions of serving and of long contexts: depth, concurrency, request rate."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = ("depth", "concurrency", "request_rate")


def upgrade() -> None:
    for column in ADDED:
        op.add_column("job", sa.Column(column, sa.Double(), nullable=True))
    _fill(op.get_bind())
    for column in ADDED:
        op.create_index(f"ix_job_{column}", "job", [column])


def downgrade() -> None:
    for column in ADDED:
        op.drop_index(f"ix_job_{column}", "job")
        op.drop_column("job", column)


def _fill(connection: sa.Connection) -> None:
    """Read the new columns from the specs; no probe has a default for one of them."""
    job = sa.table("job", sa.column("id"), sa.column("spec"), *map(sa.column, ADDED))
    for id_, spec in connection.execute(sa.select(job.c.id, job.c.spec)).all():
        workload = json.loads(spec).get("workload", {})
        found = {name: float(workload[name]) for name in ADDED if _is_number(workload.get(name))}
        if found:
            connection.execute(job.update().where(job.c.id == id_).values(found))


def _is_number(value: object) -> bool:
    return type(value) in {int, float} or value == "inf"
