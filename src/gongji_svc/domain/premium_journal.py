"""The journal of a premium, account gives, the tax authority is owed; and its mirror.

Rule: a premium is owed by the beneficiary's insured region; the account gives from the region in
whose books it stands. The subsidy is public money and moves nothing here (HOH-26). What comes back
goes to the account that gave, or to suspense. The other side is the region's tax authority.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.suspense import suspense_line


@dataclass(frozen=True, slots=True)
class PremiumLeg:
    """Part of a premium that one account pays, in fen."""

    account_id: UUID
    pool_region: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class PremiumOf:
    """Whose premium moves money, of which payment, and to whose tax authority."""

    payment_id: UUID
    beneficiary_id: UUID
    binding_id: UUID | None
    insured_region: str
    insurance: str


def premium_journal(
    premium: PremiumOf, legs: Sequence[PremiumLeg], journal_id: UUID, occurred_at: datetime
) -> Journal:
    """What moves when the premium is debited."""
    postings = [_posting(premium, leg, EntryKind.PREMIUM, -leg.amount_fen) for leg in legs]
    owed_fen = sum(leg.amount_fen for leg in legs)
    return _journal(premium, postings, [_payable(premium, owed_fen)], journal_id, occurred_at)


def premium_refund_journal(
    premium: PremiumOf,
    legs: Sequence[PremiumLeg],
    to_suspense: Collection[UUID],
    journal_id: UUID,
    occurred_at: datetime,
) -> Journal:
    """What moves when it comes back: each leg to its account, of some accounts to suspense."""
    postings = [
        _posting(premium, leg, EntryKind.PREMIUM_REFUND, leg.amount_fen)
        for leg in legs
        if leg.account_id not in to_suspense
    ]
    in_suspense = [
        suspense_line(leg.pool_region, leg.account_id, leg.amount_fen)
        for leg in legs
        if leg.account_id in to_suspense
    ]
    returned_fen = sum(leg.amount_fen for leg in legs)
    lines = [_payable(premium, -returned_fen), *in_suspense]
    return _journal(premium, postings, lines, journal_id, occurred_at)


def _posting(premium: PremiumOf, leg: PremiumLeg, kind: EntryKind, amount_fen: int) -> Posting:
    return Posting(
        leg.account_id,
        leg.pool_region,
        kind,
        amount_fen,
        premium.beneficiary_id,
        premium.binding_id,
    )


def _payable(premium: PremiumOf, owed_fen: int) -> Line:
    return Line(premium.insured_region, Side.PREMIUM_PAYABLE, premium.insurance, owed_fen)


def _journal(
    premium: PremiumOf,
    postings: Sequence[Posting],
    lines: Sequence[Line],
    journal_id: UUID,
    occurred_at: datetime,
) -> Journal:
    return Journal(
        journal_id=journal_id,
        home=premium.insured_region,
        occurred_at=occurred_at,
        postings=postings,
        lines=lines,
        source_id=premium.payment_id,
        counterparty=premium.insured_region,
    )
