"""Money in suspense: its rows, and a page of a region's, newest first.

Rule: a page is in the order (recorded_at, id), falling. New items stand before the first page, so
nothing enters a list behind what was already read of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import select, tuple_

from gongji_svc.domain.suspense import SuspenseState
from gongji_svc.storage import tables
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import AccountRow, TableRow
from gongji_svc.storage.statements import Row

_SUSPENSE = tables.suspense.c
_NEWEST_FIRST = (_SUSPENSE.recorded_at.desc(), _SUSPENSE.id.desc())

Place = tuple[datetime, UUID]
"""Where an item stands in the list: (recorded_at, id)."""


@dataclass(frozen=True, slots=True)
class SuspenseRow:
    """A row of `suspense`, by name."""

    region: str
    id: UUID
    account_id: UUID
    owner_id: UUID
    pool_region: str
    amount_fen: int
    source_id: UUID | None
    state: str
    recorded_at: datetime
    transfer_to_account_id: UUID | None
    payout_reference: str
    resolved_by: dict[str, str]
    resolved_at: datetime | None
    reason: str

    def row(self) -> Row:
        """The values in column order."""
        return tuple(getattr(self, name) for name in self.__slots__)


def suspense_row(
    account: AccountRow, amount_fen: int, source_id: UUID | None, at: datetime
) -> TableRow:
    """The item of what came back and could not go to the account; beside it the journal has a
    `suspense_line`.
    """
    item = SuspenseRow(
        region=account.region,
        id=new_id(account.region),
        account_id=account.id,
        owner_id=account.person_id,
        pool_region=account.pool_region,
        amount_fen=amount_fen,
        source_id=source_id,
        state=SuspenseState.OPEN.value,
        recorded_at=at,
        transfer_to_account_id=None,
        payout_reference="",
        resolved_by={},
        resolved_at=None,
        reason="",
    )
    return tables.suspense, item.row()


def list_items(
    tx: sqlalchemy.Connection,
    pool_region: str,
    states: frozenset[SuspenseState],
    before: Place | None,
    limit: int,
) -> Sequence[SuspenseRow]:
    """At most `limit` of a region's items, those recorded before `before`; no states: all."""
    query = select(*_SUSPENSE).where(_SUSPENSE.pool_region == pool_region)
    if states:
        query = query.where(_SUSPENSE.state.in_(sorted(states)))
    if before is not None:
        query = query.where(tuple_(_SUSPENSE.recorded_at, _SUSPENSE.id) < tuple_(*before))
    rows = tx.execute(query.order_by(*_NEWEST_FIRST).limit(limit))
    return [SuspenseRow(*row) for row in rows]
