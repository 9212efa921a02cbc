"""A settlement's amounts in the fields of the national interface: 2101, 2102, 2206, 2207.

Rule (docs/national-fields.md): amounts are yuan with 2 places, quantities have 4, prices 6, ratios
4; a number that there is none of is "0". acct_pay includes acct_mulaid_pay, and the donors are that
one sum: the national message names none of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gongji_svc.domain.bill import LineSplit
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.settlement import Bill, Plan
from gongji_svc.domain.terms import AccountOwner, CatalogClass, Insurance

Fields = dict[str, str]
"""A node of the message: the national names and their values."""

NO_NUMBER = "0"
_MONEY, _QUANTITY, _PRICE, _RATIO = 2, 4, 6, 4  # places after the point

_POOLED_OUTPATIENT = {Insurance.EMPLOYEE: "310102", Insurance.RESIDENT: "390102"}
_PERSONAL_ACCOUNT = "310200"
_CLASSES = {CatalogClass.A: "01", CatalogClass.B: "02", CatalogClass.C: "03"}
# Only the pooled outpatient benefit is computed, and nothing is borne by the institution.
_NOT_COMPUTED = (
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "hifdm_pay",
    "maf_pay",
    "oth_pay",
    "hosp_part_amt",
)


@dataclass(frozen=True, slots=True)
class NationalAnswer:
    """The nodes of an answer: the sums, a row for each kind of payer, a row for each line."""

    setlinfo: Fields
    setldetail: list[Fields]
    detlcutinfo: list[Fields]


def national_answer(bill: Bill, plan: Plan) -> NationalAnswer:
    """The nodes that a settlement, or what is left of one, fills.

    ValueError for a bill priced elsewhere: it is a stay, and which fund paid it is not known here.
    """
    if plan.given:
        raise ValueError("a bill priced elsewhere fills no node of an outpatient settlement")
    balance = {"balc": _balance(bill, plan)}
    return NationalAnswer(
        setlinfo=amounts(plan.breakdown) | dict.fromkeys(_NOT_COMPUTED, NO_NUMBER) | balance,
        setldetail=list(_payers(bill, plan)),
        detlcutinfo=list(_lines(bill, plan)),
    )


def amounts(sums: Breakdown) -> Fields:
    """The sums of a settlement, of what is left of it, or of what a reversal gave back."""
    return {
        "medfee_sumamt": _money(sums.total_fen),
        "fulamt_ownpay_amt": _money(sums.full_self_pay_fen),
        "overlmt_selfpay": _money(sums.over_limit_fen),
        "preselfpay_amt": _money(sums.pre_self_pay_fen),
        "inscp_scp_amt": _money(sums.in_scope_fen),
        "act_pay_dedc": _money(sums.deductible_fen),
        "pool_prop_selfpay": _decimal(sums.fund_ratio_bp, _RATIO),
        "hifp_pay": _money(sums.fund_pay_fen),
        "fund_pay_sumamt": _money(sums.fund_pay_fen),
        "psn_part_amt": _money(sums.personal_fen),
        "acct_pay": _money(sums.account_pay_fen),
        "acct_mulaid_pay": _money(sums.mutual_aid_pay_fen),
        "psn_cash_pay": _money(sums.cash_pay_fen),
    }


def _balance(bill: Bill, plan: Plan) -> str:
    """The patient's own balance after it."""
    if not bill.patient.accounts:
        return NO_NUMBER
    paid = sum(leg.amount_fen for leg in plan.legs if leg.owner is AccountOwner.SELF)
    return _money(sum(account.balance_fen for account in bill.patient.accounts) - paid)


def _payers(bill: Bill, plan: Plan) -> Iterator[Fields]:
    """The pooled fund, then the accounts as one; who paid nothing has no row."""
    sums = plan.breakdown
    if sums.fund_pay_fen:
        cap = plan.terms.cap_left_fen
        limit = NO_NUMBER if cap is None else _money(cap)
        fund = _POOLED_OUTPATIENT[bill.patient.enrolment.insurance]
        yield _payer(fund, sums, limit, sums.fund_pay_fen)
    if sums.account_pay_fen:
        yield _payer(_PERSONAL_ACCOUNT, sums, NO_NUMBER, sums.account_pay_fen)


def _payer(kind: str, sums: Breakdown, limit: str, paid_fen: int) -> Fields:
    return {
        "fund_pay_type": kind,
        "inscp_scp_amt": _money(sums.in_scope_fen),
        "crt_payb_lmt_amt": limit,
        "fund_payamt": _money(paid_fen),
    }


def _lines(bill: Bill, plan: Plan) -> Iterator[Fields]:
    prices = {item.line_no: item.unit_price_micro for item in bill.items}
    for line in plan.lines:
        row = bill.catalogue.get(line.catalog_code)
        yield _line(line, prices[line.line_no], None if row is None else row.price_ceiling_micro)


def _line(line: LineSplit, price_micro: int, ceiling_micro: int | None) -> Fields:
    return {
        "feedetl_sn": str(line.line_no),
        "det_item_fee_sumamt": _money(line.amount_fen),
        "cnt": _decimal(line.quantity_e4, _QUANTITY),
        "pric": _decimal(price_micro, _PRICE),
        "pric_uplmt_amt": NO_NUMBER if ceiling_micro is None else _decimal(ceiling_micro, _PRICE),
        "selfpay_prop": _decimal(line.self_pay_bp, _RATIO),
        "fulamt_ownpay_amt": _money(line.full_self_pay_fen),
        "overlmt_amt": _money(line.over_limit_fen),
        "preselfpay_amt": _money(line.pre_self_pay_fen),
        "inscp_scp_amt": _money(line.in_scope_fen),
        "chrgitm_lv": _CLASSES[line.catalog_class],
    }


def _money(amount_fen: int) -> str:
    return _decimal(amount_fen, _MONEY)


def _decimal(value: int, places: int) -> str:
    """An integer that is not negative, with so many of its digits behind the point."""
    whole, decimals = divmod(value, 10**places)
    return f"{whole}.{decimals:0{places}d}"
