"""Which results folder holds a run's folder: one that is deleted there leaves the database, and no other does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("results", sa.String(12), nullable=True))
