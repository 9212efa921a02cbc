"""Giving back: some lines, the rest of them, or the whole settlement (RF-01 to RF-06).

Rule (docs/decisions/readings.md#refund): the rest is decided anew, always from the original, with
the original moment's terms and each source's original leg as its whole balance; so cash falls
first, then the last donor, the first, and own last. A step pays out the difference to the step
before. It needs no binding and no policy: the original holds all. Money never leaves an account in
a refund: where the accounts' part fell before and would rise again, it stays, and cash carries the
fen (docs/decisions/readings.md#refund-in-steps).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gongji_svc.domain.benefit import Benefit, benefit_of
from gongji_svc.domain.bill import LineSplit, Sums, rest_of, sums_of
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.errors import LineNotFound, RefundExceedsRest, VisitTypeNotServed
from gongji_svc.domain.money import format_quantity
from gongji_svc.domain.settlement import Plan, account_base_fen
from gongji_svc.domain.step import Rule, Step
from gongji_svc.domain.terms import VisitType
from gongji_svc.domain.waterfall import Leg, sums_of_legs


@dataclass(frozen=True, slots=True)
class Refund:
    """One step: what is left after it, and what it gives back to each source, in fen.

    `legs` are what goes back to the accounts; counters fall by them, by `deductible_fen` and by
    `fund_in_cap_fen`. Negative can be `cash_fen`, where the accounts get back more than the
    person's share falls by and the patient makes up for it; and by rounding the fund's parts, by at
    most a fen for each line above its ceiling. Of a reversal nothing is negative.
    """

    rest: Plan
    legs: tuple[Leg, ...]
    total_fen: int
    fund_fen: int
    cash_fen: int
    deductible_fen: int
    fund_in_cap_fen: int


def remaining_after(
    original: Plan, remaining_e4: Mapping[int, int], returned_e4: Mapping[int, int]
) -> dict[int, int]:
    """The quantities left of each line after some are returned (10^-4 units).

    `remaining_e4` is what was left before, by line number; a line that is absent was untouched.
    LineNotFound, RefundExceedsRest.
    """
    left = {line.line_no: line.quantity_e4 for line in original.lines} | dict(remaining_e4)
    for line_no, quantity in returned_e4.items():
        if line_no not in left:
            raise LineNotFound(line_no=str(line_no))
        if quantity > left[line_no]:
            raise RefundExceedsRest(line_no=str(line_no), rest=format_quantity(left[line_no]))
        left[line_no] -= quantity
    return left


def rest_after(original: Plan, remaining_e4: Mapping[int, int]) -> Plan:
    """The settlement as it were with only these quantities; a line that is absent is whole.

    A bill priced elsewhere can't be reckoned anew: it is given back whole or not at all.
    """
    lines = tuple(
        [rest_of(line, remaining_e4.get(line.line_no, line.quantity_e4)) for line in original.lines]
    )
    if lines == original.lines:
        return original
    if original.given:
        if any(line.quantity_e4 for line in lines):
            raise VisitTypeNotServed(visit_type=VisitType.INPATIENT)
        return nothing_left(original)
    return _decided(original, lines, sums_of(lines))


def nothing_left(original: Plan) -> Plan:
    """The settlement with nothing left of it."""
    lines = tuple([rest_of(line, 0) for line in original.lines])
    return _decided(original, lines, Sums())


def _decided(original: Plan, lines: tuple[LineSplit, ...], sums: Sums) -> Plan:
    benefit = benefit_of(sums.in_scope_fen, original.terms)
    total = sums.full_self_pay_fen + sums.over_limit_fen + sums.pre_self_pay_fen + sums.in_scope_fen
    personal = total - benefit.fund_pay_fen
    base = account_base_fen(sums, benefit.fund_pay_fen, original.account_base)
    legs = _legs_within(original.legs, min(base, personal))
    breakdown = _breakdown(original.breakdown, sums, benefit, total, legs)
    return replace(
        original,
        breakdown=breakdown,
        lines=lines,
        legs=legs,
        steps=(Step(Rule.REFUND_REST, total, "docs/decisions/readings.md#refund"),),
    )


def _legs_within(legs: tuple[Leg, ...], amount_fen: int) -> tuple[Leg, ...]:
    """The legs in their order, up to an amount."""
    kept: list[Leg] = []
    for leg in legs:
        part = min(leg.amount_fen, amount_fen)
        if part:
            kept.append(replace(leg, amount_fen=part, from_hold_fen=0))
        amount_fen -= part
    return tuple(kept)


def _breakdown(
    original: Breakdown, sums: Sums, benefit: Benefit, total_fen: int, legs: tuple[Leg, ...]
) -> Breakdown:
    account, mutual_aid = sums_of_legs(legs)
    personal = total_fen - benefit.fund_pay_fen
    return Breakdown(
        total_fen=total_fen,
        full_self_pay_fen=sums.full_self_pay_fen,
        over_limit_fen=sums.over_limit_fen,
        pre_self_pay_fen=sums.pre_self_pay_fen,
        in_scope_fen=sums.in_scope_fen,
        deductible_fen=benefit.deductible_fen,
        fund_ratio_bp=original.fund_ratio_bp,
        fund_pay_fen=benefit.fund_pay_fen,
        personal_fen=personal,
        account_pay_fen=account,
        mutual_aid_pay_fen=mutual_aid,
        cash_pay_fen=personal - account,
    )


def refund_step(original: Plan, previous: Plan, remaining_e4: Mapping[int, int]) -> Refund:
    """Give back the difference between the step before and what now remains.

    `previous` is the original at the first step, else the `rest` of the step before.
    """
    return _difference(previous, rest_after(original, remaining_e4))


def reverse(previous: Plan) -> Refund:
    """Give back all that is left, to exactly those who paid it."""
    return _difference(previous, nothing_left(previous))


def _difference(previous: Plan, anew: Plan) -> Refund:
    rest = _without_rise(previous, anew)
    left = {(leg.account_id, leg.binding_id): leg.amount_fen for leg in rest.legs}
    legs = tuple(
        [
            replace(leg, amount_fen=back, from_hold_fen=0)
            for leg in previous.legs
            if (back := leg.amount_fen - left.get((leg.account_id, leg.binding_id), 0))
        ]
    )
    before, after = previous.breakdown, rest.breakdown
    return Refund(
        rest=rest,
        legs=legs,
        total_fen=before.total_fen - after.total_fen,
        fund_fen=before.fund_pay_fen - after.fund_pay_fen,
        cash_fen=before.cash_pay_fen - after.cash_pay_fen,
        deductible_fen=before.deductible_fen - after.deductible_fen,
        fund_in_cap_fen=previous.fund_in_cap_fen - rest.fund_in_cap_fen,
    )


def _without_rise(previous: Plan, anew: Plan) -> Plan:
    """The rest with no account above the step before.

    Both have the original's legs in their order, each filled before the next: where the sum does
    not rise, no leg does.
    """
    before, after = previous.breakdown, anew.breakdown
    if after.account_pay_fen <= before.account_pay_fen:
        return anew
    breakdown = replace(
        after,
        account_pay_fen=before.account_pay_fen,
        mutual_aid_pay_fen=before.mutual_aid_pay_fen,
        cash_pay_fen=after.personal_fen - before.account_pay_fen,
    )
    return replace(anew, legs=previous.legs, breakdown=breakdown)
