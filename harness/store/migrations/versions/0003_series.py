"""Series: runs that a table can tell apart only by when they ran. Which run is of which, 0011 tells anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFERENCE = "ALTER TABLE run ADD COLUMN series_id INTEGER CONSTRAINT fk_run_series_id_series REFERENCES series (id)"


def upgrade() -> None:
    op.create_table(
        "shape",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shape"),
        sa.UniqueConstraint("digest", name="uq_shape_digest"),
    )
    op.create_table(
        "shape_quantity",
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("quantity_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shape_id"], ["shape.id"], name="fk_shape_quantity_shape_id_shape"),
        sa.ForeignKeyConstraint(["quantity_id"], ["quantity.id"], name="fk_shape_quantity_quantity_id_quantity"),
        sa.PrimaryKeyConstraint("shape_id", "ordinal", name="pk_shape_quantity"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_shape_quantity_quantity_id", "shape_quantity", ["quantity_id"])
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_series_job_id_job"),
        sa.ForeignKeyConstraint(["shape_id"], ["shape.id"], name="fk_series_shape_id_shape"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("digest", name="uq_series_digest"),
    )
    op.create_index("ix_series_job_id", "series", ["job_id"])
    op.create_index("ix_series_shape_id", "series", ["shape_id"])
    op.execute(REFERENCE)  # inline: SQLite cannot add a constraint to a table that is there
    op.create_index("ix_run_series_id_started", "run", ["series_id", "started", "name", "session"])
    op.create_index("ix_run_series_id_session", "run", ["series_id", "session"])
    op.drop_index("ix_run_session", "run")
    op.create_index("ix_run_session_started", "run", ["session", "started"])


def downgrade() -> None:
    op.drop_index("ix_run_series_id_started", "run")
    op.drop_index("ix_run_series_id_session", "run")
    op.drop_index("ix_run_session_started", "run")
    op.create_index("ix_run_session", "run", ["session"])
    op.drop_column("run", "series_id")
    for name in ("series", "shape_quantity", "shape"):
        op.drop_table(name)
