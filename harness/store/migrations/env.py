"""Alembic's entry: the connection, and with it the transaction, is the caller's; without one, the statements are written as text."""

from __future__ import annotations

from alembic import context

from harness.store import models

METADATA = models.EnvironmentRow.metadata
if context.is_offline_mode():
    context.configure(dialect_name=context.config.attributes["dialect"], target_metadata=METADATA, literal_binds=True)
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        render_as_batch=True,
        transactional_ddl=True,
    )
with context.begin_transaction():
    context.run_migrations()
