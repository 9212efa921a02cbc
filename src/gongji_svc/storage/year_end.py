"""Whose accounts of the current year are still to be looked at after the turn of a year.

Rule: nothing is locked here; whoever acts on what was read finds out under the accounts' locks
whether it still holds. How far a region has come is told by the last of its claims of that year,
whose request id is the person it began after, and whose answer is the last person of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import func, select

from gongji_svc.domain.terms import AccountKind, AccountState
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database

_ACCOUNTS = tables.accounts.c
_ENTRIES = tables.entries.c
_REQUESTS = tables.requests.c

FIRST = UUID(int=0)
"""Before everybody."""


@dataclass(frozen=True, slots=True)
class Left:
    """An account of the current year as of its entry `seq`: what is left of the years before, in
    fen; below zero where more was spent since.
    """

    person_id: UUID
    account_id: UUID
    seq: int
    left_fen: int


def home_regions(database: Database) -> Iterator[str]:
    """The regions that store accounts, in order."""
    region: str | None = ""
    while region is not None:
        query = select(func.min(_ACCOUNTS.region)).where(_ACCOUNTS.region > region)
        with database.reader() as tx:
            region = tx.scalar(query)
        if region is not None:
            yield region


def next_after(tx: sqlalchemy.Connection, region: str, caller: str) -> UUID | None:
    """The person after whom the next chunk of a region begins; None when all are done."""
    query = (
        select(_REQUESTS.answer)
        .where(_REQUESTS.region == region, _REQUESTS.caller == caller)
        .order_by(_REQUESTS.request_id.desc())
        .limit(1)
    )
    answer = tx.scalar(query)
    if answer is None:
        return FIRST
    return UUID(bytes=answer) if answer else None


def left_of_years_before(
    tx: sqlalchemy.Connection, region: str, after: UUID, turn: datetime, limit: int
) -> Sequence[Left]:
    """The accounts of the current year of at most `limit` people behind `after`.

    What came in since the turn of the year is not left from before; what went out was.
    """
    came_since = (
        select(func.coalesce(func.sum(_ENTRIES.amount_fen), 0))
        .where(
            _ENTRIES.region == _ACCOUNTS.region,
            _ENTRIES.account_id == _ACCOUNTS.id,
            _ENTRIES.recorded_at >= turn,
            _ENTRIES.amount_fen > 0,
        )
        .scalar_subquery()
    )
    query = (
        select(_ACCOUNTS.person_id, _ACCOUNTS.id, _ACCOUNTS.seq, _ACCOUNTS.balance_fen - came_since)
        .where(
            _ACCOUNTS.region == region,
            _ACCOUNTS.person_id > after,
            _ACCOUNTS.kind == AccountKind.CURRENT_YEAR.value,
            _ACCOUNTS.state != AccountState.CLOSED.value,
        )
        .order_by(_ACCOUNTS.person_id)
        .limit(limit)
    )
    return [Left(*row[:3], int(row[3])) for row in tx.execute(query)]
