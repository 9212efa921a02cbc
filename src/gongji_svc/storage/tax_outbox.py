"""The outbox to the tax authority: what is due, who has it in hand, and what became of it.

Rule: who takes a message puts its due time off to the end of a lease and commits, and only then
sends: nobody holds a lock while the other side thinks. Who dies in between leaves the message to
whoever comes after the lease. A statement that locks names one region. What was taken and never
answered is due once more; what was answered long ago is removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import and_, delete, func, select, update

from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.storage import tables
from gongji_svc.storage.people import PersonRow
from gongji_svc.storage.premiums import PremiumRow, TaxMessageKind

_MESSAGES = tables.tax_messages.c
_PAYMENTS, _PERSONS = tables.premium_payments.c, tables.persons.c
_MOST_ATTEMPTS = 32_767  # what the column can count; attempts go on beyond it
_LONGEST_ERROR = 200
_ABOUT = and_(_PAYMENTS.region == _MESSAGES.region, _PAYMENTS.id == _MESSAGES.payment_id)


@dataclass(frozen=True, slots=True)
class TaxMessage:
    """A message in hand until `leased_until`, with what it is about; `attempts` counts this one."""

    region: str
    id: UUID
    kind: TaxMessageKind
    attempts: int
    leased_until: datetime
    payment: PremiumRow
    beneficiary: PersonRow


def due_regions(tx: sqlalchemy.Connection, now: datetime, limit: int) -> Sequence[str]:
    """The regions of the first `limit` messages that are due, the longest due first."""
    query = select(_MESSAGES.region).where(_due(now)).order_by(_MESSAGES.due_at).limit(limit)
    return list(dict.fromkeys(tx.scalars(query)))


def take_due(
    tx: sqlalchemy.Connection, region: str, now: datetime, leased_until: datetime, limit: int
) -> Sequence[TaxMessage]:
    """At most `limit` due messages of a region that nobody else is taking, now in hand."""
    one_region = _MESSAGES.region == region
    first = select(_MESSAGES.id).where(one_region, _due(now)).order_by(_MESSAGES.due_at)
    ids = tx.scalars(first.limit(limit).with_for_update(skip_locked=True)).all()
    tx.execute(
        update(tables.tax_messages)
        .where(one_region, _MESSAGES.id.in_(ids))
        .values(
            due_at=leased_until, attempts=func.least(_MESSAGES.attempts, _MOST_ATTEMPTS - 1) + 1
        )
    )
    return _read(tx, region, ids, leased_until)


def mark_taken(tx: sqlalchemy.Connection, message: TaxMessage, at: datetime) -> None:
    """The tax authority has it."""
    tx.execute(_waiting(message).values(taken_at=at, last_error=""))


def put_off(tx: sqlalchemy.Connection, message: TaxMessage, due_at: datetime, error: str) -> None:
    """It failed and is due again then; unless the lease is over and somebody else has it."""
    still_ours = _MESSAGES.due_at == message.leased_until
    failed = _waiting(message).where(still_ours)
    tx.execute(failed.values(due_at=due_at, last_error=error[:_LONGEST_ERROR]))


def make_overdue_due(
    tx: sqlalchemy.Connection, today: date, taken_before: datetime, now: datetime, limit: int
) -> int:
    """Have at most `limit` premiums told again whose answer was due before `today`, and that were
    told last before then; how many.
    """
    late = and_(
        _MESSAGES.kind == TaxMessageKind.COLLECT.value,
        _MESSAGES.taken_at < taken_before,
        _PAYMENTS.state == PremiumState.SUBMITTED.value,
        _PAYMENTS.answer_due_on < today,
    )
    again = {"taken_at": None, "due_at": now, "attempts": 0}
    made = 0
    for region in tx.scalars(select(_MESSAGES.region).where(_ABOUT, late).distinct()).all():
        ids = _locked(tx, region, late, limit - made)
        tx.execute(update(tables.tax_messages).where(_these(region, ids)).values(again))
        made += len(ids)
        if made == limit:
            break
    return made


def remove_answered(tx: sqlalchemy.Connection, before: datetime, limit: int) -> int:
    """Remove at most `limit` messages that were taken before then and whose payment is answered;
    how many were.
    """
    old = and_(_MESSAGES.taken_at < before, _PAYMENTS.state != PremiumState.SUBMITTED.value)
    removed = 0
    for region in tx.scalars(select(_MESSAGES.region).where(_ABOUT, old).distinct()).all():
        ids = _locked(tx, region, old, limit - removed)
        tx.execute(delete(tables.tax_messages).where(_these(region, ids)))
        removed += len(ids)
        if removed == limit:
            break
    return removed


def _locked(
    tx: sqlalchemy.Connection,
    region: str,
    condition: sqlalchemy.ColumnElement[bool],
    limit: int,
) -> Sequence[UUID]:
    """The messages of a region for which it holds, but for those another process has in hand."""
    one_region = and_(_MESSAGES.region == region, _PAYMENTS.region == region)
    query = select(_MESSAGES.id).where(one_region, _ABOUT, condition).limit(limit)
    locking = query.with_for_update(of=tables.tax_messages, skip_locked=True)
    return tx.scalars(locking).all()


def _these(region: str, ids: Sequence[UUID]) -> sqlalchemy.ColumnElement[bool]:
    return and_(_MESSAGES.region == region, _MESSAGES.id.in_(ids))


def _due(now: datetime) -> sqlalchemy.ColumnElement[bool]:
    return and_(_MESSAGES.taken_at.is_(None), _MESSAGES.due_at <= now)


def _waiting(message: TaxMessage) -> sqlalchemy.Update:
    return update(tables.tax_messages).where(
        _MESSAGES.region == message.region,
        _MESSAGES.id == message.id,
        _MESSAGES.taken_at.is_(None),
    )


def _read(
    tx: sqlalchemy.Connection, region: str, ids: Sequence[UUID], leased_until: datetime
) -> Sequence[TaxMessage]:
    """The messages with their payments and beneficiaries, all of one region, oldest first."""
    query = (
        select(_MESSAGES.id, _MESSAGES.kind, _MESSAGES.attempts, *_PAYMENTS, *_PERSONS)
        .where(
            and_(_MESSAGES.region == region, _MESSAGES.id.in_(ids)),
            and_(_PAYMENTS.region == region, _PAYMENTS.id == _MESSAGES.payment_id),
            and_(_PERSONS.region == region, _PERSONS.id == _PAYMENTS.beneficiary_id),
        )
        .order_by(_MESSAGES.id)
    )
    persons_at = len(_PAYMENTS)
    return [
        TaxMessage(
            region,
            message_id,
            TaxMessageKind(kind),
            attempts,
            leased_until,
            PremiumRow(*row[:persons_at]),
            PersonRow(*row[persons_at:]),
        )
        for message_id, kind, attempts, *row in tx.execute(query)
    ]
