"""How a premium comes back to its donor, of a rejection or a refund.

Rule: each account gets what it gave, wherever the donor stands now: a binding may have ended, a
frozen account takes it, a closed one's part goes to suspense. Where the region pays refunds out to
a bank account, no personal account is credited.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

from gongji_svc.domain.journal import Journal
from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.premium_journal import (
    PremiumLeg,
    PremiumOf,
    premium_payout_journal,
    premium_refund_journal,
)
from gongji_svc.domain.terms import AccountKind, AccountOwner, AccountState, PremiumRefundTo
from gongji_svc.domain.waterfall import Leg
from gongji_svc.services.premium_changes import Case
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.notices import notice_row
from gongji_svc.storage.premiums import PremiumRow
from gongji_svc.storage.state import AccountRow, TableRow
from gongji_svc.storage.suspense import suspense_row


def given_back(case: Case, to: PremiumRefundTo) -> tuple[Journal, tuple[TableRow, ...]]:
    """The journal that gives back all that was debited, and the rows beside it."""
    payment, now = case.payment, case.now
    premium = PremiumOf(
        payment_id=payment.id,
        beneficiary_id=payment.beneficiary_id,
        binding_id=payment.binding_id,
        insured_region=payment.insured_region,
        insurance=payment.insurance,
    )
    journal_id = new_id(payment.insured_region)
    if to is PremiumRefundTo.BANK:
        return premium_payout_journal(premium, payment.payable_fen, journal_id, now), ()
    gave = [(case.state.accounts[UUID(leg["account_id"])], leg) for leg in payment.legs]
    legs = [PremiumLeg(one.id, one.pool_region, leg["amount_fen"]) for one, leg in gave]
    closed = {one.id for one, _ in gave if one.state == AccountState.CLOSED}
    journal = premium_refund_journal(premium, legs, closed, journal_id, now)
    taken = [(one, leg["amount_fen"]) for one, leg in gave]
    return journal, tuple(_rows(case, payment, taken))


def _rows(
    case: Case, payment: PremiumRow, taken: Sequence[tuple[AccountRow, int]]
) -> Iterator[TableRow]:
    """What waits in suspense, and what the donor is told."""
    for account, amount_fen in taken:
        kind = NoticeKind.REFUND
        if account.state == AccountState.CLOSED:
            kind = NoticeKind.REFUND_IN_SUSPENSE
            yield suspense_row(account, amount_fen, payment.id, case.now)
        leg = Leg(
            owner=AccountOwner.DONOR,
            account_id=account.id,
            account_kind=AccountKind(account.kind),
            person_id=account.person_id,
            region=account.pool_region,
            amount_fen=amount_fen,
            binding_id=payment.binding_id,
        )
        yield notice_row(kind, leg, payment.id, case.now)
