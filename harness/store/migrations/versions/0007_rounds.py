"""Summaries over the rounds of a session, and notes as a column; no pins, which nothing could set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from harness.store import sittings

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.String(32).with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.drop_index("ix_pin_run_id", "pin")
    op.drop_table("pin")
    op.add_column("run", sa.Column("sitting", sa.String(12), nullable=True))
    op.add_column("run", sa.Column("notes", sa.Text(), nullable=True))
    op.create_index("ix_run_sitting", "run", ["sitting"])
    op.create_table(
        "summary",
        sa.Column("sitting", sa.String(12), nullable=False),
        sa.Column("quantity_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("round_values", sa.Text(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=True),
        sa.CheckConstraint("rounds >= 1", name="ck_summary_rounds"),
        sa.ForeignKeyConstraint(["quantity_id"], ["quantity.id"], name="fk_summary_quantity_id_quantity"),
        sa.PrimaryKeyConstraint("sitting", "quantity_id", name="pk_summary"),
        sqlite_with_rowid=False,
    )
    if not context.is_offline_mode():
        sittings.fill(op.get_bind(), notes=True)


def downgrade() -> None:
    op.drop_table("summary")
    op.drop_index("ix_run_sitting", "run")
    for column in ("notes", "sitting"):
        op.drop_column("run", column)
    op.create_table(
        "pin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_pin_run_id_run"),
        sa.PrimaryKeyConstraint("id", name="pk_pin"),
        sa.UniqueConstraint("name", "run_id", name="uq_pin_name"),
    )
    op.create_index("ix_pin_run_id", "pin", ["run_id"])
