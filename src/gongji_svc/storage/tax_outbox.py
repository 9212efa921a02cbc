"""The outbox to the tax authority: what is due, who has it in hand, and what became of it.

Rule: who takes a message puts its due time off to the end of a lease and commits, and only then
sends: nobody holds a lock while the other side thinks. Who dies in between leaves the message to
whoever comes after the lease. A statement that locks names one region.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import and_, func, select, update

from gongji_svc.storage import tables
from gongji_svc.storage.people import PersonRow
from gongji_svc.storage.premiums import PremiumRow, TaxMessageKind

_MESSAGES = tables.tax_messages.c
_PAYMENTS, _PERSONS = tables.premium_payments.c, tables.persons.c
_MOST_ATTEMPTS = 32_767  # what the column can count; attempts go on beyond it
_LONGEST_ERROR = 200


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
