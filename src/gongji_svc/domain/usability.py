"""Who may use mutual aid today: every reason for "bound, yet no money" apart (NAT-07).

Rule: the donor's region decides, on the day of the commit. A till asks for the first obstacle, the
explanation for all of them; both walk the same list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gongji_svc.domain.binding import LIVING, Binding, BindingState, state_on
from gongji_svc.domain.eligibility import within
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.premium_standing import is_registered
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import (
    AccountState,
    DonorLapse,
    InstitutionKind,
    InsuredStatus,
    Use,
    VisitType,
)


class Why(StrEnum):
    """Why a donor's money is not used, or no more of it."""

    NO_BINDING = "NO_BINDING"  # perhaps only a 亲情账户, which never yields money
    PENDING_REVIEW = "PENDING_REVIEW"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"
    EXPIRED = "EXPIRED"
    NOT_STARTED = "NOT_STARTED"
    USE_NOT_GRANTED = "USE_NOT_GRANTED"
    DONOR_DECEASED = "DONOR_DECEASED"
    DONOR_NOT_INSURED = "DONOR_NOT_INSURED"
    DONOR_LAPSED = "DONOR_LAPSED"
    DONOR_PUBLICLY_FUNDED = "DONOR_PUBLICLY_FUNDED"
    BENEFICIARY_DECEASED = "BENEFICIARY_DECEASED"
    BENEFICIARY_NOT_INSURED = "BENEFICIARY_NOT_INSURED"
    BENEFICIARY_INSURANCE_NOT_ADMITTED = "BENEFICIARY_INSURANCE_NOT_ADMITTED"
    BENEFICIARY_OUT_OF_AREA = "BENEFICIARY_OUT_OF_AREA"
    BENEFICIARY_PUBLICLY_FUNDED = "BENEFICIARY_PUBLICLY_FUNDED"
    VISIT_TYPE_NOT_ADMITTED = "VISIT_TYPE_NOT_ADMITTED"
    PLACE_NOT_ADMITTED = "PLACE_NOT_ADMITTED"
    CARE_OUT_OF_AREA = "CARE_OUT_OF_AREA"
    NO_ACCOUNT = "NO_ACCOUNT"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    BALANCE_ZERO = "BALANCE_ZERO"
    BELOW_THRESHOLD = "BELOW_THRESHOLD"
    BELOW_RESERVE = "BELOW_RESERVE"
    ALL_HELD = "ALL_HELD"
    LIMIT_REACHED = "LIMIT_REACHED"
    OWN_NOT_ZERO = "OWN_NOT_ZERO"
    NOT_CHOSEN = "NOT_CHOSEN"
    NOT_THE_SINGLE_DONOR = "NOT_THE_SINGLE_DONOR"
    NOT_NEEDED = "NOT_NEEDED"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason; the earliest date on which it changes by itself; the `Policy` field behind it."""

    why: Why
    until: date | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where and how care is given, as far as a donor's region cares."""

    visit_type: VisitType
    place: InstitutionKind
    region: str


_NOT_ACTIVE = {
    BindingState.PENDING_REVIEW: Why.PENDING_REVIEW,
    BindingState.REJECTED: Why.REJECTED,
    BindingState.SUSPENDED: Why.SUSPENDED,
    BindingState.ENDED: Why.ENDED,
    BindingState.EXPIRED: Why.EXPIRED,
}


def obstacles(
    binding: Binding,
    donor: Person,
    donor_enrolment: Enrolment | None,
    beneficiary: Person,
    enrolment: Enrolment | None,
    policy: Policy,
    use: Use,
    today: date,
) -> Iterator[Obstacle]:
    """What stops a binding today, apart from money; `policy` is the donor's region's.

    `donor_enrolment` is the donor's in that region (None: moved or never insured there);
    `enrolment` is the one the beneficiary uses (None: never insured).
    """
    yield from binding_obstacles(binding, use, today)
    if use in binding.uses and use not in policy.uses:
        yield Obstacle(Why.USE_NOT_GRANTED, rule="uses")
    yield from donor_obstacles(donor, donor_enrolment, policy, today)
    yield from beneficiary_obstacles(beneficiary, enrolment, donor_enrolment, policy, today, use)


def binding_obstacles(binding: Binding, use: Use, today: date) -> Iterator[Obstacle]:
    """What stops a binding today by itself; of one that is over, only that it is."""
    state = state_on(binding, today)
    if state is not BindingState.ACTIVE:
        yield Obstacle(_NOT_ACTIVE[state])
    if state not in LIVING:
        return
    if today < binding.effective_from:
        yield Obstacle(Why.NOT_STARTED, until=binding.effective_from)
    if use not in binding.uses:
        yield Obstacle(Why.USE_NOT_GRANTED)


def donor_obstacles(
    donor: Person, enrolment: Enrolment | None, policy: Policy, today: date
) -> Iterator[Obstacle]:
    """What stops every binding of a donor; `enrolment` and `policy` as in `obstacles`."""
    if donor.died_on is not None:
        yield Obstacle(Why.DONOR_DECEASED)
    if donor.publicly_funded and not policy.donor_publicly_funded:
        yield Obstacle(Why.DONOR_PUBLICLY_FUNDED, rule="donor_publicly_funded")
    if enrolment is None or enrolment.insurance not in policy.donor_insurances:
        yield Obstacle(Why.DONOR_NOT_INSURED, rule="donor_insurances")
        return
    status = status_on(enrolment, today)
    if status is InsuredStatus.PAUSED:
        if policy.donor_lapse is DonorLapse.SUSPEND:
            yield Obstacle(Why.DONOR_LAPSED, _insured_from(enrolment, today), "donor_lapse")
    elif status is not InsuredStatus.NORMAL:
        insured_from = _insured_from(enrolment, today)
        yield Obstacle(Why.DONOR_NOT_INSURED, insured_from, "donor_insurances")


def beneficiary_obstacles(
    beneficiary: Person,
    enrolment: Enrolment | None,
    donor_enrolment: Enrolment | None,
    policy: Policy,
    today: date,
    use: Use = Use.MEDICAL,
) -> Iterator[Obstacle]:
    """What stops a beneficiary who uses an enrolment; the rest as in `obstacles`."""
    if beneficiary.died_on is not None:
        yield Obstacle(Why.BENEFICIARY_DECEASED)
    elif enrolment is None:
        yield Obstacle(Why.BENEFICIARY_NOT_INSURED)
    else:
        yield from _of_enrolment(enrolment, donor_enrolment, policy, today, use)
    if not policy.beneficiary_publicly_funded and beneficiary.publicly_funded:
        yield Obstacle(Why.BENEFICIARY_PUBLICLY_FUNDED, rule="beneficiary_publicly_funded")


def _of_enrolment(
    enrolment: Enrolment,
    donor_enrolment: Enrolment | None,
    policy: Policy,
    today: date,
    use: Use,
) -> Iterator[Obstacle]:
    """A premium is also paid for who lapsed; for which insurance, says the region it is paid in."""
    for_premium = use is Use.PREMIUM
    insured = status_on(enrolment, today) is InsuredStatus.NORMAL
    if not (insured or (for_premium and is_registered(enrolment, today))):
        yield Obstacle(Why.BENEFICIARY_NOT_INSURED, _insured_from(enrolment, today))
    if not for_premium and enrolment.insurance not in policy.beneficiary_insurances:
        yield Obstacle(Why.BENEFICIARY_INSURANCE_NOT_ADMITTED, rule="beneficiary_insurances")
    donor_region = donor_enrolment.region if donor_enrolment is not None else policy.region
    if not within(policy.beneficiary_area, donor_region, enrolment.region):
        yield Obstacle(Why.BENEFICIARY_OUT_OF_AREA, rule="beneficiary_area")


def _insured_from(enrolment: Enrolment, today: date) -> date | None:
    """The first day to come on which the insurance runs, where one is known."""
    normal = (one.from_ for one in enrolment.periods if one.status is InsuredStatus.NORMAL)
    return min((day for day in normal if day > today), default=None)


def visit_obstacles(visit: Visit, donor_region: str, policy: Policy) -> Iterator[Obstacle]:
    """What stops a donor's money at this visit; `policy` is the donor's region's."""
    if visit.visit_type not in policy.use_visit_types:
        yield Obstacle(Why.VISIT_TYPE_NOT_ADMITTED, rule="use_visit_types")
    if visit.place not in policy.use_places:
        yield Obstacle(Why.PLACE_NOT_ADMITTED, rule="use_places")
    if not within(policy.use_area, donor_region, visit.region):
        yield Obstacle(Why.CARE_OUT_OF_AREA, rule="use_area")


@dataclass(frozen=True, slots=True)
class Shareable:
    """What relatives may use of somebody's accounts, in fen; and why it is nothing."""

    amount_fen: int
    why: Why | None = None


def shareable(accounts: Sequence[Account], policy: Policy) -> Shareable:
    """The amount for relatives: what is free in the paying kinds, less the reserve.

    Nothing below the threshold. An amount held for the settlement at hand was promised and stays.
    """
    balance = free = promised = 0
    frozen = found = False
    for account in accounts:
        if account.kind not in policy.donor_account_kinds:
            continue
        if account.state is AccountState.OPEN:
            found = True
            balance += account.balance_fen
            free += account.spendable_fen
            promised += account.named_hold_fen
        else:
            frozen = frozen or account.state is AccountState.FROZEN
    if not found:
        return Shareable(0, Why.ACCOUNT_FROZEN if frozen else Why.NO_ACCOUNT)
    above = free - policy.reserve_fen if balance >= policy.threshold_fen else 0
    amount = max(above, promised)
    if amount > 0:
        return Shareable(amount)
    return Shareable(0, _why_nothing(balance, free, policy))


def _why_nothing(balance_fen: int, free_fen: int, policy: Policy) -> Why:
    if balance_fen == 0:
        return Why.BALANCE_ZERO
    if balance_fen < policy.threshold_fen:
        return Why.BELOW_THRESHOLD
    return Why.BELOW_RESERVE if free_fen > 0 else Why.ALL_HELD
