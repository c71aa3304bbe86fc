"""Views for people who open the database: `results`, a row for every value, and `latest`, the newest of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WHOLE = ("batch", "prompt", "output", "shots", '"limit"', "window", "stride", "tokens", "depth", "concurrency")
"""Dimensions that are counts; they are kept as floats."""
LABELS = f"""
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, j.kind, j.quantizer, j.probe, j.engine, j.engine_options,
    e.name AS environment, e.gpu, e.box AS machine, e.cpu,
    {", ".join(f"CAST(j.{name} AS INTEGER) AS {name}" for name in WHOLE)}, j.request_rate, j.text, j.task,
    q.metric, q.metric_version, q.part AS slice, q.unit"""
ABOUT = """
    r.status, r.reason, r.origin, r.protocol, r.protocol_version, r.scheme, r.bits_per_weight, r.notes, r.started, r.session,
    r.round, r.name AS run, r.artifact"""
PLACED = "LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name"
RESULTS = f"""
CREATE VIEW results AS
SELECT {LABELS}, m.value, m.low, m.high, m.n, {ABOUT}
FROM run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
{PLACED}
LEFT JOIN measurement m ON m.run_id = r.id
LEFT JOIN quantity q ON q.id = m.quantity_id
"""  # noqa: S608 - put together from constants
LATEST = f"""
CREATE VIEW latest AS
SELECT {LABELS},
    coalesce(s.value, m.value) AS value,
    CASE WHEN s.sitting IS NULL THEN m.low ELSE s.low END AS low,
    CASE WHEN s.sitting IS NULL THEN m.high ELSE s.high END AS high,
    s.rounds, {ABOUT}
FROM (
    SELECT t.id, row_number() OVER (
        PARTITION BY t.job_id, t.origin, w.name, w.gpu, w.box ORDER BY t.counts_from DESC, t.name DESC
    ) AS age
    FROM run t JOIN environment w ON w.id = t.environment_id WHERE t.status = 'ok'
) newest
JOIN run r ON r.id = newest.id
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
{PLACED}
JOIN measurement m ON m.run_id = r.id
JOIN quantity q ON q.id = m.quantity_id
LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id
WHERE newest.age = 1
"""  # noqa: S608


def upgrade() -> None:
    for view in (RESULTS, LATEST):
        op.execute(sa.text(view))


def downgrade() -> None:
    for name in ("latest", "results"):
        op.execute(sa.text(f"DROP VIEW {name}"))
