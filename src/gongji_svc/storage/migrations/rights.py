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


def grant(tx: sqlalchemy.Connection, role: str, table: str, *rights: str) -> None:
    """Grant `rights` on `table` to `role`, unless it is the owner itself."""
    if tx.scalar(sqlalchemy.text("SELECT current_user")) == role:
        return
    quote = tx.dialect.identifier_preparer.quote
    tx.execute(sqlalchemy.text(f"GRANT {', '.join(rights)} ON {quote(table)} TO {quote(role)}"))
