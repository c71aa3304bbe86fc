"""What really ran, as a column of every run and of both views."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ABOUT = """
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, r.recipe_options, j.kind, j.quantizer, j.probe, j.engine,
    j.engine_options, e.name AS environment, r.provider, r.dtype, e.gpu, r.gpu_count, e.driver, e.cuda, e.box AS machine, e.cpu,
    e.cores, e.system, e.python, e.harness, j.batch, j.prompt, j.output, j.depth, j.concurrency, j.request_rate, j.shots,
    j."limit", j."window", j.stride, j.tokens, j."text", j.task, j.workload, q.metric, q.metric_version, q.part AS slice,
    q.unit, q.source, q.items, q.better, q.comparison, q.baseline"""
RUN = """
    r.status, r.reason, r.origin, r.citation, r.protocol, r.protocol_version, r.warmups, r.repetitions, r.bos,
    r.prompt_tokens, r.beyond_trained, r.scored, r.skipped, r.truncated, r.scheme, r.bits_per_weight, r.executed, r.notes, r.started,
    r.counts_from, r.seconds, r.session, r.round, r."order", r.series, r.name AS run, r.written_by, r.artifact,
    r.artifact_content, j.key AS job_key"""
TABLES = """run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name"""
SUMMARY = "LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id"
RESULTS = f"""
CREATE VIEW results AS
SELECT {ABOUT}, m.value,
    CASE WHEN s.sitting IS NULL THEN m.low END AS low, CASE WHEN s.sitting IS NULL THEN m.high END AS high,
    CASE WHEN s.sitting IS NULL THEN q.interval END AS "interval", m.n, {RUN}
FROM {TABLES}
LEFT JOIN measurement m ON m.run_id = r.id
LEFT JOIN quantity q ON q.id = m.quantity_id
{SUMMARY}
"""  # noqa: S608 - put together from constants
# Added to nothing, since the index on quantities would lead to all of history, and few runs are the newest.
LATEST = f"""
CREATE VIEW latest AS
SELECT {ABOUT}, coalesce(s.value, m.value) AS value,
    CASE WHEN s.sitting IS NULL THEN m.low ELSE s.low END AS low,
    CASE WHEN s.sitting IS NULL THEN m.high ELSE s.high END AS high, m.n, s.rounds, s.marks, {RUN}
FROM {TABLES}
JOIN measurement m ON m.run_id = r.id
JOIN quantity q ON q.id = m.quantity_id + 0
{SUMMARY}
WHERE r.newest
"""  # noqa: S608


def upgrade() -> None:
    for view in ("latest", "results"):
        op.execute(sa.text(f"DROP VIEW {view}"))
    op.add_column("run", sa.Column("executed", sa.String(), nullable=True))
    for view in (RESULTS, LATEST):
        op.execute(sa.text(view))
