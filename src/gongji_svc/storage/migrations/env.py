"""Alembic's entry: runs migrations on the connection that `storage.migrate` opened and locked."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    compare_server_default=True,
)
# The transaction, and the lock in it, are the caller's.
context.run_migrations()
