"""Numbers that others published: comparisons without their inputs, where they stand, and machines that nobody described."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDED = (("quantity", "comparison"), ("quantity", "baseline"), ("run", "citation"))
LOOSENED = (("cores", sa.Integer()), ("memory_bytes", sa.BigInteger()))
"""Columns of `environment` that may be absent from now on."""


def upgrade() -> None:
    for table, column in ADDED:
        op.add_column(table, sa.Column(column, sa.String(), nullable=True))
        op.create_index(f"ix_{table}_{column}", table, [column])
    _retype(nullable=True)


def downgrade() -> None:
    for table, column in ADDED:
        op.drop_index(f"ix_{table}_{column}", table)
        op.drop_column(table, column)
    _retype(nullable=False)


def _retype(*, nullable: bool) -> None:
    """Copy column by column: SQLite would make the table anew, which its foreign keys do not allow."""
    op.drop_index("ix_environment_cores", "environment")
    for column, kind in LOOSENED:
        default = None if nullable else "0"
        op.add_column("environment", sa.Column(f"{column}_", kind, nullable=nullable, server_default=default))
        op.execute(f"UPDATE environment SET {column}_ = {column} WHERE {column} IS NOT NULL")  # noqa: S608 - our own names
        op.drop_column("environment", column)
        op.execute(f"ALTER TABLE environment RENAME COLUMN {column}_ TO {column}")
    op.create_index("ix_environment_cores", "environment", ["cores"])
