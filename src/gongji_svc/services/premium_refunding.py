"""RefundPremium and DecidePremiumRefund: a confirmed premium paid back (退费).

Rule: the rules of the beneficiary's region on the day of asking decide whether, by whose word and
where to; whoever asked at a counter does not decide. The binding may have ended. The tax authority
hears of every refund, in the same decision.
"""

from dataclasses import replace
from datetime import date
from typing import Any

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role, same_actor
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.person import Person
from gongji_svc.domain.premium_refund import Paid, check_refundable, needs_approval
from gongji_svc.domain.premium_state import PremiumEvent, PremiumState, next_state
from gongji_svc.domain.terms import Insurance, PremiumRefundCause, PremiumRefundTo
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.premium_back import given_back
from gongji_svc.services.premium_changes import (
    Case,
    Changed,
    ChangePremium,
    check_region,
    payment_id_in,
)
from gongji_svc.services.reach import acting_as, acting_for, reaches
from gongji_svc.storage.premiums import PremiumRow, TaxMessageKind, tax_message


class RefundPremium(ChangePremium):
    """A donor who asks for a premium back."""

    __slots__ = ()

    def check_allowed(self, case: Case) -> None:
        """Only the donor, a guardian of the donor, or a clerk whose region the donor is of."""
        donor = case.donor
        if donor is None or not reaches(self.asked.caller, donor, case.today):
            raise errors.AccessDenied

    def acts_for(self, case: Case) -> dict[str, str]:
        """A guardian is the donor's actor."""
        return acting_for(self.asked.caller, _donor(case), case.today)

    def changed(self, case: Case) -> Changed:
        """Refunded at once, or waiting for the agency."""
        payment, message = case.payment, self.asked.message
        now = PremiumState(payment.state)
        next_state(now, PremiumEvent.ASK_REFUND)
        policy = self.office.premium_policy(payment.insured_region, case.today)
        cause = PremiumRefundCause(enum_name(pb.PremiumRefundCause, message.cause))
        paid = _paid(payment)
        check_refundable(policy, cause, paid, case.today)
        refund: dict[str, Any] = {
            "cause": cause.value,
            "reason": message.reason,
            "requested_at": case.now.isoformat(),
            "requested_by": self.acts_for(case),
            "amount_fen": payment.payable_fen,
            "refund_to": policy.premium_refund_to.value,
        }
        if needs_approval(policy, cause, paid, case.beneficiary, case.today):
            asked = next_state(now, PremiumEvent.ASK_REFUND)
            return Changed(replace(payment, state=asked.value, refund=refund))
        return _refunded(case, PremiumEvent.REFUND, refund)


class DecidePremiumRefund(ChangePremium):
    """The agency's decision on a refund that was asked for."""

    __slots__ = ()

    def check_allowed(self, case: Case) -> None:
        """Only the agency of the region whose rules decide; SecondActorRequired for who asked."""
        caller, asked = self.asked.caller, case.payment.refund.get("requested_by")
        check_region(case, caller.subject)
        if asked and asked["role"] == Role.COUNTER and same_actor(asked["actor"], caller.actor):
            raise errors.SecondActorRequired

    def changed(self, case: Case) -> Changed:
        """Paid back, or confirmed as it was; PremiumRefundNotRequested where nobody asked."""
        message, payment = self.asked.message, case.payment
        approved = message.decision == pb.PREMIUM_REFUND_DECISION_APPROVE
        event = PremiumEvent.APPROVE_REFUND if approved else PremiumEvent.REFUSE_REFUND
        after = next_state(PremiumState(payment.state), event)
        refund = {
            **payment.refund,
            "decision": enum_name(pb.PremiumRefundDecision, message.decision),
            "decision_reason": message.reason,
            "decided_by": acting_as(self.asked.caller),
        }
        if approved:
            return _refunded(case, event, refund)
        if not message.reason.strip():
            raise messages.invalid(Violation("reason", "不同意退费须填写原因"))
        refund["decided_at"] = case.now.isoformat()
        return Changed(replace(payment, state=after.value, refund=refund))


def _refunded(case: Case, event: PremiumEvent, refund: dict[str, Any]) -> Changed:
    """The payment, paid back."""
    payment = case.payment
    after = next_state(PremiumState(payment.state), event)
    decided = {**refund, "decided_at": case.now.isoformat()}
    refunded = replace(payment, state=after.value, refund=decided)
    # From here on the money moves.
    back = given_back(case, refunded, PremiumRefundTo(refund["refund_to"]))
    told = tax_message(back.payment, TaxMessageKind.REFUND, case.now)
    return replace(back, new=(*back.new, told))


def _paid(payment: PremiumRow) -> Paid:
    return Paid(
        year=payment.year,
        insurance=Insurance(payment.insurance),
        insured_region=payment.insured_region,
        standard_fen=payment.standard_fen,
        benefit_from=payment.benefit_from or date(payment.year, 1, 1),
        paid_twice=payment.paid_twice,
    )


def _donor(case: Case) -> Person:
    assert case.donor is not None  # noqa: S101 - check_allowed() came first
    return case.donor


def read_refund_premium(office: Office, asked: Asked) -> RefundPremium:
    """The command in a RefundPremiumRequest."""
    return RefundPremium(office, asked, payment_id_in(asked.message))


def read_decide_premium_refund(office: Office, asked: Asked) -> DecidePremiumRefund:
    """The command in a DecidePremiumRefundRequest."""
    return DecidePremiumRefund(office, asked, payment_id_in(asked.message))
