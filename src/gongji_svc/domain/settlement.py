"""A bill becomes a plan: who pays which fen of it, and why.

Rule: pure. Everything that decides is in the `Bill`, gathered under lock; the `Plan` keeps what a
later refund needs to reckon anew. Fund first, then the own account, then donors, then cash. Whose
rules: order, own first and account base are the patient's region's; what a donor's money may do is
the donor's region's; catalogue and level are those of the region of care.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from gongji_svc.domain.benefit import (
    NO_BENEFIT_YET,
    NO_FUND,
    Benefit,
    BenefitState,
    BenefitTerms,
    benefit_of,
    level_of,
    terms_for,
)
from gongji_svc.domain.bill import (
    CatalogItem,
    Item,
    LineSplit,
    Sums,
    split_lines,
    sums_of,
)
from gongji_svc.domain.breakdown import Breakdown, GivenBreakdown, check_given
from gongji_svc.domain.errors import BreakdownRequired, Violation, VisitTypeNotServed
from gongji_svc.domain.money import share_of
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import standing_of
from gongji_svc.domain.step import (
    Caution,
    Step,
    steps_of_accounts,
    steps_of_base,
    steps_of_fund,
    steps_of_lines,
)
from gongji_svc.domain.terms import (
    AccountBase,
    AccountUse,
    InstitutionKind,
    InstitutionLevel,
    Order,
    Use,
    VisitType,
)
from gongji_svc.domain.usability import Obstacle, Visit, obstacles, visit_obstacles
from gongji_svc.domain.waterfall import Donor, DonorOutcome, Flow, Leg, pour, sums_of_legs


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient as gathered under lock; `policy` is that of the enrolment's region.

    `benefit_from` is the first day of benefit after a late premium (None: no waiting).
    """

    person: Person
    enrolment: Enrolment
    policy: Policy
    accounts: Sequence[Account] = ()
    benefit: BenefitState = NO_BENEFIT_YET
    benefit_from: date | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """Where and how care is given; `prescriber_level` for a purchase on a prescription."""

    visit_type: VisitType
    place: InstitutionKind
    level: InstitutionLevel
    region: str
    prescriber_level: InstitutionLevel | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """All that decides a settlement.

    `occurred_on` chose policy, catalogue and counters; `decided_on` is the day of the commit, on
    which bindings and insurance are judged.
    """

    patient: Patient
    care: Care
    total_fen: int
    account_use: AccountUse
    occurred_on: date
    decided_on: date
    items: Sequence[Item] = ()
    catalogue: Mapping[str, CatalogItem] = field(default_factory=dict)
    donors: Sequence[Donor] = ()
    chosen_binding_id: UUID | None = None
    given: GivenBreakdown | None = None


@dataclass(frozen=True, slots=True)
class PolicyMark:
    """Which rules decided: enough to prove it from the files years later."""

    region: str
    blocks: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Who pays what, and all that a refund needs to reckon it anew."""

    breakdown: Breakdown
    lines: tuple[LineSplit, ...]
    legs: tuple[Leg, ...]
    terms: BenefitTerms
    account_base: AccountBase
    given: bool
    outcomes: tuple[DonorOutcome, ...]
    steps: tuple[Step, ...]
    cautions: tuple[Caution, ...]
    policies: tuple[PolicyMark, ...]

    def __post_init__(self) -> None:
        paid, donated = sums_of_legs(self.legs)
        if paid != self.breakdown.account_pay_fen:
            raise ValueError("account_pay is not the sum of the legs")
        if donated != self.breakdown.mutual_aid_pay_fen:
            raise ValueError("mutual_aid_pay is not the sum of the donors' legs")

    @property
    def fund_in_cap_fen(self) -> int:
        """What counts towards the annual cap."""
        return self.breakdown.fund_pay_fen if self.terms.in_cap else 0


def plan(bill: Bill) -> Plan:
    """Decide a settlement; a `Refusal` when the bill does not hold."""
    _check_visit(bill)
    lines = split_lines(bill.items, bill.catalogue, bill.total_fen) if bill.items else ()
    if bill.given is not None:
        return _plan_given(bill, bill.given, lines)
    sums = sums_of(lines)
    terms = _terms(bill)
    return _complete(bill, lines, sums, terms, benefit_of(sums.in_scope_fen, terms))


_PLACE_OF = {
    VisitType.INPATIENT: InstitutionKind.HOSPITAL,
    VisitType.PHARMACY: InstitutionKind.PHARMACY,
}


def _check_visit(bill: Bill) -> None:
    """A stay is a hospital's and comes priced, nothing else does; PHARMACY is a pharmacy's
    (docs/decisions/readings.md#visit-and-place).
    """
    inpatient = bill.care.visit_type is VisitType.INPATIENT
    meant_for = _PLACE_OF.get(bill.care.visit_type, bill.care.place)
    elsewhere = bill.care.place is not meant_for
    if elsewhere or (bill.given is not None and not inpatient):
        raise VisitTypeNotServed(visit_type=bill.care.visit_type)
    if bill.given is None and inpatient:
        raise BreakdownRequired(violations=[Violation("given_breakdown", "住院结算须给出费用构成")])


def _terms(bill: Bill) -> BenefitTerms:
    patient, care = bill.patient, bill.care
    standing = standing_of(patient.enrolment, patient.policy, bill.decided_on, patient.benefit_from)
    return terms_for(
        patient.policy,
        patient.enrolment.person_type,
        standing,
        patient.benefit,
        _benefit_visit(care, patient.policy),
        level_of(patient.policy, care.place, care.level, care.prescriber_level),
    )


def _benefit_visit(care: Care, policy: Policy) -> VisitType:
    """At a pharmacy a benefit runs only where the region says so, whatever the till calls it."""
    at_pharmacy = care.place is InstitutionKind.PHARMACY
    if at_pharmacy and VisitType.PHARMACY not in policy.benefit_visit_types:
        return VisitType.PHARMACY
    return care.visit_type


def _plan_given(bill: Bill, given: GivenBreakdown, lines: tuple[LineSplit, ...]) -> Plan:
    """Accounts pay the personal share of a bill priced elsewhere; no fund is computed."""
    check_given(given, bill.total_fen)
    parts = (
        given.full_self_pay_fen,
        given.over_limit_fen,
        given.pre_self_pay_fen,
        given.in_scope_fen,
    )
    benefit = Benefit(given.deductible_fen, given.fund_pay_fen, given.fund_pay_fen)
    return _complete(bill, lines, Sums(*parts, *parts), NO_FUND, benefit)


def account_base_fen(sums: Sums, fund_fen: int, rule: AccountBase) -> int:
    """What accounts may pay at most: the personal share of the account-payable lines.

    Their part of the fund's payment goes by their part of what is in scope, rounded half up; where
    only costs in policy are payable, full self-pay and over-limit stay outside (TIL-19).
    """
    base = sums.payable_pre_self_pay_fen + sums.payable_in_scope_fen
    if rule is AccountBase.PERSONAL_SHARE:
        base += sums.payable_full_self_pay_fen + sums.payable_over_limit_fen
    base -= share_of(fund_fen, sums.payable_in_scope_fen, sums.in_scope_fen)
    return max(0, base)


def _complete(
    bill: Bill, lines: tuple[LineSplit, ...], sums: Sums, terms: BenefitTerms, benefit: Benefit
) -> Plan:
    """From the fund's part on: the accounts, the cash, and the words for all of it."""
    policy = bill.patient.policy
    personal = bill.total_fen - benefit.fund_pay_fen
    base = min(personal, account_base_fen(sums, benefit.fund_pay_fen, policy.account_base))
    flow = _flow(bill, base)
    account = flow.own_fen + flow.donors_fen
    ratio = terms.ratio_bp if bill.given is None else bill.given.fund_ratio_bp
    breakdown = Breakdown(
        bill.total_fen,
        sums.full_self_pay_fen,
        sums.over_limit_fen,
        sums.pre_self_pay_fen,
        sums.in_scope_fen,
        benefit.deductible_fen,
        ratio,
        benefit.fund_pay_fen,
        personal,
        account,
        flow.donors_fen,
        personal - account,
    )
    priced_here = lines if bill.given is None else ()
    steps = [
        *steps_of_lines(breakdown, priced_here, bill.given is not None),
        *steps_of_fund(breakdown, terms, benefit, policy, bill.occurred_on, bill.care.place),
        *steps_of_base(breakdown, base, sums, priced_here, policy),
        *steps_of_accounts(
            breakdown, bill.account_use, flow, policy, bill.patient.accounts, bill.donors
        ),
    ]
    return Plan(
        breakdown,
        lines,
        flow.legs,
        terms,
        policy.account_base,
        bill.given is not None,
        flow.outcomes,
        tuple(steps),
        _cautions(bill, lines),
        _marks(bill),
    )


_NO_FLOW = Flow(0, 0, (), ())


def _flow(bill: Bill, base_fen: int) -> Flow:
    if bill.account_use is AccountUse.NONE:
        return _NO_FLOW
    donors = bill.donors if bill.account_use is AccountUse.MUTUAL_AID else ()
    patient = bill.patient
    return pour(
        base_fen,
        patient.accounts,
        donors,
        patient.policy,
        patient.enrolment.region,
        {d.binding.binding_id: o for d in donors if (o := _obstacle(bill, d)) is not None},
        bill.chosen_binding_id,
    )


def _obstacle(bill: Bill, donor: Donor) -> Obstacle | None:
    """The first thing that stops this donor's money at this visit."""
    patient, care = bill.patient, bill.care
    for obstacle in obstacles(
        donor.binding,
        donor.person,
        donor.enrolment,
        patient.person,
        patient.enrolment,
        donor.policy,
        Use.MEDICAL,
        bill.decided_on,
    ):
        return obstacle
    visit = Visit(care.visit_type, care.place, care.region)
    return next(visit_obstacles(visit, donor.region, donor.policy), None)


def _cautions(bill: Bill, lines: Sequence[LineSplit]) -> tuple[Caution, ...]:
    patient, region = bill.patient, bill.care.region
    found: list[Caution] = []
    if region != patient.enrolment.region and patient.policy.out_of_region_warnings:
        found += [Caution.RATIO_OF_OTHER_REGION, Caution.CATALOGUE_OF_OTHER_REGION]
        filings = patient.person.referral_filings
        if not any(filing.covers(region, bill.occurred_on) for filing in filings):
            found.append(Caution.FILING_MISSING)
    if any(line.catalog_code not in bill.catalogue for line in lines):
        found.append(Caution.CODE_NOT_IN_CATALOGUE)
    explicit = patient.policy.order is Order.EXPLICIT_DONOR and bool(bill.donors)
    if explicit and bill.chosen_binding_id is None and bill.account_use is AccountUse.MUTUAL_AID:
        found.append(Caution.DONOR_NOT_CHOSEN)
    return tuple(found)


def _marks(bill: Bill) -> tuple[PolicyMark, ...]:
    """The policies that decided, the patient's first, each once."""
    policies = {bill.patient.policy.digest: bill.patient.policy}
    for donor in bill.donors:
        policies.setdefault(donor.policy.digest, donor.policy)
    return tuple([PolicyMark(p.region, p.blocks, p.digest) for p in policies.values()])
