"""What stands in the way of a premium: whoever pays, and for one donor.

Rule: a quote lists what stands in the way, a payment is refused for the first of it; both walk the
same list, so who is told to be able to pay can. A donor's limits for a relative are not asked: they
bind what is spent at a till, a premium is the donor's own order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from gongji_svc.domain.binding import Binding
from gongji_svc.domain.errors import (
    OwnBalanceNotZero,
    PremiumAlreadyPaid,
    PremiumBindingMissing,
    PremiumEnrolmentMissing,
    PremiumFundsInsufficient,
    Refusal,
    RelationNotAllowed,
)
from gongji_svc.domain.payment import Quote, check_payable
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import OwnZeroRule, Use
from gongji_svc.domain.usability import (
    Obstacle,
    Why,
    beneficiary_obstacles,
    binding_obstacles,
    donor_obstacles,
    shareable,
)
from gongji_svc.domain.wording import listed

Hindrance = Obstacle | Refusal
"""What stands in the way: of mutual aid at all, or of a premium."""

_OF_BINDING = frozenset(
    {
        Why.PENDING_REVIEW,
        Why.REJECTED,
        Why.SUSPENDED,
        Why.ENDED,
        Why.EXPIRED,
        Why.NOT_STARTED,
        Why.USE_NOT_GRANTED,
    }
)
_NO_MONEY_AT_ALL = (Why.NO_ACCOUNT, Why.ACCOUNT_FROZEN)


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody's premium of a year on a day: `policy` is that of the `region` which decides,
    `enrolment` what is registered there; `paid`: the year is paid, or being paid.
    """

    person: Person
    region: str
    enrolment: Enrolment | None
    accounts: Sequence[Account]
    policy: Policy
    quoted: Quote
    paid: bool
    day: date


@dataclass(frozen=True, slots=True)
class Payer:
    """Who could pay, under which binding (None: under none); `policy` is the donor's region's.

    `mends`: the binding is suspended for nothing but what the premium mends.
    """

    person: Person
    binding: Binding | None
    enrolment: Enrolment | None
    policy: Policy | None
    accounts: Sequence[Account]
    mends: bool = False


def due_hindrances(due: Due) -> Iterator[Refusal]:
    """What stands in the way whoever pays."""
    try:
        check_payable(due.policy, due.quoted, due.day)
    except Refusal as refusal:
        yield refusal
    if due.enrolment is None:
        yield PremiumEnrolmentMissing()
    if due.paid:
        yield PremiumAlreadyPaid(year=str(due.quoted.year))


def payer_hindrances(due: Due, payer: Payer) -> Iterator[Hindrance]:
    """What stands in the way of this donor, in the order in which it is asked."""
    yield from _of_binding(due, payer)
    yield from _of_people(due, payer)
    strict = due.policy.premium_own_zero_rule is OwnZeroRule.STRICT
    if strict and any(account.balance_fen for account in due.accounts):
        yield OwnBalanceNotZero()
    yield from _of_money(due, payer)


def is_of_binding(hindrance: Hindrance) -> bool:
    """Whether it is that there is no binding in force with the PREMIUM use."""
    return (
        isinstance(hindrance, Obstacle) and hindrance.why in _OF_BINDING and not hindrance.rule
    ) or isinstance(hindrance, PremiumBindingMissing)


def _of_binding(due: Due, payer: Payer) -> Iterator[Hindrance]:
    binding = payer.binding
    if binding is None:
        oneself = payer.person.person_id == due.person.person_id
        if oneself or due.policy.premium_binding_required:
            yield PremiumBindingMissing()
        return
    for obstacle in binding_obstacles(binding, Use.PREMIUM, due.day):
        if not (payer.mends and obstacle.why is Why.SUSPENDED):
            yield obstacle
    relations = due.policy.premium_relations
    if binding.relation not in relations:
        yield RelationNotAllowed(
            region=due.region, relation=binding.relation, relations=listed(relations)
        )


def _of_people(due: Due, payer: Payer) -> Iterator[Hindrance]:
    policy = payer.policy
    if policy is None:  # where no rules hold, no money is shared
        yield Obstacle(Why.DONOR_NOT_INSURED)
        return
    if Use.PREMIUM not in policy.uses:
        yield Obstacle(Why.USE_NOT_GRANTED, rule="uses")
    yield from donor_obstacles(payer.person, payer.enrolment, policy, due.day)
    of_beneficiary = beneficiary_obstacles(
        due.person, due.enrolment, payer.enrolment, policy, due.day, Use.PREMIUM
    )
    for obstacle in of_beneficiary:
        if obstacle.why is not Why.BENEFICIARY_NOT_INSURED:  # that is told whoever pays
            yield obstacle


def _of_money(due: Due, payer: Payer) -> Iterator[Hindrance]:
    if payer.policy is None:
        return
    share = shareable(payer.accounts, payer.policy)
    if share.why in _NO_MONEY_AT_ALL:
        yield Obstacle(share.why)
    elif share.amount_fen < due.quoted.payable_fen:
        yield PremiumFundsInsufficient()
