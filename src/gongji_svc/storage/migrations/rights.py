"""Gives the run-time role its rights, table by table.

Rule: the run-time role gets what it needs and no more. Where one role both migrates and serves
(a database of one's own, reached by one address) it owns the tables and nothing is granted.
"""

import sqlalchemy
from alembic import op


def grant_to_runtime(table: str, *rights: str) -> None:
    """In a migration: grant `rights` ("SELECT", "INSERT", ...) on `table` to the run-time role."""
    config = op.get_context().config
    role = config.attributes["runtime_role"] if config is not None else ""
    grant(op.get_bind(), role, table, *rights)


def keep_append_only(table: str) -> None:
    """In a migration: what is written there stays as it is, also for the owner.

    Citus has no such triggers; there the run-time role's missing privileges are the guard.
    """
    if op.get_bind().scalar(sqlalchemy.text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")):
        return
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def grant(tx: sqlalchemy.Connection, role: str, table: str, *rights: str) -> None:
    """Grant `rights` on `table` to `role`, unless it is the owner itself."""
    if tx.scalar(sqlalchemy.text("SELECT current_user")) == role:
        return
    quote = tx.dialect.identifier_preparer.quote
    tx.execute(sqlalchemy.text(f"GRANT {', '.join(rights)} ON {quote(table)} TO {quote(role)}"))
