"""One settlement's amounts fill the nodes of the national interface, and the nodes agree."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.benefit import BenefitState
from gongji_svc.domain.breakdown import GivenBreakdown
from gongji_svc.domain.national import Fields, NationalAnswer, national_answer
from gongji_svc.domain.refund import nothing_left, rest_after
from gongji_svc.domain.settlement import Bill, Patient, plan
from gongji_svc.domain.terms import (
    AccountUse,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    VisitType,
)
from tests.contract.descriptors import enums, field_at, files, methods
from tests.domain.builders import (
    PROPERTY,
    account,
    bill,
    donor,
    enrolment,
    item,
    person,
    policy,
)

PAGE = (Path(__file__).parents[2] / "docs" / "national-fields.md").read_text(encoding="utf-8")

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
OTHER_FUNDS = (
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "hifdm_pay",
    "maf_pay",
    "oth_pay",
)
ACCOUNTS = "310200"


def visit(**fields: Any) -> Bill:
    """1000 yuan of class A and 3 packages of class L, at a hospital of level 3."""
    lines = item(1, "A", 1_000), item(2, "L", 10, quantity=3)
    return bill(*lines, rules=policy(BENEFIT), **HOSPITAL, **fields)


def answer(made: Bill) -> NationalAnswer:
    return national_answer(made, plan(made))


def test_the_sums_are_yuan_with_two_places_and_the_ratio_is_the_funds() -> None:
    made = answer(visit(own=10_005, donors=[donor(2, 15_000), donor(3, 5_000)]))
    assert made.setlinfo == {
        "medfee_sumamt": "1030.00",
        "fulamt_ownpay_amt": "0.00",
        "overlmt_selfpay": "6.00",
        "preselfpay_amt": "0.00",
        "inscp_scp_amt": "1024.00",
        "act_pay_dedc": "300.00",
        "pool_prop_selfpay": "0.5000",
        "hifp_pay": "362.00",
        **dict.fromkeys(OTHER_FUNDS, "0"),
        "fund_pay_sumamt": "362.00",
        "psn_part_amt": "668.00",
        "acct_pay": "300.05",
        "acct_mulaid_pay": "200.00",
        "psn_cash_pay": "367.95",
        "hosp_part_amt": "0",
        "balc": "0.00",
    }


def test_the_payers_are_the_fund_and_all_accounts_as_one() -> None:
    made = answer(visit(own=10_005, donors=[donor(2, 15_000), donor(3, 5_000)]))
    assert made.setldetail == [
        {
            "fund_pay_type": "310102",
            "inscp_scp_amt": "1024.00",
            "crt_payb_lmt_amt": "3000.00",
            "fund_payamt": "362.00",
        },
        {
            "fund_pay_type": ACCOUNTS,
            "inscp_scp_amt": "1024.00",
            "crt_payb_lmt_amt": "0",
            "fund_payamt": "300.05",
        },
    ]


def test_a_line_has_its_price_ceiling_quantity_and_class() -> None:
    made = answer(visit())
    assert made.detlcutinfo[1] == {
        "feedetl_sn": "2",
        "det_item_fee_sumamt": "30.00",
        "cnt": "3.0000",
        "pric": "10.000000",
        "pric_uplmt_amt": "8.000000",
        "selfpay_prop": "0.0000",
        "fulamt_ownpay_amt": "0.00",
        "overlmt_amt": "6.00",
        "preselfpay_amt": "0.00",
        "inscp_scp_amt": "24.00",
        "chrgitm_lv": "01",
    }
    assert made.detlcutinfo[0]["pric_uplmt_amt"] == "0"


def test_the_share_paid_beforehand_has_four_places() -> None:
    (line,) = answer(bill(item(1, "B", 10))).detlcutinfo
    assert (line["selfpay_prop"], line["preselfpay_amt"]) == ("0.1000", "1.00")
    assert line["chrgitm_lv"] == "02"


def test_the_fund_of_a_resident_is_the_residents() -> None:
    someone = Patient(person(1), enrolment(Insurance.RESIDENT), policy(BENEFIT))
    made = answer(visit(patient=someone))
    assert [row["fund_pay_type"] for row in made.setldetail] == ["390102"]


def test_a_person_without_an_account_has_no_balance() -> None:
    assert answer(visit(own=())).setlinfo["balc"] == "0"
    assert answer(visit(own=0)).setlinfo["balc"] == "0.00"


def test_the_balance_is_what_the_own_account_has_left() -> None:
    made = answer(visit(own=100_001, donors=[donor(2, 500)]))
    assert made.setlinfo["balc"] == "332.01"


def test_where_the_fund_knows_no_cap_no_limit_is_stated() -> None:
    rules = policy({place: value for place, value in BENEFIT.items() if "caps" not in place})
    made = answer(bill(item(1, "A", 1_000), rules=rules, **HOSPITAL))
    assert [row["crt_payb_lmt_amt"] for row in made.setldetail] == ["0"]


def test_who_paid_nothing_has_no_row_among_the_payers() -> None:
    assert answer(bill(item(1, "A", 10))).setldetail == []


def test_a_bill_priced_elsewhere_fills_no_node_of_an_outpatient_settlement() -> None:
    parts = GivenBreakdown(1_000, 0, 0, 0, 1_000, 0, 8_000, 800, 200)
    stay = bill(
        given=parts,
        total_fen=1_000,
        visit_type=VisitType.INPATIENT,
        place=InstitutionKind.HOSPITAL,
    )
    with pytest.raises(ValueError, match="priced elsewhere"):
        answer(stay)


def sum_of(rows: Iterable[Fields], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


def expect_sums(info: dict[str, Decimal]) -> None:
    """I1 to I5 of the interface."""
    assert info["medfee_sumamt"] == info["fund_pay_sumamt"] + info["psn_part_amt"]
    assert info["psn_part_amt"] == info["acct_pay"] + info["psn_cash_pay"]
    assert info["fund_pay_sumamt"] == info["hifp_pay"] + sum(info[name] for name in OTHER_FUNDS)
    assert 0 <= info["acct_mulaid_pay"] <= info["acct_pay"]
    excluded = info["fulamt_ownpay_amt"] + info["overlmt_selfpay"] + info["preselfpay_amt"]
    assert info["medfee_sumamt"] == excluded + info["inscp_scp_amt"]


def expect_payers(rows: list[Fields], info: dict[str, Decimal]) -> None:
    """The payers' rows sum to what the sums say of them."""
    accounts = [row for row in rows if row["fund_pay_type"] == ACCOUNTS]
    funds = [row for row in rows if row["fund_pay_type"] != ACCOUNTS]
    assert sum_of(accounts, "fund_payamt") == info["acct_pay"]
    assert sum_of(funds, "fund_payamt") == info["fund_pay_sumamt"]
    assert sum_of(rows, "fund_payamt") + info["psn_cash_pay"] == info["medfee_sumamt"]
    assert all(Decimal(row["inscp_scp_amt"]) == info["inscp_scp_amt"] for row in rows)
    assert all(Decimal(row["fund_payamt"]) <= Decimal(row["crt_payb_lmt_amt"]) for row in funds)


def expect_lines(rows: list[Fields], info: dict[str, Decimal]) -> None:
    """The lines sum to the sums (I7), and the parts of each to the line."""
    for of_line, of_bill in (
        ("det_item_fee_sumamt", "medfee_sumamt"),
        ("fulamt_ownpay_amt", "fulamt_ownpay_amt"),
        ("overlmt_amt", "overlmt_selfpay"),
        ("preselfpay_amt", "preselfpay_amt"),
        ("inscp_scp_amt", "inscp_scp_amt"),
    ):
        assert sum_of(rows, of_line) == info[of_bill]
    parts = "fulamt_ownpay_amt", "overlmt_amt", "preselfpay_amt", "inscp_scp_amt"
    for row in rows:
        assert Decimal(row["det_item_fee_sumamt"]) == sum(Decimal(row[part]) for part in parts)
        exact = Decimal(row["cnt"]) * Decimal(row["pric"])
        rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert abs(Decimal(row["det_item_fee_sumamt"]) - rounded) <= Decimal("0.01")


def expect_consistent(made: NationalAnswer) -> dict[str, Decimal]:
    info = {name: Decimal(value) for name, value in made.setlinfo.items()}
    expect_sums(info)
    expect_payers(made.setldetail, info)
    expect_lines(made.detlcutinfo, info)
    return info


LINES = st.lists(
    st.tuples(st.sampled_from("ABCNL?"), st.integers(0, 2_000), st.integers(1, 20)),
    min_size=1,
    max_size=6,
)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    """Visits of an employee or a resident, with a part of the year's cap used, and donors."""
    lines = draw(LINES)
    rules = policy(
        {**BENEFIT, "accounts.base": draw(st.sampled_from(["PERSONAL_SHARE", "IN_POLICY"]))}
    )
    insurance = draw(st.sampled_from([Insurance.EMPLOYEE, Insurance.RESIDENT]))
    used = BenefitState(0, draw(st.integers(0, 400_000)))
    own = (account(1, draw(st.integers(0, 10**6))),)
    balances = draw(st.lists(st.integers(0, 10**6), max_size=3))
    return bill(
        *[item(at, *line) for at, line in enumerate(lines, 1)],
        patient=Patient(person(1), enrolment(insurance), rules, own, used),
        donors=[donor(number, balance) for number, balance in enumerate(balances, 2)],
        account_use=draw(st.sampled_from(AccountUse)),
        **HOSPITAL,
    )


@PROPERTY
@given(bills())
def test_the_three_nodes_of_any_settlement_agree(made: Bill) -> None:
    info = expect_consistent(answer(made))
    if made.account_use is AccountUse.NONE:
        assert info["acct_pay"] == 0
    if made.account_use is AccountUse.OWN:
        assert info["acct_mulaid_pay"] == 0
    balance = sum(one.balance_fen for one in made.patient.accounts)
    assert info["balc"] * 100 == balance - (info["acct_pay"] - info["acct_mulaid_pay"]) * 100


@PROPERTY
@given(bills(), st.data())
def test_the_three_nodes_of_what_a_refund_leaves_agree(made: Bill, data: st.DataObject) -> None:
    left = {
        line.line_no: 10_000 * data.draw(st.integers(0, line.quantity_e4 // 10_000))
        for line in made.items
    }
    expect_consistent(national_answer(made, rest_after(plan(made), left)))


@PROPERTY
@given(bills())
def test_of_a_settlement_taken_back_nothing_is_left_in_any_node(made: Bill) -> None:
    rest = national_answer(made, nothing_left(plan(made)))
    info = expect_consistent(rest)
    assert {info[name] for name in ("medfee_sumamt", "acct_pay", "psn_cash_pay")} == {Decimal(0)}
    assert rest.setldetail == []


def table(heading: str) -> set[str]:
    """The fields that have a row below a heading of the page."""
    _, _, section = PAGE.partition(f"# {heading}\n")
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_the_page_has_a_row_for_every_field_that_is_made() -> None:
    made = answer(visit(own=10_000))
    assert set(made.setlinfo) <= table("Output of 2101, 2102, 2206, 2207: `setlinfo`")
    assert {name for row in made.setldetail for name in row} == table("`setldetail`")
    assert {name for row in made.detlcutinfo for name in row} == table("`detlcutinfo`")


def test_the_page_names_no_field_and_no_call_that_the_contract_has_not() -> None:
    messages = {name: one for file in files() for name, one in file.message_types_by_name.items()}
    calls = {f"{method.containing_service.name}.{method.name}" for method in methods()}
    named = set(re.findall(r"`([A-Z][a-z]\w*\.[\w.]+)`", PAGE))
    assert len(named) > len(table("`detlcutinfo`"))
    unknown = []
    for name in named - calls:
        message, _, path = name.partition(".")
        if message not in messages or field_at(messages[message], path) is None:
            unknown.append(name)
    assert unknown == []


def test_the_page_names_no_message_and_no_value_that_the_contract_has_not() -> None:
    messages = {name for file in files() for name in file.message_types_by_name}
    values = {value.name for enum in enums().values() for value in enum.values}
    assert set(re.findall(r"`([A-Z][a-z]\w*)`", PAGE)) <= messages
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE))
    assert named
    assert named <= values
