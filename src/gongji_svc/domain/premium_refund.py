"""Whether a confirmed premium can be paid back (退费), until when, and if the agency must agree.

Rule: the causes are the region's; the last day is the one it names in the insured year (PRE-07),
else the day before benefits begin (PRE-06). Where no approval is asked for, the registry must show
the cause; what it does not show is left to the agency.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from gongji_svc.domain.errors import PremiumRefundCauseNotAllowed, PremiumRefundTooLate
from gongji_svc.domain.payment import subsidy
from gongji_svc.domain.person import Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import Insurance, InsuredStatus, PremiumRefundCause

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Paid:
    """What of a confirmed payment decides about its refund; the standard in fen."""

    year: int
    insurance: Insurance
    insured_region: str
    standard_fen: int
    benefit_from: date
    paid_twice: bool


def refund_until(policy: Policy, year: int, benefit_from: date) -> date | None:
    """Last day on which a refund can be asked for; None where the region gives none."""
    if not policy.premium_refund_causes:
        return None
    if policy.premium_refund_until is not None:
        return policy.premium_refund_until.in_year(year)
    return benefit_from - _A_DAY


def check_refundable(policy: Policy, cause: PremiumRefundCause, paid: Paid, today: date) -> None:
    """PremiumRefundCauseNotAllowed or PremiumRefundTooLate where the region gives no refund."""
    until = refund_until(policy, paid.year, paid.benefit_from)
    if cause not in policy.premium_refund_causes or until is None:
        raise PremiumRefundCauseNotAllowed(cause=cause.value)
    if today > until:
        raise PremiumRefundTooLate(deadline=until.isoformat())


def needs_approval(
    policy: Policy, cause: PremiumRefundCause, paid: Paid, beneficiary: Person, today: date
) -> bool:
    """Whether the agency decides."""
    return policy.premium_refund_approval or not is_shown(policy, cause, paid, beneficiary, today)


def is_shown(
    policy: Policy, cause: PremiumRefundCause, paid: Paid, beneficiary: Person, today: date
) -> bool:
    """Whether what is known here shows the cause; of imprisonment nothing is."""
    running = [
        one for one in beneficiary.enrolments if status_on(one, today) is InsuredStatus.NORMAL
    ]
    match cause:
        case PremiumRefundCause.PAID_TWICE:
            return paid.paid_twice
        case PremiumRefundCause.JOINED_EMPLOYEE:
            return any(one.insurance is Insurance.EMPLOYEE for one in running)
        case PremiumRefundCause.DIED:
            return beneficiary.died_on is not None and beneficiary.died_on < paid.benefit_from
        case PremiumRefundCause.MOVED_AWAY:
            there = [one.region for one in running if one.insurance is paid.insurance]
            return bool(there) and paid.insured_region not in there
        case PremiumRefundCause.FULLY_SUBSIDISED:
            _, covered_fen = subsidy(
                paid.standard_fen, policy.premium_groups, beneficiary.identities
            )
            return covered_fen == paid.standard_fen
        case PremiumRefundCause.IMPRISONED:
            return False
