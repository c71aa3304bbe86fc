"""Runs count from a moment that a clock which stood back does not decide alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.String(32).with_variant(sa.DateTime(timezone=True), "postgresql")
INDEXES: tuple[tuple[str, list[str], list[str]], ...] = (
    ("ix_run_series_id_", ["series_id"], ["name", "session"]),
    ("ix_run_session_", ["session"], []),
)


def upgrade() -> None:
    op.add_column("run", sa.Column("counts_from", MOMENT, nullable=True))
    op.execute(sa.text("UPDATE run SET counts_from = started"))
    op.create_index("ix_run_counts_from", "run", ["counts_from"])
    _by("started", "counts_from")


def downgrade() -> None:
    _by("counts_from", "started")
    op.drop_index("ix_run_counts_from", "run")
    op.drop_column("run", "counts_from")


def _by(old: str, new: str) -> None:
    for name, before, after in INDEXES:
        op.drop_index(f"{name}{old}", "run")
        op.create_index(f"{name}{new}", "run", [*before, new, *after])
