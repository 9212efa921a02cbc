"""Pooled outpatient benefit (门诊统筹): what the fund pays of a bill (NAT-09, TIL-28 to TIL-36).

Rule: one calculation a settlement: half up of ((in scope - deductible left) x ratio), not above
the cap left, never negative. Ratios that act together are multiplied exactly and rounded once.
The decision keeps deductible left and cap left, so that a refund can be reckoned anew from it.
"""

from dataclasses import dataclass
from datetime import date

from gongji_svc.domain.money import BP, ratio_of
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import Standing
from gongji_svc.domain.terms import (
    DeductibleScope,
    InstitutionKind,
    InstitutionLevel,
    PersonType,
    PharmacyLevel,
    VisitType,
)


@dataclass(frozen=True, slots=True)
class BenefitState:
    """What was borne and paid in the calendar year before this settlement, in fen."""

    deductible_borne_fen: int = 0
    fund_paid_fen: int = 0


NO_BENEFIT_YET = BenefitState()


@dataclass(frozen=True, slots=True)
class BenefitTerms:
    """The terms on which the fund pays this settlement: what is left, and the ratios.

    `why_none` names the reason when the fund pays nothing whatever the bill, `until` the day on
    which that changes, if it is known; `cap_left_fen` None means no cap.
    """

    deductible_left_fen: int = 0
    cap_left_fen: int | None = None
    ratios_bp: tuple[int, ...] = ()
    why_none: str = ""
    in_cap: bool = True
    chronic: bool = False
    level: InstitutionLevel = InstitutionLevel.PRIMARY
    until: date | None = None

    @property
    def ratio_bp(self) -> int:
        """All ratios together, rounded to the basis point: for people to read only."""
        return ratio_of(BP, self.ratios_bp) if self.ratios_bp else 0


@dataclass(frozen=True, slots=True)
class Benefit:
    """What the fund pays, and what it would pay without a cap; fen."""

    deductible_fen: int
    fund_pay_fen: int
    uncapped_fen: int

    @property
    def capped(self) -> bool:
        """Whether the cap stopped it."""
        return self.fund_pay_fen < self.uncapped_fen


NO_FUND = BenefitTerms(why_none="NOT_COMPUTED")


def terms_for(
    policy: Policy,
    person_type: PersonType,
    standing: Standing,
    state: BenefitState,
    visit_type: VisitType,
    level: InstitutionLevel,
) -> BenefitTerms:
    """The terms for a visit; `policy` is the patient's, `level` the institution's."""
    if standing.fund_obstacle is not None:
        return BenefitTerms(why_none=standing.fund_obstacle.value, until=standing.until)
    if visit_type not in policy.benefit_visit_types:
        return BenefitTerms(why_none="VISIT_TYPE_WITHOUT_BENEFIT")
    level = InstitutionLevel.PRIMARY if level is InstitutionLevel.NONE else level
    chronic = visit_type is VisitType.CHRONIC and bool(policy.chronic_ratios_bp)
    by_type = policy.chronic_ratios_bp if chronic else policy.ratios_bp.get(level, {})
    ratio = by_type.get(person_type)
    if ratio is None:
        return BenefitTerms(why_none="PERSON_WITHOUT_BENEFIT", level=level)
    line = policy.deductibles_fen.get(level, {}).get(person_type, 0)
    if visit_type is VisitType.CHRONIC and not policy.chronic_deductible:
        line = 0
    if policy.deductible_scope is DeductibleScope.YEAR:
        line = max(0, line - state.deductible_borne_fen)
    in_cap = visit_type is not VisitType.CHRONIC or policy.chronic_in_cap
    cap = policy.annual_caps_fen.get(person_type) if in_cap else None
    ratios = (ratio,) if standing.limited_to_bp == BP else (ratio, standing.limited_to_bp)
    left = None if cap is None else max(0, cap - state.fund_paid_fen)
    return BenefitTerms(line, left, ratios, "", in_cap, chronic, level)


def benefit_of(in_scope_fen: int, terms: BenefitTerms) -> Benefit:
    """What the fund pays of an in-scope amount on these terms."""
    if terms.why_none:
        return Benefit(0, 0, 0)
    deductible = min(in_scope_fen, terms.deductible_left_fen)
    fund = ratio_of(in_scope_fen - deductible, terms.ratios_bp)
    cap = terms.cap_left_fen
    if cap is not None and fund > cap:
        return Benefit(deductible, cap, fund)
    return Benefit(deductible, fund, fund)


def level_of(
    policy: Policy,
    place: InstitutionKind,
    level: InstitutionLevel,
    prescriber_level: InstitutionLevel | None,
) -> InstitutionLevel:
    """The level that counts: at a pharmacy the prescriber's, where the policy says so (NAT-09)."""
    if place is not InstitutionKind.PHARMACY:
        return level
    if policy.pharmacy_level is PharmacyLevel.PRESCRIBER and prescriber_level is not None:
        return prescriber_level
    return InstitutionLevel.PRIMARY
