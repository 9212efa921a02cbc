"""What is recorded of a read: the record, and the people behind what was named or shown.

Rule: what is missing is nobody's.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import Table, func, insert, select, tuple_

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import TableRow


def clock(tx: sqlalchemy.Connection) -> datetime:
    """The database's clock."""
    moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def add(tx: sqlalchemy.Connection, record: TableRow) -> None:
    """Add a record to the trail."""
    table, row = record
    tx.execute(insert(table).values(dict(zip(table.c.keys(), row, strict=True))))


def owners(tx: sqlalchemy.Connection, accounts: Iterable[UUID]) -> Iterator[UUID]:
    """The owners of accounts."""
    return _values(tx, tables.accounts, ("person_id",), accounts)


def bound(tx: sqlalchemy.Connection, bindings: Iterable[UUID]) -> Iterator[UUID]:
    """The donors and beneficiaries of bindings."""
    return _values(tx, tables.bindings, ("donor_id", "beneficiary_id"), bindings)


def proven(tx: sqlalchemy.Connection, documents: Iterable[UUID]) -> Iterator[UUID]:
    """The donors and beneficiaries of the bindings to which documents are attached."""
    return bound(tx, _values(tx, tables.documents, ("binding_id",), documents))


def _values(
    tx: sqlalchemy.Connection, table: Table, names: Iterable[str], ids: Iterable[UUID]
) -> Iterator[UUID]:
    """What these columns hold in the rows of these ids."""
    keys = [(region_of(one), one) for one in set(ids)]
    if not keys:
        return
    wanted = [table.c[name] for name in names]
    row: Any
    for row in tx.execute(select(*wanted).where(tuple_(table.c.region, table.c.id).in_(keys))):
        yield from (value for value in row if value is not None)
