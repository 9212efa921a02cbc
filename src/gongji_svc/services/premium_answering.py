"""ConfirmPremium and RejectPremium: the tax authority's answer to a payment handed over.

Rule: a payment is answered once. The same answer told again, by whatever request, is answered with
the payment as it stands, for a bureau sends until it is heard; another answer is refused. What is
rejected goes back to the donor at once; what was paid elsewhere is rejected to take its record
back.
"""

from abc import ABC
from dataclasses import replace

from gongji_svc.domain.premium_state import PremiumEvent, PremiumState, next_state
from gongji_svc.domain.terms import PremiumRefundTo
from gongji_svc.services.asked import Asked
from gongji_svc.services.office import Office
from gongji_svc.services.premium_back import given_back
from gongji_svc.services.premium_changes import (
    Case,
    Changed,
    ChangePremium,
    check_region,
    payment_id_in,
)
from gongji_svc.storage.state import State, Wanted

_CONFIRMED_ONCE = (PremiumState.CONFIRMED, PremiumState.REFUND_REQUESTED, PremiumState.REFUNDED)


class AnswerPremium(ChangePremium, ABC):
    """An answer of the tax authority."""

    __slots__ = ()

    def check_allowed(self, case: Case) -> None:
        """Only the tax authority of the region whose rules decide."""
        check_region(case, self.asked.caller.subject)


class ConfirmPremium(AnswerPremium):
    """The premium is collected."""

    __slots__ = ()

    def discover(self, state: State) -> Wanted:
        """The donor, for the answer; no money moves."""
        return replace(AnswerPremium.discover(self, state), accounts_of=())

    def changed(self, case: Case) -> Changed:
        """The year counts as paid."""
        payment, voucher_no = case.payment, self.asked.message.tax_voucher_no
        if payment.state in _CONFIRMED_ONCE and payment.tax_voucher_no == voucher_no:
            return Changed(payment)
        after = next_state(PremiumState(payment.state), PremiumEvent.CONFIRM)
        return Changed(
            replace(payment, state=after.value, answered_at=case.now, tax_voucher_no=voucher_no)
        )


class RejectPremium(AnswerPremium):
    """The premium is refused; or was recorded by mistake, where it was paid elsewhere."""

    __slots__ = ()

    def changed(self, case: Case) -> Changed:
        """The donor has the money back; of what was paid elsewhere nobody had paid here."""
        payment, reason = case.payment, self.asked.message.reason
        if payment.state == PremiumState.REJECTED and payment.reject_reason == reason:
            return Changed(payment)
        event = PremiumEvent.WITHDRAW if payment.external_channel else PremiumEvent.REJECT
        after = next_state(PremiumState(payment.state), event)
        rejected = replace(
            payment,
            state=after.value,
            answered_at=case.now,
            reject_reason=reason,
            benefit_from=None,
        )
        if event is PremiumEvent.WITHDRAW:
            return Changed(rejected)
        # From here on the money moves.
        return given_back(case, rejected, PremiumRefundTo.PAYER_ACCOUNT)


def read_confirm_premium(office: Office, asked: Asked) -> ConfirmPremium:
    """The command in a ConfirmPremiumRequest."""
    return ConfirmPremium(office, asked, payment_id_in(asked.message))


def read_reject_premium(office: Office, asked: Asked) -> RejectPremium:
    """The command in a RejectPremiumRequest."""
    return RejectPremium(office, asked, payment_id_in(asked.message))
