"""What was quantized, as columns of every run: scheme and bits per weight."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ADDED: tuple[tuple[str, Any], ...] = (("scheme", sa.String()), ("bits_per_weight", sa.Double()))
"""Absent in runs of builds that did not read it back; nothing but a new build can tell it."""


def upgrade() -> None:
    for column, kind in ADDED:
        op.add_column("run", sa.Column(column, kind, nullable=True))
        op.create_index(f"ix_run_{column}", "run", [column])


def downgrade() -> None:
    for column, _ in ADDED:
        op.drop_index(f"ix_run_{column}", "run")
        op.drop_column("run", column)
