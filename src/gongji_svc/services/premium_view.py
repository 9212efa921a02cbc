"""A premium payment as its readers may see it.

Rule: names are masked for everybody. The debit, account by account, is shown to the donor's side
and to counter and agency; which member of staff acted to those alone, which guardian to the donor's
side too. To the beneficiary's side and to the tax authority the payment is a record of what was
paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gongji.v1 import payment_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.masking import masked_name
from gongji_svc.services.audit import Facts
from gongji_svc.services.binding_view import actor, policy_ref
from gongji_svc.services.days import date_of, timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.storage.premiums import PremiumRow

STAFF = frozenset({Role.COUNTER, Role.AGENCY})
"""Who sees what the donor sees, and which member of staff acted."""


@dataclass(frozen=True, slots=True)
class PremiumView:
    """A payment with the names of both people in clear (the donor's is empty without one).

    `donor_side`: the caller is its donor, or a guardian of the donor.

    What `refund` keeps is read by name, whatever is absent is left out: cause, reason,
    requested_at, requested_by, decision, decision_reason, decided_at, decided_by, amount_fen and
    refund_to; moments in ISO 8601, people as {role, subject, actor}.
    """

    payment: PremiumRow
    donor_name: str
    beneficiary_name: str
    donor_side: bool = False

    def message(self, caller: Caller) -> pb.PremiumPayment:
        """The payment in the contract's words."""
        payment = self.payment
        seen = self._seen(caller)
        return pb.PremiumPayment(
            payment_id=str(payment.id),
            state=enum_number(pb.PremiumPaymentState, payment.state),
            donor_id=_text(payment.donor_id),
            donor_name=masked_name(self.donor_name),
            beneficiary_id=str(payment.beneficiary_id),
            beneficiary_name=masked_name(self.beneficiary_name),
            binding_id=_text(payment.binding_id),
            year=payment.year,
            insurance=enum_number(types_pb2.Insurance, payment.insurance),
            standard_fen=payment.standard_fen,
            subsidy_fen=payment.subsidy_fen,
            payable_fen=payment.payable_fen,
            group=payment.special_group,
            legs=[_leg(leg) for leg in payment.legs] if seen else (),
            region=payment.insured_region,
            policy=policy_ref(payment.policy),
            wait_months=payment.wait_months,
            benefit_from=date_of(payment.benefit_from),
            paid_on=date_of(payment.paid_on),
            submitted_at=timestamp(payment.submitted_at),
            submitted_by=self._actor(payment.submitted_by, caller),
            answered_at=None if payment.answered_at is None else timestamp(payment.answered_at),
            answer_due_on=date_of(payment.answer_due_on),
            tax_voucher_no=payment.tax_voucher_no,
            reject_reason=payment.reject_reason,
            refund=self._refund(caller),
            refund_journal_id=(
                _text(payment.refund_journal_id) if seen or caller.role is Role.TAX else ""
            ),
            external_channel=payment.external_channel,
            paid_twice=payment.paid_twice,
            request_id=payment.request_id if self._asked_by(caller) else "",
            in_suspense=seen and any(leg.get("to_suspense", False) for leg in payment.legs),
        )

    def _seen(self, caller: Caller) -> bool:
        """Whether the caller sees whose money moved, and where it went."""
        return self.donor_side or caller.role in STAFF

    def _asked_by(self, caller: Caller) -> bool:
        payment = self.payment
        by = (payment.submitted_by["role"], payment.request_caller)
        return by == (caller.role, caller.subject)

    def _actor(self, kept: Mapping[str, str], caller: Caller) -> types_pb2.Actor:
        is_guardian = kept["role"] == Role.CITIZEN
        shown = caller.role in STAFF or (self.donor_side and is_guardian)
        return actor({**kept, "actor": kept["actor"] if shown else ""})

    def _refund(self, caller: Caller) -> pb.PremiumRefund | None:
        kept: Mapping[str, Any] = self.payment.refund
        if not kept:
            return None
        decided_by = kept.get("decided_by") if caller.role in STAFF else None
        return pb.PremiumRefund(
            cause=enum_number(pb.PremiumRefundCause, kept["cause"]),
            reason=kept.get("reason", ""),
            requested_at=_moment(kept.get("requested_at")),
            requested_by=self._actor(kept["requested_by"], caller),
            decision=enum_number(pb.PremiumRefundDecision, kept.get("decision", "UNSPECIFIED")),
            decision_reason=kept.get("decision_reason", ""),
            decided_at=_moment(kept.get("decided_at")),
            decided_by=None if decided_by is None else actor(decided_by),
            amount_fen=kept["amount_fen"],
            refund_to=enum_number(pb.PremiumRefundTo, kept["refund_to"]),
        )


def premium_facts(payment: PremiumRow) -> Facts:
    """What the audit trail keeps of a payment."""
    return {
        "state": payment.state,
        "donor_id": _text(payment.donor_id),
        "beneficiary_id": str(payment.beneficiary_id),
        "binding_id": _text(payment.binding_id),
        "year": payment.year,
        "insurance": payment.insurance,
        "payable_fen": payment.payable_fen,
        "paid_on": payment.paid_on.isoformat(),
        "tax_voucher_no": payment.tax_voucher_no,
        "reject_reason": payment.reject_reason,
        "refund": dict(payment.refund),
        "refund_journal_id": _text(payment.refund_journal_id),
        "external_channel": payment.external_channel,
        "paid_twice": payment.paid_twice,
    }


def _leg(leg: Mapping[str, Any]) -> pb.PremiumLeg:
    return pb.PremiumLeg(
        account_id=leg["account_id"],
        account_kind=enum_number(types_pb2.AccountKind, leg["kind"]),
        amount_fen=leg["amount_fen"],
        journal_id=leg["journal_id"],
    )


def _moment(text: str | None) -> Any:
    return timestamp(datetime.fromisoformat(text)) if text else None


def _text(found: object) -> str:
    return "" if found is None else str(found)
