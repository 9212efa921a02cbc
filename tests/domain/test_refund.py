"""Refunds: always from the original, to exactly those who paid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.bill import Item
from gongji_svc.domain.breakdown import GivenBreakdown
from gongji_svc.domain.errors import LineNotFound, RefundExceedsRest, VisitTypeNotServed
from gongji_svc.domain.refund import (
    Refund,
    refund_step,
    remaining_after,
    rest_after,
    reverse,
)
from gongji_svc.domain.settlement import Plan, plan
from gongji_svc.domain.terms import InstitutionKind, InstitutionLevel, VisitType
from tests.domain.builders import PROPERTY, bill, catalog, donor, item, policy

BENEFIT = {
    "benefit.visit_types": ["OUTPATIENT"],
    "benefit.ratios_bp": {"TERTIARY": 5_000},
    "benefit.deductibles_fen": {"TERTIARY": 30_000},
    "benefit.annual_caps_fen": 60_000,
}
NO_DEDUCTIBLE = {"benefit.deductibles_fen": {"TERTIARY": 0}}
HOSPITAL: dict[str, Any] = {
    "visit_type": VisitType.OUTPATIENT,
    "level": InstitutionLevel.TERTIARY,
    "place": InstitutionKind.HOSPITAL,
}


def settled() -> Plan:
    """20 items of 10 yuan: personal 200 = own 50 + donor 80 + cash 70."""
    return plan(bill(item(1, "A", 10, quantity=20), own=5_000, donors=[donor(2, 8_000)]))


def given_back(refund: Refund) -> dict[int, int]:
    return {leg.person_id.int: leg.amount_fen for leg in refund.legs}


@pytest.mark.requirement("RF-01")
def test_cash_falls_first_then_the_last_donor_and_own_last() -> None:
    original = settled()
    first = refund_step(original, original, {1: 140_000})  # 6 of 20 come back
    assert (given_back(first), first.cash_fen) == ({}, 6_000)
    second = refund_step(original, first.rest, {1: 80_000})
    assert (given_back(second), second.cash_fen) == ({2: 5_000}, 1_000)
    third = refund_step(original, second.rest, {1: 30_000})
    assert (given_back(third), third.cash_fen) == ({1: 2_000, 2: 3_000}, 0)


@pytest.mark.requirement("RF-01", "RF-06")
def test_a_reversal_gives_back_exactly_the_legs_taken() -> None:
    original = settled()
    whole = reverse(original)
    assert (given_back(whole), whole.cash_fen) == ({1: 5_000, 2: 8_000}, 7_000)
    assert whole.total_fen == 20_000
    assert whole.rest.breakdown.total_fen == 0


@pytest.mark.requirement("RF-01")
def test_a_reversal_after_a_refund_gives_back_what_is_left() -> None:
    original = settled()
    rest = refund_step(original, original, {1: 80_000}).rest
    assert given_back(reverse(rest)) == {1: 5_000, 2: 3_000}


@pytest.mark.requirement("RF-04")
def test_the_counters_fall_by_the_amounts_of_the_step() -> None:
    original = plan(bill(item(1, "A", 10, quantity=80), rules=policy(BENEFIT), **HOSPITAL))
    assert original.breakdown.fund_pay_fen == 25_000
    half = refund_step(original, original, {1: 400_000})
    assert (half.fund_fen, half.fund_in_cap_fen, half.deductible_fen) == (20_000, 20_000, 0)
    rest = reverse(half.rest)
    assert (rest.fund_fen, rest.deductible_fen) == (5_000, 30_000)


def test_the_cap_of_the_original_moment_holds_for_the_rest() -> None:
    original = plan(bill(item(1, "A", 10, quantity=200), rules=policy(BENEFIT), **HOSPITAL))
    assert original.breakdown.fund_pay_fen == 60_000  # (2000 - 300) x 50 % = 850, cap 600
    assert rest_after(original, {1: 1_600_000}).breakdown.fund_pay_fen == 60_000
    assert rest_after(original, {1: 1_400_000}).breakdown.fund_pay_fen == 55_000


def test_a_line_that_is_not_named_stays_whole() -> None:
    original = plan(bill(item(1, "A", 10), item(2, "C", 5)))
    assert rest_after(original, {1: 0}).breakdown.full_self_pay_fen == 500
    assert rest_after(original, {}) == original


def test_quantities_are_counted_down_and_never_below_nothing() -> None:
    original = settled()
    left = remaining_after(original, {}, {1: 50_000})
    assert left == {1: 150_000}
    assert remaining_after(original, left, {1: 150_000}) == {1: 0}
    with pytest.raises(RefundExceedsRest) as caught:
        remaining_after(original, left, {1: 150_001})
    assert caught.value.details == {"line_no": "1", "rest": "15"}
    with pytest.raises(LineNotFound):
        remaining_after(original, left, {2: 1})


def test_a_bill_priced_elsewhere_is_given_back_whole_or_not_at_all() -> None:
    given_elsewhere = GivenBreakdown(2_000, 0, 0, 0, 2_000, 0, 5_000, 1_000, 1_000)
    original = plan(
        bill(
            item(1, "A", 10, quantity=2),
            own=600,
            given=given_elsewhere,
            visit_type=VisitType.INPATIENT,
            place=InstitutionKind.HOSPITAL,
        )
    )
    with pytest.raises(VisitTypeNotServed):
        rest_after(original, {1: 10_000})
    for whole in (refund_step(original, original, {1: 0}), reverse(original)):
        assert (given_back(whole), whole.fund_fen, whole.cash_fen) == ({1: 600}, 1_000, 400)


def partly_payable() -> Plan:
    """Two lines that accounts may pay for and one they may not; the fund pays 200 of 300 yuan, own
    money 66.67 and cash 33.33.
    """
    rules = policy(
        {
            **BENEFIT,
            "benefit.ratios_bp": {"TERTIARY": 10_000},
            "benefit.deductibles_fen": {"TERTIARY": 10_000},
        }
    )
    items = (item(1, "A", 100), item(2, "A", 100), item(3, "N", 100))
    return plan(bill(*items, own=10**6, rules=rules, **HOSPITAL))


def test_what_accounts_may_no_longer_pay_for_is_paid_in_cash() -> None:
    original = partly_payable()
    step = refund_step(original, original, {2: 0})
    assert (step.total_fen, step.fund_fen) == (10_000, 10_000)
    assert (given_back(step), step.cash_fen) == ({1: 1_667}, -1_667)
    assert (given_back(reverse(step.rest)), reverse(step.rest).cash_fen) == ({1: 5_000}, 5_000)


def test_no_account_is_debited_by_a_refund() -> None:
    # Returning 2 lowers what accounts may pay, returning 3 raises it again: own money stays.
    original = partly_payable()
    first = refund_step(original, original, {2: 0})
    second = refund_step(original, first.rest, {2: 0, 3: 0})
    assert all(leg.amount_fen > 0 for leg in (*first.legs, *second.legs))
    assert second.rest.breakdown.account_pay_fen <= first.rest.breakdown.account_pay_fen
    assert refund_step(original, original, {2: 0, 3: 0}).legs == ()
    assert (given_back(first), given_back(second)) == ({1: 1_667}, {})


def test_above_a_ceiling_the_fund_may_pay_a_fen_more_of_less() -> None:
    # 1.02 pieces at 1.50, in scope 0.01 each: 1.53 - 1.52. Of 1.01 pieces: 1.52 - 1.50.
    rules = policy({**BENEFIT, "benefit.ratios_bp": {"TERTIARY": 10_000}, **NO_DEDUCTIBLE})
    line = Item(1, "M", 10_200, 1_500_000, 153)
    row = catalog("M", price_ceiling_micro=10_000)
    original = plan(bill(line, own=1_000, catalogue={"M": row}, rules=rules, **HOSPITAL))
    step = refund_step(original, original, {1: 10_100})
    assert (step.total_fen, step.fund_fen, given_back(step)) == (1, -1, {1: 2})
    whole = reverse(step.rest)
    assert (whole.total_fen, whole.fund_fen, given_back(whole)) == (152, 2, {1: 150})


LINES = st.lists(
    st.tuples(st.sampled_from("ABCL"), st.integers(0, 300), st.integers(1, 9)),
    min_size=1,
    max_size=4,
)
MONEY = st.integers(0, 100_000)


def originally(lines: list[tuple[str, int, int]], own: int, balances: list[int]) -> Plan:
    items = [item(at, *line) for at, line in enumerate(lines, 1)]
    donors = [donor(n, balance) for n, balance in enumerate(balances, 2)]
    return plan(bill(*items, own=own, donors=donors, rules=policy(BENEFIT), **HOSPITAL))


def parts_of(original: Plan, shares: list[int]) -> dict[int, int]:
    """Whole numbers of each line that are left, from shares of ten."""
    return {
        line.line_no: line.quantity_e4 // 10_000 * share // 10 * 10_000
        for line, share in zip(original.lines, shares, strict=False)
    }


@PROPERTY
@given(LINES, MONEY, st.lists(MONEY, max_size=3), st.lists(st.integers(0, 10), max_size=4),
       st.lists(st.integers(0, 10), max_size=4))  # fmt: skip
@pytest.mark.requirement("RF-01")
def test_a_refund_in_steps_is_the_refund_at_once(
    lines: list[tuple[str, int, int]],
    own: int,
    balances: list[int],
    shares: list[int],
    further: list[int],
) -> None:
    original = originally(lines, own, balances)
    one = parts_of(original, shares)
    two = {n: min(left, parts_of(original, further).get(n, left)) for n, left in one.items()}
    first = refund_step(original, original, one)
    second = refund_step(original, first.rest, two)
    at_once = refund_step(original, original, two)
    assert second.rest == at_once.rest
    assert first.total_fen + second.total_fen == at_once.total_fen
    assert first.fund_fen + second.fund_fen == at_once.fund_fen
    assert first.cash_fen + second.cash_fen == at_once.cash_fen
    back, again, whole = given_back(first), given_back(second), given_back(at_once)
    assert {n: back.get(n, 0) + again.get(n, 0) for n in back | again} == whole


@PROPERTY
@given(LINES, MONEY, st.lists(MONEY, max_size=3), st.lists(st.integers(0, 10), max_size=4))
@pytest.mark.requirement("RF-01")
def test_what_is_given_back_adds_up_and_no_account_gets_more_than_it_paid(
    lines: list[tuple[str, int, int]], own: int, balances: list[int], shares: list[int]
) -> None:
    original = originally(lines, own, balances)
    step = refund_step(original, original, parts_of(original, shares))
    legs = sum(leg.amount_fen for leg in step.legs)
    assert step.total_fen == step.fund_fen + step.cash_fen + legs
    paid = {leg.account_id: leg.amount_fen for leg in original.legs}
    assert all(0 < leg.amount_fen <= paid[leg.account_id] for leg in step.legs)
    assert step.cash_fen >= 0
    assert step.fund_fen >= 0


@PROPERTY
@given(LINES, MONEY, st.lists(MONEY, max_size=3))
@pytest.mark.requirement("RF-01")
def test_a_refund_of_everything_is_the_reversal(
    lines: list[tuple[str, int, int]], own: int, balances: list[int]
) -> None:
    original = originally(lines, own, balances)
    nothing = {line.line_no: 0 for line in original.lines}
    whole, reversal = refund_step(original, original, nothing), reverse(original)
    assert whole.legs == reversal.legs == tuple(original.legs)
    assert whole.rest.breakdown == reversal.rest.breakdown
