"""A bill becomes a plan: the fund, the accounts, cash, and why."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.benefit import BenefitState
from gongji_svc.domain.breakdown import Breakdown, GivenBreakdown
from gongji_svc.domain.errors import BreakdownMismatch, BreakdownRequired, VisitTypeNotServed
from gongji_svc.domain.person import Period, ReferralFiling
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.settlement import Bill, Patient, Plan, plan
from gongji_svc.domain.step import Caution, Rule
from gongji_svc.domain.terms import (
    AccountOwner,
    AccountUse,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    InsuredStatus,
    VisitType,
)
from gongji_svc.domain.usability import Why
from tests.domain.builders import (
    BAOTOU,
    HOHHOT,
    PROPERTY,
    START,
    account,
    bill,
    donor,
    enrolment,
    item,
    person,
    policy,
)

BENEFIT = {
    "benefit.visit_types": ["OUTPATIENT"],
    "benefit.ratios_bp": {"TERTIARY": 5_000},
    "benefit.deductibles_fen": {"TERTIARY": 30_000},
    "benefit.annual_caps_fen": 300_000,
}
HOSPITAL: dict[str, Any] = {
    "visit_type": VisitType.OUTPATIENT,
    "level": InstitutionLevel.TERTIARY,
    "place": InstitutionKind.HOSPITAL,
}
LAPSED = enrolment(
    Insurance.EMPLOYEE,
    HOHHOT,
    Period(START, date(2025, 1, 31)),
    Period(date(2025, 2, 1), None, InsuredStatus.PAUSED),
)


def amounts(made: Plan) -> tuple[int, int, int, int]:
    """fund, account, of that mutual aid, cash"""
    sums = made.breakdown
    return sums.fund_pay_fen, sums.account_pay_fen, sums.mutual_aid_pay_fen, sums.cash_pay_fen


def visit(*, values: dict[str, object] | None = None, **fields: Any) -> Bill:
    """1000 yuan in scope at a hospital of level 3."""
    rules = policy({**BENEFIT, **(values or {})})
    return bill(item(1, "A", 1_000), rules=rules, **HOSPITAL, **fields)


@pytest.mark.requirement("TIL-D7", "TIL-23", "HOH-17")
def test_the_fund_pays_first_then_own_then_donors_then_cash() -> None:
    made = plan(visit(own=10_000, donors=[donor(2, 20_000)]))
    assert amounts(made) == (35_000, 30_000, 20_000, 35_000)
    owners = [leg.owner for leg in made.legs]
    assert owners == [AccountOwner.SELF, AccountOwner.DONOR]


@pytest.mark.requirement("ULQ-02")
def test_the_fund_pays_the_same_whoever_the_donors_are() -> None:
    alone = plan(visit())
    assert plan(visit(donors=[donor(2, 10**6)])).breakdown.fund_pay_fen == (
        alone.breakdown.fund_pay_fen
    )


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (AccountUse.NONE, (0, 0, 0, 1_000)),
        (AccountUse.OWN, (0, 300, 0, 700)),
        (AccountUse.MUTUAL_AID, (0, 700, 400, 300)),
    ],
)
def test_accounts_pay_as_far_as_the_till_was_told_to_use_them(
    use: AccountUse, expected: tuple[int, int, int, int]
) -> None:
    made = plan(bill(item(1, "A", 10), own=300, donors=[donor(2, 400)], account_use=use))
    assert amounts(made) == expected


def test_accounts_pay_no_item_that_the_catalogue_shuts_out() -> None:
    made = plan(bill(item(1, "A", 10), item(2, "N", 5), item(3, "?", 2), own=9_999))
    assert amounts(made) == (0, 1_000, 0, 700)


def test_the_funds_part_of_items_that_accounts_may_pay_goes_by_what_is_in_scope() -> None:
    # in scope 1000 + 500 yuan, fund (1500 - 300) x 50 % = 600; the account-payable share of it is
    # 600 x 1000 / 1500 = 400, so accounts may pay 600 of the personal 900.
    rules = policy(BENEFIT)
    items = item(1, "A", 1_000), item(2, "N", 500)
    made = plan(bill(*items, rules=rules, own=10**6, **HOSPITAL))
    assert amounts(made) == (60_000, 60_000, 0, 30_000)
    assert Rule.ACCOUNT_BASE in [step.rule for step in made.steps]


@pytest.mark.requirement("TIL-19", "TIL-D4")
def test_where_only_costs_in_policy_are_payable_the_excluded_parts_are_cash() -> None:
    lines = item(1, "C", 30), item(2, "L", 10), item(3, "B", 10)
    personal_share = plan(bill(*lines, own=10**6))
    in_policy = plan(bill(*lines, own=10**6, rules=policy({"accounts.base": "IN_POLICY"})))
    assert amounts(personal_share) == (0, 5_000, 0, 0)
    assert amounts(in_policy) == (0, 1_800, 0, 3_200)  # 8 of L, 10 of B: class C, ceiling excluded


@pytest.mark.requirement("ULQ-26", "ULQ-27")
def test_who_has_lapsed_pays_from_the_own_account_alone() -> None:
    patient = Patient(person(1), LAPSED, policy(BENEFIT), (account(1, 10_000),))
    made = plan(visit(patient=patient, donors=[donor(2, 10_000)]))
    assert amounts(made) == (0, 10_000, 0, 90_000)
    assert made.outcomes[0].why is Why.BENEFICIARY_NOT_INSURED


@pytest.mark.requirement("HOH-01")
def test_bindings_are_judged_on_the_day_of_the_commit() -> None:
    later = donor(2, 500, bound={"effective_from": date(2025, 5, 7)})
    made = plan(bill(item(1, "A", 10), donors=[later], decided_on=date(2025, 5, 6)))
    assert made.outcomes[0].until == date(2025, 5, 7)
    assert (
        plan(
            bill(item(1, "A", 10), donors=[later], decided_on=date(2025, 5, 7))
        ).breakdown.mutual_aid_pay_fen
        == 500
    )


@pytest.mark.requirement("TIL-29")
def test_a_deductible_that_was_borne_is_not_borne_again() -> None:
    patient = Patient(
        person(1), enrolment(), policy(BENEFIT), (), BenefitState(deductible_borne_fen=30_000)
    )
    made = plan(visit(patient=patient))
    assert (made.breakdown.deductible_fen, made.breakdown.fund_pay_fen) == (0, 50_000)


GIVEN = GivenBreakdown(
    total_fen=100_000,
    full_self_pay_fen=5_000,
    over_limit_fen=1_000,
    pre_self_pay_fen=4_000,
    in_scope_fen=90_000,
    deductible_fen=10_000,
    fund_ratio_bp=8_000,
    fund_pay_fen=64_000,
    personal_fen=36_000,
)
INPATIENT: dict[str, Any] = {
    "visit_type": VisitType.INPATIENT,
    "place": InstitutionKind.HOSPITAL,
    "total_fen": 100_000,
}


def test_of_a_bill_priced_elsewhere_accounts_pay_the_personal_share() -> None:
    made = plan(bill(given=GIVEN, own=30_000, donors=[donor(2, 1_000)], **INPATIENT))
    assert amounts(made) == (64_000, 31_000, 1_000, 5_000)
    assert made.breakdown.fund_ratio_bp == 8_000


@pytest.mark.requirement("TIL-19")
def test_of_a_bill_priced_elsewhere_excluded_parts_are_cash_where_the_policy_says_so() -> None:
    rules = policy({"accounts.base": "IN_POLICY"})
    made = plan(bill(given=GIVEN, own=10**6, rules=rules, **INPATIENT))
    assert amounts(made) == (64_000, 30_000, 0, 6_000)


def test_all_funds_together_may_pay_more_than_is_left_in_scope() -> None:
    helped = replace(GIVEN, fund_pay_fen=95_000, personal_fen=5_000)  # 医疗救助 pays for the rest
    made = plan(bill(given=helped, own=0, donors=[donor(2, 1_000)], **INPATIENT))
    assert amounts(made) == (95_000, 1_000, 1_000, 4_000)


@pytest.mark.parametrize("part", ["total_fen", "personal_fen", "in_scope_fen", "fund_pay_fen"])
def test_a_given_breakdown_whose_identities_do_not_hold_is_refused(part: str) -> None:
    values = {name: getattr(GIVEN, name) for name in GIVEN.__slots__}
    wrong = GivenBreakdown(**{**values, part: values[part] + 1})
    with pytest.raises(BreakdownMismatch):
        plan(bill(given=wrong, **INPATIENT))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"total_fen": 1}, "total_fen"),
        ({"full_self_pay_fen": 1}, "in_scope_fen"),
        ({"personal_fen": 1}, "personal_fen"),
        ({"deductible_fen": 80_001}, "deductible_fen"),
        ({"deductible_fen": -10_001}, "deductible_fen"),
        ({"over_limit_fen": -1_001, "in_scope_fen": 1_001}, "over_limit_fen"),
    ],
)
def test_what_is_wrong_with_a_given_breakdown_is_named(changed: dict[str, int], field: str) -> None:
    values = {name: getattr(GIVEN, name) + changed.get(name, 0) for name in GIVEN.__slots__}
    with pytest.raises(BreakdownMismatch) as refused:
        plan(bill(given=GivenBreakdown(**values), **INPATIENT))
    assert [one.field for one in refused.value.violations] == [f"given_breakdown.{field}"]


def test_what_does_not_balance_is_told_in_chinese_words() -> None:
    values = {name: getattr(GIVEN, name) for name in GIVEN.__slots__}
    wrong = GivenBreakdown(**{**values, "personal_fen": 1})
    with pytest.raises(BreakdownMismatch) as refused:
        plan(bill(given=wrong, **INPATIENT))
    assert "总额＝基金支付＋个人负担" in refused.value.message_zh
    assert "total = fund_pay + personal" in refused.value.message


@pytest.mark.parametrize("place", [InstitutionKind.HOSPITAL, InstitutionKind.CLINIC])
def test_a_pharmacys_purchase_is_settled_at_a_pharmacy_only(place: InstitutionKind) -> None:
    with pytest.raises(VisitTypeNotServed):
        plan(bill(item(1, "A", 10), place=place))


@pytest.mark.parametrize("visit_type", [VisitType.OUTPATIENT, VisitType.CHRONIC])
def test_a_pharmacy_serves_visits_too(visit_type: VisitType) -> None:
    assert plan(bill(item(1, "A", 10), visit_type=visit_type)).breakdown.total_fen == 1_000


def test_a_given_breakdown_belongs_to_inpatients_and_to_nobody_else() -> None:
    with pytest.raises(BreakdownRequired):
        plan(bill(**INPATIENT))
    with pytest.raises(VisitTypeNotServed):
        plan(bill(given=GIVEN, total_fen=100_000))


@pytest.mark.parametrize(
    ("sums", "identity"),
    [
        ((101, 0, 0, 0, 100, 0, 0, 0, 101, 50, 0, 51), "total != full_self_pay"),
        ((100, 0, 0, 0, 100, 0, 0, 1, 100, 50, 0, 50), "total != fund_pay"),
        ((100, 0, 0, 0, 100, 0, 0, 0, 100, 50, 0, 51), "personal != account_pay"),
        ((100, 0, 0, 0, 100, 0, 0, 0, 100, 50, 51, 50), "mutual_aid_pay"),
        ((100, 0, 0, 0, 100, 0, 0, 0, 100, 50, -1, 50), "mutual_aid_pay"),
        ((100, 0, 0, 0, 100, 0, 0, 0, 100, 101, 0, -1), "cash_pay is negative"),
        ((100, 0, 0, 0, 100, 0, 0, -1, 101, 50, 0, 51), "fund_pay or"),
        ((100, -1, 0, 0, 101, 0, 0, 0, 100, 50, 0, 50), "full_self_pay, over_limit"),
        ((100, 0, -1, 0, 101, 0, 0, 0, 100, 50, 0, 50), "full_self_pay, over_limit"),
        ((100, 0, 0, -1, 101, 0, 0, 0, 100, 50, 0, 50), "full_self_pay, over_limit"),
        ((100, 1, 0, 0, 99, 100, 0, 0, 100, 0, 0, 100), "part of in_scope"),
        ((100, 0, 0, 0, 100, -1, 0, 50, 50, 0, 0, 50), "part of in_scope"),
        ((100, 0, 0, 0, 100, 0, 10_001, 50, 50, 0, 0, 50), "fund_ratio"),
    ],
)
def test_a_breakdown_whose_identities_do_not_hold_cannot_be_made(
    sums: tuple[int, ...], identity: str
) -> None:
    with pytest.raises(ValueError, match=identity):
        Breakdown(*sums)


def test_a_plan_whose_legs_are_not_what_its_accounts_paid_cannot_be_made() -> None:
    made = plan(bill(item(1, "A", 10), own=400, donors=[donor(2, 500)]))
    own, donated = made.legs
    for legs in ((own,), (own, replace(donated, owner=AccountOwner.SELF))):
        with pytest.raises(ValueError, match="legs"):
            replace(made, legs=legs)


@pytest.mark.requirement("TIL-37")
def test_care_in_another_region_gives_each_caution_apart() -> None:
    rules = policy({"use.out_of_region_warnings": True})
    away = plan(bill(item(1, "A", 1), rules=rules, region=BAOTOU))
    assert away.cautions == (
        Caution.RATIO_OF_OTHER_REGION,
        Caution.CATALOGUE_OF_OTHER_REGION,
        Caution.FILING_MISSING,
    )
    filed = person(1, referral_filings=(ReferralFiling("150000", START),))
    patient = Patient(filed, enrolment(), rules)
    with_filing = plan(bill(item(1, "A", 1), region=BAOTOU, patient=patient))
    assert Caution.FILING_MISSING not in with_filing.cautions
    assert plan(bill(item(1, "A", 1), rules=rules)).cautions == ()


def test_an_unknown_code_and_a_donor_not_chosen_are_cautioned() -> None:
    explicit = policy({"order.kind": "EXPLICIT_DONOR"})
    made = plan(bill(item(1, "?", 1), rules=explicit, donors=[donor(2, 500)]))
    assert made.cautions == (Caution.CODE_NOT_IN_CATALOGUE, Caution.DONOR_NOT_CHOSEN)


def test_every_fen_has_a_step_with_its_source() -> None:
    made = plan(visit(own=10_000, donors=[donor(2, 20_000), donor(3, 0)]))
    told = [(step.rule, step.amount_fen) for step in made.steps]
    assert told == [
        (Rule.IN_SCOPE, 100_000),
        (Rule.DEDUCTIBLE, 30_000),
        (Rule.FUND_RATIO, 35_000),
        (Rule.OWN_ACCOUNT, 10_000),
        (Rule.DONOR_PAID, 20_000),
        (Rule.DONOR_SKIPPED, 0),
        (Rule.CASH, 35_000),
    ]
    sources = {step.rule: step.source for step in made.steps}
    assert sources[Rule.DEDUCTIBLE] == "test benefit.deductibles_fen"
    assert sources[Rule.FUND_RATIO] == "test benefit.ratios_bp"


@pytest.mark.requirement("TIL-D5")
def test_a_benefit_value_of_an_earlier_year_is_marked_as_carried_forward() -> None:
    made = plan(visit(values={"benefit.year": 2024}))
    (step,) = [s for s in made.steps if s.rule is Rule.BENEFIT_CARRIED_FORWARD]
    assert step.params == {"year": 2024}


@pytest.mark.requirement("ULQ-25")
def test_the_plan_proves_which_rules_decided() -> None:
    rules: Policy = policy(BENEFIT)
    other = policy({"accounts.reserve_fen": 1}, BAOTOU)
    made = plan(visit(donors=[donor(2, 10, other), donor(3, 10, rules)]))
    assert [mark.digest for mark in made.policies] == [rules.digest, other.digest]
    assert made.policies[1].region == BAOTOU


ITEMS = st.lists(
    st.tuples(st.sampled_from("ABCNL?"), st.integers(0, 2_000), st.integers(1, 20)),
    min_size=1,
    max_size=6,
)


@PROPERTY
@given(
    ITEMS,
    st.integers(0, 10**6),
    st.lists(st.integers(0, 10**6), max_size=3),
    st.sampled_from(["PERSONAL_SHARE", "IN_POLICY"]),
    st.integers(0, 400_000),
    st.sampled_from(AccountUse),
)
def test_every_fen_is_paid_by_somebody_and_cash_is_the_rest(
    lines: list[tuple[str, int, int]],
    own: int,
    balances: list[int],
    base: str,
    fund_paid: int,
    use: AccountUse,
) -> None:
    rules = policy({**BENEFIT, "accounts.base": base})
    patient = Patient(person(1), enrolment(), rules, (account(1, own),), BenefitState(0, fund_paid))
    items = [item(at, *line) for at, line in enumerate(lines, 1)]
    donors = [donor(n, balance) for n, balance in enumerate(balances, 2)]
    made = plan(bill(*items, patient=patient, donors=donors, account_use=use, **HOSPITAL))
    sums = made.breakdown
    legs = sum(leg.amount_fen for leg in made.legs)
    assert sums.total_fen == sums.fund_pay_fen + legs + sums.cash_pay_fen
    assert sums.total_fen == sum(line.amount_fen for line in made.lines)
    paid = {leg.person_id.int: leg.amount_fen for leg in made.legs}
    assert all(paid.get(n, 0) <= money for n, money in enumerate([own, *balances], 1))
    assert all(leg.amount_fen > 0 for leg in made.legs)
    payable = sum(line.amount_fen for line in made.lines if line.account_payable)
    assert sums.account_pay_fen <= payable
    assert sums.fund_pay_fen <= max(0, 300_000 - fund_paid)
