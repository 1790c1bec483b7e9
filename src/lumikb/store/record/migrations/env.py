"""Alembic's entry: runs on the connection that `lumikb.store.record.migrate` hands over."""

from alembic import context

from lumikb.store.record.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's unit of work is the transaction
)
context.run_migrations()
