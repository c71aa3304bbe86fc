"""Alembic's entry: the connection, and with it the transaction, is the caller's."""

from __future__ import annotations

from alembic import context

from harness.store.models import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
