"""How a premium comes back to its donor, of a rejection or a refund.

Rule: each account gets what it gave, wherever the donor stands now: a binding may have ended, a
frozen account takes it, a closed one's part goes to suspense. Where the region pays refunds out to
a bank account all of it does, for the agency of the account's region to pay out.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from uuid import UUID

from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.premium_journal import PremiumLeg, PremiumOf, premium_refund_journal
from gongji_svc.domain.terms import AccountState, PremiumRefundTo
from gongji_svc.services.premium_changes import Case, Changed
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.notices import notice
from gongji_svc.storage.premiums import PremiumRow
from gongji_svc.storage.state import AccountRow, TableRow
from gongji_svc.storage.suspense import suspense_row


def given_back(case: Case, after: PremiumRow, to: PremiumRefundTo) -> Changed:
    """The payment as it is `after` all that was debited came back: what moves, and the rows."""
    premium = PremiumOf(
        payment_id=after.id,
        beneficiary_id=after.beneficiary_id,
        binding_id=after.binding_id,
        insured_region=after.insured_region,
        insurance=after.insurance,
    )
    gave = {UUID(leg["account_id"]): leg["amount_fen"] for leg in after.legs}
    accounts = [case.state.accounts[account_id] for account_id in gave]
    to_suspense = {
        one.id for one in accounts if to is PremiumRefundTo.BANK or one.state == AccountState.CLOSED
    }
    legs = [PremiumLeg(one.id, one.pool_region, gave[one.id]) for one in accounts]
    journal_id = new_id(after.insured_region)
    journal = premium_refund_journal(premium, legs, to_suspense, journal_id, case.now)
    returned = replace(
        after,
        legs=[{**leg, "to_suspense": UUID(leg["account_id"]) in to_suspense} for leg in after.legs],
        refund_journal_id=journal_id,
        benefit_from=None,
    )
    back = [(one, gave[one.id]) for one in accounts]
    return Changed(returned, (journal,), tuple(_rows(case, after, back, to_suspense)))


def _rows(
    case: Case,
    payment: PremiumRow,
    back: Collection[tuple[AccountRow, int]],
    to_suspense: Collection[UUID],
) -> Iterator[TableRow]:
    """What waits in suspense, and what the donor is told."""
    for account, amount_fen in back:
        kind = NoticeKind.REFUND
        if account.id in to_suspense:
            kind = NoticeKind.REFUND_IN_SUSPENSE
            yield suspense_row(account, amount_fen, payment.id, case.now)
        donor_id, binding_id = account.person_id, payment.binding_id
        yield notice(kind, donor_id, binding_id, amount_fen, payment.id, case.now)
