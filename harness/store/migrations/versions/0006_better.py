"""Which way is better, where a measurement's source says it and not the metric."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quantity", sa.Column("better", sa.String(), nullable=True))
    op.create_index("ix_quantity_better", "quantity", ["better"])


def downgrade() -> None:
    op.drop_index("ix_quantity_better", "quantity")
    op.drop_column("quantity", "better")
