"""Refunds in steps and at once, as properties over whatever bills there are.

Rule: a bill may have lines that accounts do not pay for, prices above a ceiling and the till's fen;
any part of a quantity may come back, in any number of steps.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gongji_svc.domain.bill import Item
from gongji_svc.domain.money import line_fen
from gongji_svc.domain.refund import Refund, refund_step, reverse
from gongji_svc.domain.settlement import Plan, plan
from gongji_svc.domain.settlement_record import from_record, to_record
from gongji_svc.domain.terms import AccountOwner, InstitutionKind, InstitutionLevel, VisitType
from tests.domain.builders import CATALOGUE, PROPERTY, bill, catalog, donor, policy

PRICES = CATALOGUE | {
    "M": catalog("M", "B", 1_500, price_ceiling_micro=3_333_333),
    "K": catalog("K", "B", 2_000, account_payable=False),
}
PAYABLE, BELOW_CEILING, ANY = "ABC", "ABCNK?", "ABCLMNK?"
STEPS = st.lists(st.lists(st.integers(0, 100), min_size=5, max_size=5), min_size=1, max_size=4)


@st.composite
def bills(
    draw: st.DrawFn, codes: str = ANY, ratios: Sequence[int] = (5_000, 6_537, 10_000)
) -> Plan:
    """A settled bill of up to five lines; with a fund, unless there is no ratio."""
    values: dict[str, object] = {
        "accounts.base": draw(st.sampled_from(["PERSONAL_SHARE", "IN_POLICY"]))
    }
    if ratios:
        values |= {
            "benefit.visit_types": ["OUTPATIENT"],
            "benefit.ratios_bp": {"TERTIARY": draw(st.sampled_from(ratios))},
            "benefit.deductibles_fen": {"TERTIARY": draw(st.sampled_from([0, 100, 10_000]))},
            "benefit.annual_caps_fen": draw(st.sampled_from([100, 60_000])),
        }
    items = [draw(items_of(number, codes)) for number in range(1, draw(st.integers(2, 6)))]
    assume(sum(item.amount_fen for item in items))
    fen = st.integers(0, 20_000)
    donors = [
        donor(number, balance) for number, balance in enumerate(draw(st.lists(fen, max_size=2)), 2)
    ]
    return plan(
        bill(
            *items,
            own=draw(st.sampled_from([0, 10**6]) | fen),
            donors=donors,
            catalogue=PRICES,
            rules=policy(values),
            visit_type=VisitType.OUTPATIENT,
            level=InstitutionLevel.TERTIARY,
            place=InstitutionKind.HOSPITAL,
        )
    )


@st.composite
def items_of(draw: st.DrawFn, line_no: int, codes: str) -> Item:
    """A line at any price, of any quantity; the till may be a fen off."""
    price_micro = draw(
        st.integers(0, 300).map(lambda yuan: yuan * 1_000_000) | st.integers(0, 10**8)
    )
    quantity_e4 = draw(st.integers(1, 9).map(lambda whole: whole * 10_000) | st.integers(1, 90_000))
    exact_fen = line_fen(price_micro, quantity_e4)
    amount_fen = max(0, exact_fen + draw(st.sampled_from([0, 0, 1, -1])))
    return Item(line_no, draw(st.sampled_from(codes)), quantity_e4, price_micro, amount_fen)


def taken(original: Plan, steps: Sequence[Sequence[int]]) -> list[Refund]:
    """The refunds of steps that leave so many per cent of what each line had left before."""
    left_e4 = {line.line_no: line.quantity_e4 for line in original.lines}
    previous, refunds = original, []
    for step in steps:
        left_e4 = {
            n: rest * share // 100 for (n, rest), share in zip(left_e4.items(), step, strict=False)
        }
        refunds.append(refund_step(original, previous, left_e4))
        previous = from_record(to_record(refunds[-1].rest))
    return refunds


def at_once(original: Plan, refunds: Sequence[Refund]) -> Refund:
    """The refund that leaves the same in one step."""
    left_e4 = {line.line_no: line.quantity_e4 for line in refunds[-1].rest.lines}
    return refund_step(original, original, left_e4)


def to_accounts(refunds: Sequence[Refund]) -> Counter[UUID]:
    """What each account got back, fen."""
    back_fen: Counter[UUID] = Counter()
    for refund in refunds:
        for leg in refund.legs:
            back_fen[leg.account_id] += leg.amount_fen
    return back_fen


def paid_by(original: Plan) -> Counter[UUID]:
    """What each account paid, fen."""
    return Counter({leg.account_id: leg.amount_fen for leg in original.legs})


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01")
def test_a_refund_of_everything_is_the_reversal_whatever_was_refunded_before(
    original: Plan, steps: list[list[int]]
) -> None:
    before = taken(original, steps)
    nothing = {line.line_no: 0 for line in original.lines}
    whole = refund_step(original, before[-1].rest, nothing)
    assert whole == reverse(before[-1].rest)
    together = [*before, whole]
    assert to_accounts(together) == paid_by(original)
    sums = original.breakdown
    assert sum(one.total_fen for one in together) == sums.total_fen
    assert sum(one.fund_fen for one in together) == sums.fund_pay_fen
    assert sum(one.cash_fen for one in together) == sums.cash_pay_fen
    assert sum(one.deductible_fen for one in together) == sums.deductible_fen
    assert sum(one.fund_in_cap_fen for one in together) == original.fund_in_cap_fen


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01")
def test_no_source_ever_gets_back_more_than_it_gave(original: Plan, steps: list[list[int]]) -> None:
    paid, sums = paid_by(original), original.breakdown
    refunds = taken(original, steps)
    for number in range(1, len(refunds) + 1):
        so_far = refunds[:number]
        assert to_accounts(so_far) <= paid
        assert 0 <= sum(one.total_fen for one in so_far) <= sums.total_fen
        assert sum(one.fund_fen for one in so_far) <= sums.fund_pay_fen
        assert sum(one.cash_fen for one in so_far) <= sums.cash_pay_fen
        assert sum(one.deductible_fen for one in so_far) <= sums.deductible_fen


@PROPERTY
@given(bills(), STEPS)
def test_every_step_adds_up_and_every_rest_is_a_settlement_of_its_own(
    original: Plan, steps: list[list[int]]
) -> None:
    for step in taken(original, steps):
        back_fen = [leg.amount_fen for leg in step.legs]
        assert all(fen > 0 for fen in back_fen)
        assert step.total_fen == step.fund_fen + step.cash_fen + sum(back_fen)
        sums, lines, legs = (
            step.rest.breakdown,
            step.rest.lines,
            step.rest.legs,
        )  # sums add up or are not made
        assert sums.total_fen == sum(line.amount_fen for line in lines)
        assert sums.in_scope_fen == sum(line.in_scope_fen for line in lines)
        assert sums.account_pay_fen == sum(leg.amount_fen for leg in legs)
        donated = [leg.amount_fen for leg in legs if leg.owner is AccountOwner.DONOR]
        assert sums.mutual_aid_pay_fen == sum(donated)
        payers = [leg.account_id for leg in original.legs]
        assert [leg.account_id for leg in legs] == payers[
            : len(legs)
        ]  # the last payer is the first to go


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01", "RF-04")
def test_in_steps_the_fund_and_the_counters_come_out_as_at_once(
    original: Plan, steps: list[list[int]]
) -> None:
    refunds = taken(original, steps)
    once, rest = at_once(original, refunds), refunds[-1].rest
    assert rest.lines == once.rest.lines
    assert rest.breakdown.total_fen == once.rest.breakdown.total_fen
    assert rest.breakdown.fund_pay_fen == once.rest.breakdown.fund_pay_fen
    assert rest.breakdown.deductible_fen == once.rest.breakdown.deductible_fen
    assert sum(one.fund_in_cap_fen for one in refunds) == once.fund_in_cap_fen


@PROPERTY
@given(bills(PAYABLE) | bills(BELOW_CEILING, ratios=()), STEPS)
@pytest.mark.requirement("RF-01")
def test_in_steps_everybody_gets_what_they_get_at_once(
    original: Plan, steps: list[list[int]]
) -> None:
    # Where accounts may pay for every line, and wherever the fund paid nothing.
    refunds = taken(original, steps)
    once = at_once(original, refunds)
    assert refunds[-1].rest == once.rest
    assert to_accounts(refunds) == to_accounts([once])
    assert all(one.cash_fen >= 0 for one in refunds)


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01")
def test_in_steps_accounts_never_get_less_than_at_once_and_cash_makes_up_for_it(
    original: Plan, steps: list[list[int]]
) -> None:
    refunds = taken(original, steps)
    once = at_once(original, refunds)
    in_steps, whole = to_accounts(refunds), to_accounts([once])
    assert in_steps >= whole
    more_fen = in_steps.total() - whole.total()
    assert sum(one.cash_fen for one in refunds) == once.cash_fen - more_fen
    a_fen_each = sum(1 for line in original.lines if line.excess_micro)
    assert more_fen <= original.breakdown.fund_pay_fen + a_fen_each


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01")
def test_in_a_step_nothing_flows_the_other_way_but_cash_and_a_fen_of_rounding(
    original: Plan, steps: list[list[int]]
) -> None:
    a_fen_each = sum(1 for line in original.lines if line.excess_micro)
    for step in taken(original, steps):
        assert step.total_fen >= 0
        assert all(leg.amount_fen > 0 for leg in step.legs)
        assert min(step.fund_fen, step.fund_in_cap_fen, step.deductible_fen) >= -a_fen_each
        back = reverse(step.rest)
        parts = (back.total_fen, back.fund_fen, back.cash_fen, back.deductible_fen)
        assert min(parts) >= 0


@PROPERTY
@given(bills(), STEPS)
@pytest.mark.requirement("RF-01")
def test_whatever_cash_was_paid_in_nobody_bears_more_than_what_is_kept(
    original: Plan, steps: list[list[int]]
) -> None:
    cash_fen = original.breakdown.cash_pay_fen
    for step in taken(original, steps):
        cash_fen -= step.cash_fen
        kept = step.rest.breakdown
        assert 0 <= cash_fen == kept.cash_pay_fen <= kept.personal_fen
