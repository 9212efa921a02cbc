"""Accounts for those who look, without a lock.

Rule: a hold whose time has passed by the database's clock counts no more, whether or not its end
was noticed.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy
from sqlalchemy import BigInteger, cast, func, literal_column, select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import AccountRow

_ACCOUNTS = tables.accounts.c
_HOLDS = tables.holds.c


def find_owner(tx: sqlalchemy.Connection, account_id: UUID) -> UUID | None:
    """Whose account it is, None when there is none."""
    query = select(_ACCOUNTS.person_id).where(
        _ACCOUNTS.region == region_of(account_id), _ACCOUNTS.id == account_id
    )
    return tx.scalar(query)


def read_accounts_of(
    tx: sqlalchemy.Connection, person_id: UUID, ahead: timedelta
) -> Sequence[AccountRow]:
    """Every account of a person, closed ones too, in the order they were opened.

    `ahead`: how far our clock is ahead of the database's.
    """
    past = (
        select(cast(func.coalesce(func.sum(_HOLDS.amount_fen), 0), BigInteger))
        .where(_HOLDS.region == _ACCOUNTS.region, _HOLDS.account_id == _ACCOUNTS.id)
        .where(_HOLDS.state == literal_column("'OPEN'"))
        .where(_HOLDS.expires_at <= func.clock_timestamp() + ahead)
        .scalar_subquery()
    )
    still_held = _ACCOUNTS.held_fen - past
    columns = [still_held if column is _ACCOUNTS.held_fen else column for column in _ACCOUNTS]
    query = (
        select(*columns)
        .where(_ACCOUNTS.region == region_of(person_id), _ACCOUNTS.person_id == person_id)
        .order_by(_ACCOUNTS.id)
    )
    return [AccountRow(*row) for row in tx.execute(query)]
