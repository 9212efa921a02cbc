"""Accounts for those who look, without a lock."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy
from sqlalchemy import select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import AccountRow

_ACCOUNTS = tables.accounts.c


def find_owner(tx: sqlalchemy.Connection, account_id: UUID) -> UUID | None:
    """Whose account it is, None when there is none."""
    query = select(_ACCOUNTS.person_id).where(
        _ACCOUNTS.region == region_of(account_id), _ACCOUNTS.id == account_id
    )
    return tx.scalar(query)


def read_accounts_of(tx: sqlalchemy.Connection, person_id: UUID) -> Sequence[AccountRow]:
    """Every account of a person, closed ones too, in the order they were opened."""
    query = (
        select(*_ACCOUNTS)
        .where(_ACCOUNTS.region == region_of(person_id), _ACCOUNTS.person_id == person_id)
        .order_by(_ACCOUNTS.id)
    )
    return [AccountRow(*row) for row in tx.execute(query)]
