"""Premium payments for those who look: one, or a page of a list.

Rule: ids are ordered by time, so a page is in their falling order; what is paid next stands before
the first page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select

from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.premiums import PremiumRow

_PAYMENTS = tables.premium_payments.c


@dataclass(frozen=True, slots=True)
class Choice:
    """Which payments are listed; what is None or empty is any.

    `overdue_on`: those whose answer was due before that day and has not come.
    """

    donor_id: UUID | None = None
    beneficiary_id: UUID | None = None
    insured_region: str = ""
    year: int = 0
    insurance: str = ""
    states: frozenset[str] = frozenset()
    paid_twice: bool = False
    overdue_on: date | None = None


def read_premium(tx: sqlalchemy.Connection, payment_id: UUID) -> PremiumRow | None:
    """The payment with this id."""
    query = select(*_PAYMENTS).where(
        _PAYMENTS.region == region_of(payment_id), _PAYMENTS.id == payment_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else PremiumRow(*row)


def list_premiums(
    tx: sqlalchemy.Connection, choice: Choice, before: UUID | None, limit: int
) -> Sequence[PremiumRow]:
    """At most `limit` of the chosen payments, newest first, those older than `before`."""
    query = select(*_PAYMENTS).where(*_conditions(choice))
    if before is not None:
        query = query.where(_PAYMENTS.id < before)
    page = query.order_by(_PAYMENTS.id.desc()).limit(limit)
    return [PremiumRow(*row) for row in tx.execute(page)]


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    if choice.donor_id is not None:
        yield _PAYMENTS.donor_id == choice.donor_id
    if choice.beneficiary_id is not None:
        yield _PAYMENTS.region == region_of(choice.beneficiary_id)
        yield _PAYMENTS.beneficiary_id == choice.beneficiary_id
    if choice.insured_region:
        yield _PAYMENTS.insured_region == choice.insured_region
    if choice.year:
        yield _PAYMENTS.year == choice.year
    if choice.insurance:
        yield _PAYMENTS.insurance == choice.insurance
    if choice.states:
        yield _PAYMENTS.state.in_(sorted(choice.states))
    if choice.paid_twice:
        yield _PAYMENTS.paid_twice
    if choice.overdue_on is not None:
        yield _PAYMENTS.state == PremiumState.SUBMITTED.value
        yield _PAYMENTS.answer_due_on < choice.overdue_on
