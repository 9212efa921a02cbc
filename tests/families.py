"""Builders: people with accounts, written straight into a database.

Rule: a builder makes what a test names and fills in the rest; it goes through the same tables and
seals as production.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import psycopg

from gongji_svc.storage import packed, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.storage.statements import Row, Write

KEYS = KeyRing(bytes(range(32)), {1: bytes(range(16))})
_numbers = count(1)
_WRITES = {table.name: Write(table) for table in tables.metadata.sorted_tables}


@dataclass(slots=True)
class Families:
    """Writes people, accounts and bindings into one database."""

    database: Database
    sealer: Sealer = field(default_factory=lambda: Sealer(KEYS))

    def write(self, *rows: tuple[str, Row]) -> None:
        """Insert (table name, row) pairs."""
        with self.database.connect() as tx:
            packed.register(tx)
            for table, row in rows:
                _WRITES[table].run(tx, [row], by_region=False)

    def account(self, region: str, balance_fen: int = 0, *, person_id: UUID | None = None) -> UUID:
        """An open GENERAL account; its id."""
        now = datetime.now(UTC)
        account_id = new_id(region)
        owner = person_id or new_id(region)
        row = (region, account_id, owner, region, "GENERAL", "OPEN", balance_fen, 0, 0, 0, now)
        self.write(("accounts", row))
        return account_id
