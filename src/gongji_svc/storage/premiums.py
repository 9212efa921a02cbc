"""Premium payments and the outbox to the tax authority: their rows, and how they are found.

Rule: a payment changes under its beneficiary's person lock only, so a year cannot be paid twice.
What the tax authority must hear is a row of the same decision; a worker sends it later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gongji_svc.storage import tables
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.state import State, TableRow
from gongji_svc.storage.statements import Row


class TaxMessageKind(StrEnum):
    """What the tax authority is told of a payment."""

    COLLECT = "COLLECT"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True)
class PremiumRow:
    """A row of `premium_payments`, by name; amounts in fen.

    `legs` are {account_id, kind, amount_fen, journal_id}, with `to_suspense` once the money came
    back: whether it went to suspense, not to the account; `submitted_by` and what `refund` names
    are {role, subject, actor}.
    """

    region: str
    id: UUID
    beneficiary_id: UUID
    donor_id: UUID | None
    binding_id: UUID | None
    year: int
    insurance: str
    insured_region: str
    state: str
    standard_fen: int
    subsidy_fen: int
    payable_fen: int
    special_group: str
    legs: Sequence[Mapping[str, Any]]
    policy: str
    wait_months: int
    benefit_from: date | None
    paid_on: date
    submitted_at: datetime
    submitted_by: Mapping[str, str]
    answered_at: datetime | None
    answer_due_on: date | None
    tax_voucher_no: str
    reject_reason: str
    refund: Mapping[str, Any]
    refund_journal_id: UUID | None
    external_channel: str
    paid_twice: bool
    request_caller: str
    request_id: str

    def row(self) -> Row:
        """The values in column order."""
        return tuple(getattr(self, name) for name in self.__slots__)


def premiums_in(state: State, beneficiary_id: UUID) -> Sequence[PremiumRow]:
    """The gathered payments of somebody, oldest first."""
    rows = state.premiums_of[beneficiary_id]
    return [PremiumRow(*rows[payment_id]) for payment_id in sorted(rows)]


def premium_in(state: State, payment_id: UUID) -> PremiumRow:
    """The gathered payment, as earlier commands of the batch have left it."""
    return PremiumRow(*state.premiums_of[state.owners[payment_id]][payment_id])


def tax_message(
    payment: PremiumRow, kind: TaxMessageKind, at: datetime, due_at: datetime | None = None
) -> TableRow:
    """What the tax authority is to hear, at `due_at` or at once."""
    home = region_of(payment.id)
    return tables.tax_messages, (
        home,
        new_id(home),
        payment.id,
        kind.value,
        payment.insured_region,
        at,
        due_at or at,
        0,
        "",
        None,
    )
