"""Cases of visits at the till: fund, own account, donors and cash, and reversals of the last visit.

Rule: split, benefit, account base, waterfall and reversal are the functions that settle; a case
only hands them amounts instead of a catalogue and rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from gongji_svc.domain.benefit import (
    NO_FUND,
    Benefit,
    BenefitState,
    BenefitTerms,
    benefit_of,
    terms_for,
)
from gongji_svc.domain.bill import sums_of
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.money import BP, share_of
from gongji_svc.domain.policy import NATION, Policy
from gongji_svc.domain.preview.bills import VISIT_KEYS, VisitBill, read_bill
from gongji_svc.domain.preview.family import OWN_KEYS, Family, read_family
from gongji_svc.domain.preview.rules import LEVELS, TillRules, person_type, till_rules
from gongji_svc.domain.preview.table import Table
from gongji_svc.domain.refund import Refund, reverse
from gongji_svc.domain.settlement import Plan, account_base_fen
from gongji_svc.domain.standing import Standing
from gongji_svc.domain.terms import AccountUse, InstitutionLevel, PersonType, VisitType
from gongji_svc.domain.waterfall import Flow, Leg, pour

_GIVEN = ("person", "year_to_date", "acct_used_flag", *OWN_KEYS, "donors", "chosen_donor",
          "visits", "reversals")  # fmt: skip
_PERSON = ("psn_type", "insutype", "hosp_level", "region")
_YEAR_TO_DATE = ("deductible_used_fen", "fund_paid_fen")
_ACCOUNT_USES = {"0": AccountUse.NONE, "1": AccountUse.OWN, "2": AccountUse.MUTUAL_AID}
_SAME_DAY = date(2025, 1, 1)  # of visits that name no day
_INSURED = Standing(insured=True)


@dataclass(slots=True)
class _Till:
    """A case on its way through its visits."""

    rules: TillRules
    family: Family
    person_type: PersonType | None  # None: not stated, the rules have one value for everybody
    level: InstitutionLevel
    account_use: AccountUse
    chosen: UUID | None
    state: BenefitState
    first_day: date
    day: date

    @property
    def policy(self) -> Policy:
        return self.rules.policy


def decide_till(case: Table, kind: str) -> dict[str, Any]:
    """What comes out of a case's visits, one after the other."""
    rules = till_rules(case, kind == "pooled_outpatient")
    given = case.table("given", _GIVEN)
    till = _open(given, rules)
    expect: dict[str, Any] = {}
    if till.family.relatives:
        spendable = till.family.spendable_fen()
        expect["spendable_fen"] = spendable
        expect["usable"] = {name: amount > 0 for name, amount in spendable.items()}
    visits = given.tables("visits", VISIT_KEYS)
    plans = [_settle(till, visit, first=visit is visits[0]) for visit in visits]
    expect["visits"] = [_figures(till, plan, bill) for plan, bill in plans]
    if given.stated("reversals") is not None:
        expect["reversals"] = _reverse(till, given, plans[-1][0] if plans else None)
    expect["balances_after"] = till.family.balances()
    if rules.computes_fund:
        expect["year_to_date_after"] = {
            "deductible_used_fen": till.state.deductible_borne_fen,
            "fund_paid_fen": till.state.fund_paid_fen,
        }
    return expect


def _open(given: Table, rules: TillRules) -> _Till:
    person = given.table("person", _PERSON)
    family = read_family(given, rules.policy, str(person.stated("region") or NATION))
    borne = given.table("year_to_date", _YEAR_TO_DATE)
    level = InstitutionLevel.PRIMARY
    if person.stated("hosp_level") is not None:
        level = LEVELS[person.word("hosp_level", LEVELS)]
    return _Till(
        rules=rules,
        family=family,
        person_type=person_type(person.stated("psn_type")),
        level=level,
        account_use=_account_use(given, family),
        chosen=_chosen(given, family),
        state=BenefitState(borne.fen("deductible_used_fen") or 0, borne.fen("fund_paid_fen") or 0),
        first_day=_SAME_DAY,
        day=_SAME_DAY,
    )


def _account_use(given: Table, family: Family) -> AccountUse:
    """acct_used_flag; not stated: all the accounts that the case speaks of."""
    if given.stated("acct_used_flag") is not None:
        return _ACCOUNT_USES[given.word("acct_used_flag", _ACCOUNT_USES)]
    if family.relatives:
        return AccountUse.MUTUAL_AID
    return AccountUse.NONE if family.own is None else AccountUse.OWN


def _chosen(given: Table, family: Family) -> UUID | None:
    name = given.stated("chosen_donor")
    if name is None:
        return None
    for relative in family.relatives:
        if relative.name == name:
            return relative.donor.binding.binding_id
    raise given.error("chosen_donor", "is none of the donors")


def _settle(till: _Till, visit: Table, *, first: bool) -> tuple[Plan, VisitBill]:
    """Decide one visit and move the money."""
    bill = read_bill(visit, till.rules.class_b_precopay_bp)
    _turn_to(till, bill.day or till.day, first)
    terms = _terms(till, visit, bill)
    sums = sums_of(bill.lines)
    benefit = benefit_of(sums.in_scope_fen, terms)
    if bill.given_fund_fen is not None:
        benefit = Benefit(0, bill.given_fund_fen, bill.given_fund_fen)
    elif not till.rules.ratios_stated:
        _check_ratio_not_needed(visit, sums.in_scope_fen, terms)
    fund_fen = benefit.fund_pay_fen
    personal_fen = bill.total_fen - fund_fen
    by_rule_fen = account_base_fen(sums, fund_fen, till.policy.account_base)
    flow = _flow(till, bill.base_fen(personal_fen, by_rule_fen))
    account_fen = flow.own_fen + flow.donors_fen
    breakdown = Breakdown(
        total_fen=bill.total_fen,
        full_self_pay_fen=sums.full_self_pay_fen,
        over_limit_fen=sums.over_limit_fen,
        pre_self_pay_fen=sums.pre_self_pay_fen,
        in_scope_fen=sums.in_scope_fen,
        deductible_fen=benefit.deductible_fen,
        fund_ratio_bp=terms.ratio_bp,
        fund_pay_fen=fund_fen,
        personal_fen=personal_fen,
        account_pay_fen=account_fen,
        mutual_aid_pay_fen=flow.donors_fen,
        cash_pay_fen=personal_fen - account_fen,
    )
    plan = Plan(breakdown, bill.lines, flow.legs, terms, till.policy.account_base,
                bill.given_fund_fen is not None, flow.outcomes, (), (), ())  # fmt: skip
    _book(till, plan.legs, breakdown.deductible_fen, plan.fund_in_cap_fen, -1)
    return plan, bill


def _turn_to(till: _Till, day: date, first: bool) -> None:
    """A new calendar year begins with nothing borne and nothing paid."""
    if first:
        till.first_day = day
    elif day.year != till.day.year:
        till.state = BenefitState()
    till.day = day


def _terms(till: _Till, visit: Table, bill: VisitBill) -> BenefitTerms:
    if bill.given_fund_fen is not None or not till.rules.computes_fund:
        return NO_FUND
    if till.person_type is None and till.rules.by_person_type:
        raise visit.error("", "given.person.psn_type is not stated, but the rules depend on it")
    terms = terms_for(
        till.policy,
        till.person_type or PersonType.RESIDENT,
        _INSURED,
        till.state,
        VisitType.OUTPATIENT,
        bill.level or till.level,
    )
    chain = till.rules.ratio_chain_bp
    return replace(terms, ratios_bp=chain) if chain and not terms.why_none else terms


def _check_ratio_not_needed(visit: Table, in_scope_fen: int, terms: BenefitTerms) -> None:
    """A ratio that is not stated may not matter."""
    if benefit_of(in_scope_fen, replace(terms, ratios_bp=(BP,))).fund_pay_fen > 0:
        raise visit.error("", "rules.ratio_bp is not stated, but the fund's part depends on it")


def _flow(till: _Till, base_fen: int) -> Flow:
    if till.account_use is AccountUse.NONE:
        return Flow(0, 0, (), ())
    mutual_aid = till.account_use is AccountUse.MUTUAL_AID
    return pour(
        base_fen,
        till.family.own or [],
        till.family.donors_on(till.day, till.first_day) if mutual_aid else [],
        till.policy,
        till.family.region,
        till.family.obstacles(),
        till.chosen if mutual_aid else None,
    )


def _book(till: _Till, legs: Iterable[Leg], deductible_fen: int, fund_fen: int, sign: int) -> None:
    """Take money and add to the year's sums (-1), or give it back (+1)."""
    till.family.move(legs, till.day, sign)
    till.state = BenefitState(
        till.state.deductible_borne_fen - sign * deductible_fen,
        till.state.fund_paid_fen - sign * fund_fen,
    )


def _figures(till: _Till, plan: Plan, bill: VisitBill) -> dict[str, Any]:
    """A visit's sums in the schema's words."""
    sums = plan.breakdown
    figures: dict[str, Any] = {} if bill.only_personal else _figures_of_bill(sums)
    donors = till.family.by_name(plan.legs)
    figures |= {
        "psn_part_fen": sums.personal_fen,
        "own_account_fen": sums.account_pay_fen - sums.mutual_aid_pay_fen,
        "donors": donors,
        "acct_pay_fen": sums.account_pay_fen,
        "acct_mulaid_pay_fen": sums.mutual_aid_pay_fen,
        "cash_fen": sums.cash_pay_fen,
    }
    return figures


def _figures_of_bill(sums: Breakdown) -> dict[str, Any]:
    return {
        "total_fen": sums.total_fen,
        "fulamt_ownpay_fen": sums.full_self_pay_fen,
        "overlmt_fen": sums.over_limit_fen,
        "preselfpay_fen": sums.pre_self_pay_fen,
        "in_scope_fen": sums.in_scope_fen,
        "deductible_fen": sums.deductible_fen,
        "fund_fen": sums.fund_pay_fen,
        "effective_ratio_bp": share_of(BP, sums.fund_pay_fen, sums.total_fen),
    }


def _reverse(till: _Till, given: Table, plan: Plan | None) -> list[dict[str, Any]]:
    """Reverse the last visit; the same request again is a replay, another finds nothing left."""
    requests = _requests(given)
    if plan is None and requests:
        raise given.error("reversals", "expected a visit to reverse")
    answers: list[dict[str, Any]] = []
    for number, request in enumerate(requests):
        if number == 0 and plan is not None:
            refund = reverse(plan)
            _book(till, refund.legs, refund.deductible_fen, refund.fund_in_cap_fen, 1)
            answers.append({"replayed": False, **_given_back(till, refund)})
        elif request == requests[0]:
            answers.append({"replayed": True})
        else:
            answers.append({"replayed": False, "refused": "SETTLEMENT_CANCELLED"})
    return answers


def _requests(given: Table) -> list[str]:
    """The request ids of the reversals: so many with the same id, or a list of ids."""
    stated = given.stated("reversals")
    if not isinstance(stated, list):
        return ["1"] * (given.count("reversals") or 0)
    if any(not isinstance(each, Mapping) for each in stated):
        return [str(each) for each in stated]
    return [each.text("request_id") for each in given.tables("reversals", ("request_id",))]


def _given_back(till: _Till, refund: Refund) -> dict[str, Any]:
    donors = till.family.by_name(refund.legs)
    return {
        "own_account_fen": sum(leg.amount_fen for leg in refund.legs) - sum(donors.values()),
        "donors": donors,
        "fund_fen": refund.fund_fen,
        "cash_fen": refund.cash_fen,
    }
