"""Pooled outpatient benefit: deductible, ratio, cap."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.benefit import BenefitState, BenefitTerms, benefit_of, level_of, terms_for
from gongji_svc.domain.standing import FundObstacle, Standing
from gongji_svc.domain.terms import InstitutionKind, InstitutionLevel, PersonType, VisitType
from tests.domain.builders import PROPERTY, policy

PRIMARY, SECONDARY, TERTIARY, NONE = InstitutionLevel
ACTIVE, RETIRED, RESIDENT = PersonType
TIELING: Mapping[str, object] = {
    "benefit.visit_types": ["OUTPATIENT", "CHRONIC"],
    "benefit.deductibles_fen": {
        level: {"ACTIVE": fen, "RETIRED": fen}
        for level, fen in (("PRIMARY", 20_000), ("SECONDARY", 20_000), ("TERTIARY", 30_000))
    },
    "benefit.ratios_bp": {
        "PRIMARY": {"ACTIVE": 7_000, "RETIRED": 7_500},
        "SECONDARY": {"ACTIVE": 6_000, "RETIRED": 6_500},
        "TERTIARY": {"ACTIVE": 5_000, "RETIRED": 5_500},
    },
    "benefit.annual_caps_fen": 300_000,
    "benefit.chronic_ratios_bp": {"ACTIVE": 9_500, "RETIRED": 9_500, "RESIDENT": 9_000},
    "benefit.chronic_deductible": False,
}
INSURED = Standing(insured=True)


def terms(
    level: InstitutionLevel = TERTIARY,
    who: PersonType = ACTIVE,
    state: BenefitState | None = None,
    visit: VisitType = VisitType.OUTPATIENT,
    standing: Standing = INSURED,
    **changes: object,
) -> BenefitTerms:
    values = {**TIELING, **{f"benefit.{key}": value for key, value in changes.items()}}
    return terms_for(policy(values), who, standing, state or BenefitState(), visit, level)


@pytest.mark.requirement("TIL-29", "TIL-30", "TIL-31", "TIL-32", "TIL-33", "TIL-34", "NAT-09")
@pytest.mark.parametrize(
    ("level", "who", "in_scope", "fund"),
    [
        (TERTIARY, ACTIVE, 100_000, 35_000),
        (SECONDARY, RETIRED, 100_000, 52_000),
        (PRIMARY, ACTIVE, 20_000, 0),
        (TERTIARY, ACTIVE, 1_000_000, 300_000),
        (PRIMARY, RETIRED, 100_000, 60_000),
        (SECONDARY, ACTIVE, 100_000, 48_000),
        (TERTIARY, RETIRED, 100_000, 38_500),
    ],
)
def test_the_check_values_of_tieling_come_out(
    level: InstitutionLevel, who: PersonType, in_scope: int, fund: int
) -> None:
    assert benefit_of(in_scope, terms(level, who)).fund_pay_fen == fund


@pytest.mark.requirement("TIL-31")
def test_the_fund_never_pays_more_than_is_left_of_the_cap() -> None:
    left = terms(state=BenefitState(30_000, 299_000))
    assert benefit_of(100_000, left).fund_pay_fen == 1_000
    assert benefit_of(100_000, left).capped
    beyond = terms(state=BenefitState(30_000, 310_000))
    assert benefit_of(100_000, beyond).fund_pay_fen == 0


@pytest.mark.requirement("TIL-D6")
def test_what_was_borne_counts_against_the_line_of_the_level_visited() -> None:
    assert terms(TERTIARY, state=BenefitState(20_000)).deductible_left_fen == 10_000
    assert terms(SECONDARY, state=BenefitState(25_000)).deductible_left_fen == 0


def test_where_the_deductible_is_for_each_visit_nothing_is_remembered() -> None:
    visit = terms(state=BenefitState(30_000), deductible_scope="VISIT")
    assert visit.deductible_left_fen == 30_000


@pytest.mark.requirement("TIL-35", "TIL-36")
def test_chronic_disease_has_its_ratio_and_no_deductible_and_the_cap_holds() -> None:
    chronic = terms(visit=VisitType.CHRONIC)
    assert benefit_of(10_000, chronic).fund_pay_fen == 9_500
    resident = terms(who=RESIDENT, visit=VisitType.CHRONIC)
    assert benefit_of(10_000, resident).fund_pay_fen == 9_000
    capped = terms(visit=VisitType.CHRONIC, state=BenefitState(0, 299_999))
    assert benefit_of(10_000, capped).fund_pay_fen == 1


def test_chronic_disease_stands_outside_the_cap_where_a_value_says_so() -> None:
    outside = terms(visit=VisitType.CHRONIC, state=BenefitState(0, 300_000), chronic_in_cap=False)
    assert benefit_of(10_000, outside).fund_pay_fen == 9_500
    assert not outside.in_cap


@pytest.mark.requirement("ULQ-30")
def test_a_limited_ratio_is_multiplied_exactly_and_rounded_once() -> None:
    limited = terms(PRIMARY, RETIRED, BenefitState(20_000), standing=Standing(True, None, 5_000))
    assert benefit_of(333, limited).fund_pay_fen == 125  # 333 x 75 % x 50 % = 124.875
    assert limited.ratio_bp == 3_750


@pytest.mark.requirement("ULQ-26", "TIL-28")
def test_the_fund_pays_nothing_for_who_is_not_entitled_and_bears_no_deductible() -> None:
    lapsed = terms(standing=Standing(False, FundObstacle.LAPSED))
    for none, why in (
        (lapsed, "LAPSED"),
        (terms(visit=VisitType.PHARMACY), "VISIT_TYPE_WITHOUT_BENEFIT"),
        (terms(who=RESIDENT), "PERSON_WITHOUT_BENEFIT"),
    ):
        assert none.why_none == why
        benefit = benefit_of(100_000, none)
        assert (benefit.fund_pay_fen, benefit.deductible_fen) == (0, 0)


def test_an_institution_without_a_level_counts_as_primary() -> None:
    assert terms(NONE) == terms(PRIMARY)


@pytest.mark.requirement("NAT-09")
def test_a_pharmacy_takes_the_prescribers_level_or_primary_as_the_policy_says() -> None:
    pharmacy = InstitutionKind.PHARMACY
    prescriber = policy({"benefit.pharmacy_level": "PRESCRIBER"})
    assert level_of(prescriber, pharmacy, NONE, TERTIARY) is TERTIARY
    assert level_of(prescriber, pharmacy, NONE, None) is PRIMARY
    assert level_of(policy(), pharmacy, NONE, TERTIARY) is PRIMARY
    assert level_of(policy(), InstitutionKind.HOSPITAL, SECONDARY, TERTIARY) is SECONDARY


@pytest.mark.requirement("NAT-10")
@pytest.mark.parametrize(
    ("in_scope", "deductible", "ratio", "fund"),
    [
        (100_000, 20_000, 5_500, 44_000),
        (1_000_000, 20_000, 6_500, 637_000),
        (80_000, 5_000, 7_000, 52_500),
        (250_000, 80_000, 7_500, 127_500),
    ],
)
def test_sums_that_are_printed_wrongly_elsewhere_come_out_right(
    in_scope: int, deductible: int, ratio: int, fund: int
) -> None:
    assert benefit_of(in_scope, BenefitTerms(deductible, None, (ratio,))).fund_pay_fen == fund


@PROPERTY
@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.none() | st.integers(0, 10**9),
    st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
)
def test_deductible_and_fund_never_exceed_what_is_in_scope(
    in_scope: int, left: int, cap: int | None, ratios: list[int]
) -> None:
    benefit = benefit_of(in_scope, BenefitTerms(left, cap, tuple(ratios)))
    assert 0 <= benefit.fund_pay_fen <= in_scope - benefit.deductible_fen
    assert 0 <= benefit.deductible_fen <= left
    assert cap is None or benefit.fund_pay_fen <= cap
