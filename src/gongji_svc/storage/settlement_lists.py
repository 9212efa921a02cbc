"""Settlements for those who look at many: a page of them, as they stand.

Rule: ids are ordered by time, so a page is in their falling order; what is settled next stands
before the first page. A page is one query, and one more for all that was given back of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select, tuple_, union_all

from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.settlement_state import SettlementState
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.refunds import RefundRow
from gongji_svc.storage.settlements import FOUND, Found

_SETTLEMENTS = tables.settlements.c
_REFUNDS = tables.refunds.c
_ENTRIES = tables.entries.c
_ACCOUNTS = tables.accounts.c
_KEY = (_SETTLEMENTS.region, _SETTLEMENTS.id)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which settlements are listed; what is None or empty is any.

    `region` is that of care or of the insurance; `donor_id` paid a leg.
    """

    patient_id: UUID | None = None
    donor_id: UUID | None = None
    region: str = ""
    care_region: str = ""
    institution_code: str = ""
    states: frozenset[str] = frozenset()
    visit_types: frozenset[str] = frozenset()
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None


def list_settlements(
    tx: sqlalchemy.Connection, choice: Choice, before: UUID | None, limit: int
) -> Sequence[Found]:
    """At most `limit` of the chosen settlements, newest first, those older than `before`."""
    conditions = list(_conditions(choice))
    if before is not None:
        conditions.append(_SETTLEMENTS.id < before)
    # Each way to a region is searched in its own order: one for both would read the whole table.
    pages = [
        select(*_KEY).where(*conditions, *way).order_by(_SETTLEMENTS.id.desc()).limit(limit)
        for way in _ways(choice)
    ]
    chosen = (pages[0] if len(pages) == 1 else _newest(pages, limit)).subquery().c
    query = FOUND.where(
        _SETTLEMENTS.region == chosen.region, _SETTLEMENTS.id == chosen.id
    ).order_by(_SETTLEMENTS.id.desc())
    return _with_steps(tx, tx.execute(query).all())


def _newest(
    pages: Sequence[sqlalchemy.Select[tuple[str, UUID]]], limit: int
) -> sqlalchemy.CompoundSelect[tuple[str, UUID]]:
    together = union_all(*pages)
    return together.order_by(together.selected_columns.id.desc()).limit(limit)


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    if choice.patient_id is not None:
        yield _SETTLEMENTS.patient_id == choice.patient_id
    if choice.donor_id is not None:
        yield _paid_by(choice.donor_id)
    if choice.care_region:
        yield _SETTLEMENTS.region == choice.care_region
    if choice.institution_code:
        yield _SETTLEMENTS.institution_code == choice.institution_code
    if choice.states:
        yield _SETTLEMENTS.state.in_(sorted(choice.states))
    if choice.visit_types:
        yield _SETTLEMENTS.visit_type.in_(sorted(choice.visit_types))
    if choice.occurred_from is not None:
        yield _SETTLEMENTS.occurred_at >= choice.occurred_from
    if choice.occurred_to is not None:
        yield _SETTLEMENTS.occurred_at < choice.occurred_to


def _paid_by(donor_id: UUID) -> ColumnElement[bool]:
    """The donor's entries tell which: they are few and found by account."""
    home = region_of(donor_id)
    owned = select(_ACCOUNTS.id).where(_ACCOUNTS.region == home, _ACCOUNTS.person_id == donor_id)
    paid = select(_ENTRIES.beneficiary_id, _ENTRIES.source_id).where(
        _ENTRIES.region == home,
        _ENTRIES.account_id.in_(owned),
        _ENTRIES.kind == EntryKind.SETTLEMENT_MUTUAL_AID.value,
    )
    return tuple_(_SETTLEMENTS.patient_id, _SETTLEMENTS.id).in_(paid)


def _ways(choice: Choice) -> list[list[ColumnElement[bool]]]:
    """The ways in which a settlement belongs to the region; together they name each once."""
    if not choice.region:
        return [[]]
    care, insured = _SETTLEMENTS.region, _SETTLEMENTS.insured_region
    return [[care == choice.region], [insured == choice.region, care != insured]]


def _with_steps(tx: sqlalchemy.Connection, rows: Sequence[Any]) -> Sequence[Found]:
    """The settlements of rows that end in their state, each with what was given back of it."""
    keys = [(row.region, row.id) for row in rows if row.state != SettlementState.SETTLED]
    steps: defaultdict[UUID, list[RefundRow]] = defaultdict(list)
    if keys:
        named = tuple_(_REFUNDS.region, _REFUNDS.settlement_id).in_(keys)
        for step in tx.execute(select(*_REFUNDS).where(named).order_by(_REFUNDS.step)):
            steps[step.settlement_id].append(RefundRow(*step))
    return [replace(Found(*row[:-1]), steps=steps[row.id]) for row in rows]
