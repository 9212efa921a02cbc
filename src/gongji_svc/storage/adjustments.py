"""Corrections of accounts: their rows, and a page of a region's, newest first.

Rule: a page is in the order (proposed_at, id), falling. New ones stand before the first page, so
nothing enters a list behind what was already read of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select, tuple_

from gongji_svc.domain.adjustment import AdjustmentState
from gongji_svc.storage import tables
from gongji_svc.storage.entry_reads import EntryRow
from gongji_svc.storage.statements import Row

_ADJUSTMENTS = tables.adjustments.c
_ENTRIES = tables.entries.c
_NEWEST_FIRST = (_ADJUSTMENTS.proposed_at.desc(), _ADJUSTMENTS.id.desc())

Place = tuple[datetime, UUID]
"""Where a correction stands in the list: (proposed_at, id)."""


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """A row of `adjustments`, by name; `seq` is that of the entry that booked it."""

    region: str
    id: UUID
    account_id: UUID
    owner_id: UUID
    pool_region: str
    amount_fen: int
    reason: str
    source_id: UUID | None
    occurred_at: datetime | None
    state: str
    proposed_by: dict[str, str]
    proposed_at: datetime
    decided_by: dict[str, str]
    decided_at: datetime | None = None
    decision_reason: str = ""
    seq: int | None = None

    def row(self) -> Row:
        """The values in column order."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which corrections of a region are listed; what is None or empty is any."""

    pool_region: str
    states: frozenset[AdjustmentState] = frozenset()
    account_id: UUID | None = None


def list_adjustments(
    tx: sqlalchemy.Connection, choice: Choice, before: Place | None, limit: int
) -> Sequence[AdjustmentRow]:
    """At most `limit` of the chosen corrections, those proposed before `before`."""
    query = select(*_ADJUSTMENTS).where(*_conditions(choice)).order_by(*_NEWEST_FIRST).limit(limit)
    if before is not None:
        query = query.where(tuple_(_ADJUSTMENTS.proposed_at, _ADJUSTMENTS.id) < tuple_(*before))
    return [AdjustmentRow(*row) for row in tx.execute(query)]


def entries_of(
    tx: sqlalchemy.Connection, adjustments: Iterable[AdjustmentRow]
) -> Mapping[UUID, EntryRow]:
    """The entries that booked corrections, by correction."""
    booked = {(one.region, one.account_id, one.seq): one.id for one in adjustments if one.seq}
    key = (_ENTRIES.region, _ENTRIES.account_id, _ENTRIES.seq)
    query = select(*_ENTRIES).where(tuple_(*key).in_(booked))
    found = [EntryRow(*row) for row in tx.execute(query)] if booked else []
    return {booked[one.region, one.account_id, one.seq]: one for one in found}


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield _ADJUSTMENTS.pool_region == choice.pool_region
    if choice.states:
        yield _ADJUSTMENTS.state.in_(sorted(choice.states))
    if choice.account_id is not None:
        yield _ADJUSTMENTS.account_id == choice.account_id
