"""Patient, donors and pharmacy in other cities of one province: who owes whom, and the warnings.

Rule: the books of each region balance alone; what one owes another stands in both, once each way.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.person import ReferralFiling
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import LONG_AGO, Families, Made
from tests.services.driver import Driver
from tests.services.refunds import basket, books_of, refund
from tests.services.till import HOHHOT, TIELING, ULANQAB, asked, paid, settle

SHENYANG, DALIAN, LIAONING = "210100", "210200", "210000"
RATIO, CATALOGUE, FILING = (
    "RATIO_OF_OTHER_REGION",
    "CATALOGUE_OF_OTHER_REGION",
    "FILING_MISSING",
)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def scattered(families: Families, code: str) -> tuple[Made, pb.SettleRequest]:
    """A patient of 铁岭 with 100 yuan and donors of 铁岭, 沈阳 and 大连 with 200, 300 and 2000; and
    a visit of 2000 yuan at an institution.
    """
    families.item(LIAONING, "XA01")
    patient = families.person(TIELING, balance_fen=10_000)
    for rank, (region, fen) in enumerate(
        ((TIELING, 20_000), (SHENYANG, 30_000), (DALIAN, 200_000)), 1
    ):
        families.bind(families.person(region, balance_fen=fen), patient, rank=rank)
    visit = {"visit_type": pb.VISIT_TYPE_OUTPATIENT}
    return patient, basket(code, patient, [("XA01", 20, 100)], **visit)


@pytest.mark.requirement("TIL-03", "TIL-37")
def test_of_a_visit_elsewhere_each_region_owes_what_its_fund_and_its_accounts_paid(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(SHENYANG, kind="HOSPITAL", level="TERTIARY")
    _, request = scattered(families, code)
    settlement = settle(driver, code, request).settlement
    # The patient's region pays by its own rules: (2000 - 300) x 50 %.
    assert settlement.breakdown.fund_pay_fen == 85_000
    assert paid(settlement) == [
        ("SELF", 10_000),
        ("DONOR", 20_000),
        ("DONOR", 30_000),
        ("DONOR", 55_000),
    ]
    assert [leg.region for leg in settlement.legs] == [TIELING, TIELING, SHENYANG, DALIAN]
    books = books_of(database)
    assert books == {
        (SHENYANG, "INSTITUTION_PAYABLE", code): 200_000,
        (TIELING, "FUND", "EMPLOYEE"): -85_000,
        (TIELING, "CLEARING", SHENYANG): 115_000,
        (SHENYANG, "CLEARING", TIELING): -115_000,
        (DALIAN, "CLEARING", SHENYANG): 55_000,
        (SHENYANG, "CLEARING", DALIAN): -55_000,
    }
    Books.read(database).check()


@pytest.mark.requirement("RF-01")
def test_what_comes_back_of_it_takes_the_same_ways_back(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(SHENYANG, kind="HOSPITAL", level="TERTIARY")
    _, request = scattered(families, code)
    settlement = settle(driver, code, request).settlement
    refund(driver, settlement, (1, "7"))
    books = books_of(database)
    # Left are 1300: the fund pays 500, the accounts 800, the donor of 大连 200 of them.
    assert books[SHENYANG, "INSTITUTION_PAYABLE", code] == 130_000
    assert books[TIELING, "CLEARING", SHENYANG] == 50_000 + 30_000
    assert books[DALIAN, "CLEARING", SHENYANG] == 20_000
    Books.read(database).check()
    refund(driver, settlement)
    assert books_of(database) == {}
    Books.read(database).check()


def test_who_is_registered_in_one_city_and_insured_in_another_is_cleared_where_insured(
    driver: Driver, families: Families, database: Database
) -> None:
    # The account lies with the person's record, its money is that of the region that opened it.
    families.item(LIAONING, "XA01")
    code = families.institution(SHENYANG)
    patient = families.person(TIELING, balance_fen=0, insurance=Insurance.RESIDENT, home=DALIAN)
    families.bind(families.person(TIELING, balance_fen=9_000), patient)
    settle(driver, code, basket(code, patient, [("XA01", 1, 50)]))
    assert books_of(database) == {
        (SHENYANG, "INSTITUTION_PAYABLE", code): 5_000,
        (TIELING, "CLEARING", SHENYANG): 5_000,
        (SHENYANG, "CLEARING", TIELING): -5_000,
    }


def test_many_bills_across_cities_clear_to_the_fen(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item("150000", "XA01")
    cities = HOHHOT, ULANQAB, "150200"
    codes = [families.institution(region) for region in cities]
    owed: Counter[tuple[str, str]] = Counter()
    for patient_region in cities:
        patient = families.person(patient_region, insurance=Insurance.RESIDENT)
        for rank, region in enumerate(cities, 1):
            families.bind(families.person(region, balance_fen=1_100 * rank), patient, rank=rank)
        for region, code in zip(cities, codes, strict=True):
            bought = basket(code, patient, [("XA01", 1, 17)])
            legs = settle(driver, code, bought).settlement.legs
            owed.update({(leg.region, region): leg.amount_fen for leg in legs})
    books = books_of(database)
    clearing: Counter[tuple[str, str]] = Counter()
    for (debtor, creditor), fen in owed.items():
        if debtor != creditor:
            clearing[debtor, creditor] += fen
            clearing[creditor, debtor] -= fen
    assert clearing
    assert {
        (region, other): fen for (region, side, other), fen in books.items() if side == "CLEARING"
    } == {pair: fen for pair, fen in clearing.items() if fen}
    Books.read(database).check()


# --- the warnings of TIL-37


def warned(driver: Driver, code: str, patient: Made, **fields: Any) -> list[str]:
    """The rules of the warnings, the same before paying and after."""
    request = basket(code, patient, [("XA01", 1, 10)], **fields)
    preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", asked(request))
    settlement = settle(driver, code, request).settlement
    assert list(preview.warnings) == list(settlement.warnings)
    for warning in settlement.warnings:
        assert warning.text and warning.text_en and warning.source
    return [warning.rule for warning in settlement.warnings]


TODAY = day_of(datetime.now(UTC))
NEVER_FILED = ()
LAST_YEAR = (ReferralFiling(SHENYANG, LONG_AGO, TODAY - timedelta(days=1)),)
TO_COME = (ReferralFiling(SHENYANG, TODAY + timedelta(days=2)),)
ELSEWHERE = (ReferralFiling(DALIAN, LONG_AGO),)
UNTIL_TODAY = (ReferralFiling(SHENYANG, LONG_AGO, TODAY + timedelta(days=1)),)
PROVINCE = (ReferralFiling(DALIAN, LONG_AGO), ReferralFiling(LIAONING, LONG_AGO))


@pytest.mark.requirement("TIL-37")
@pytest.mark.parametrize(
    ("filings", "rules"),
    [
        (NEVER_FILED, [RATIO, CATALOGUE, FILING]),
        (LAST_YEAR, [RATIO, CATALOGUE, FILING]),
        (TO_COME, [RATIO, CATALOGUE, FILING]),
        (ELSEWHERE, [RATIO, CATALOGUE, FILING]),
        (UNTIL_TODAY, [RATIO, CATALOGUE]),
        (PROVINCE, [RATIO, CATALOGUE]),
    ],
)
def test_the_filing_is_warned_of_where_none_is_valid_for_the_place_on_the_day(
    driver: Driver, families: Families, filings: tuple[ReferralFiling, ...], rules: list[str]
) -> None:
    families.item(LIAONING, "XA01")
    patient = families.person(TIELING, balance_fen=10_000, referral_filings=filings)
    assert warned(driver, families.institution(SHENYANG), patient) == rules


@pytest.mark.requirement("TIL-37")
def test_at_home_nothing_is_warned_of(driver: Driver, families: Families) -> None:
    families.item(LIAONING, "XA01")
    patient = families.person(TIELING, balance_fen=10_000)
    assert warned(driver, families.institution(TIELING), patient) == []


@pytest.mark.requirement("TIL-37")
def test_the_filing_is_asked_for_on_the_day_of_the_purchase(
    driver: Driver, families: Families
) -> None:
    families.item(LIAONING, "XA01")
    filed = (ReferralFiling(SHENYANG, LONG_AGO, TODAY - timedelta(days=5)),)
    patient = families.person(TIELING, balance_fen=10_000, referral_filings=filed)
    code = families.institution(SHENYANG)
    request = basket(code, patient, [("XA01", 1, 10)])
    request.occurred_at.FromDatetime(datetime.now(UTC) - timedelta(days=6))
    rules = [warning.rule for warning in settle(driver, code, request).settlement.warnings]
    assert rules == [RATIO, CATALOGUE]


def test_where_the_patients_region_has_no_such_rule_nobody_is_warned(
    driver: Driver, families: Families
) -> None:
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=10_000)
    assert warned(driver, families.institution(HOHHOT), patient) == []


@pytest.mark.requirement("TIL-37")
def test_the_price_is_that_of_the_place_and_a_code_unknown_there_is_warned_of_apart(
    driver: Driver, families: Families
) -> None:
    families.item(TIELING, "XA01")
    families.item(SHENYANG, "XB01", catalog_class="B", self_pay_bp=2_000)
    families.item(TIELING, "XB01")
    patient, code = families.person(TIELING, balance_fen=10_000), families.institution(SHENYANG)
    rules = warned(driver, code, patient)
    assert rules == [RATIO, CATALOGUE, FILING, "CODE_NOT_IN_CATALOGUE"]
    priced = settle(driver, code, basket(code, patient, [("XB01", 1, 10)])).settlement
    assert priced.breakdown.pre_self_pay_fen == 200


# --- stays elsewhere, priced there


def stay(code: str, patient: Made, **given: int) -> pb.SettleRequest:
    """A stay of 1000 yuan of which funds paid 640."""
    request = basket(code, patient, [("XA01", 10, 100)], visit_type=pb.VISIT_TYPE_INPATIENT)
    sums = {
        "total_fen": 100_000,
        "full_self_pay_fen": 5_000,
        "over_limit_fen": 1_000,
        "pre_self_pay_fen": 4_000,
        "in_scope_fen": 90_000,
        "deductible_fen": 10_000,
        "fund_ratio_bp": 8_000,
        "fund_pay_fen": 64_000,
        "personal_fen": 36_000,
    }
    request.given_breakdown.CopyFrom(pb.GivenBreakdown(**{**sums, **given}))
    return request


@pytest.mark.parametrize("role", ["pos", "platform"])
def test_a_stay_in_another_city_settles_by_the_breakdown_it_comes_with(
    driver: Driver, families: Families, database: Database, role: str
) -> None:
    families.item(LIAONING, "XA01")
    code = families.institution(SHENYANG, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(TIELING, balance_fen=12_000)
    families.bind(families.person(DALIAN, balance_fen=90_000), patient)
    subject = code if role == "pos" else SHENYANG
    request = stay(code, patient)
    settlement = driver.call(role, subject, "SettlementService", "Settle", request).settlement
    given, sums = request.given_breakdown, settlement.breakdown
    for field in given.DESCRIPTOR.fields:
        assert getattr(sums, field.name) == getattr(given, field.name)
    # 铁岭's accounts pay what is in policy: the personal share less what is out of scope (TIL-19).
    assert paid(settlement) == [("SELF", 12_000), ("DONOR", 18_000)]
    assert sums.cash_pay_fen == 6_000
    assert [one.rule for one in settlement.warnings] == [RATIO, CATALOGUE, FILING]
    assert books_of(database) == {
        (SHENYANG, "INSTITUTION_PAYABLE", code): 94_000,
        (TIELING, "FUND", "EMPLOYEE"): -64_000,
        (TIELING, "CLEARING", SHENYANG): 76_000,
        (SHENYANG, "CLEARING", TIELING): -76_000,
        (DALIAN, "CLEARING", SHENYANG): 18_000,
        (SHENYANG, "CLEARING", DALIAN): -18_000,
    }
    Books.read(database).check()


@pytest.mark.parametrize(
    ("given", "refusal", "field"),
    [
        ({"total_fen": 100_001}, errors.BreakdownMismatch, "total_fen"),
        ({"pre_self_pay_fen": 4_001}, errors.BreakdownMismatch, "in_scope_fen"),
        ({"personal_fen": 35_999}, errors.BreakdownMismatch, "personal_fen"),
        ({"deductible_fen": 90_001}, errors.BreakdownMismatch, "deductible_fen"),
        ({"over_limit_fen": -1}, errors.InvalidField, "over_limit_fen"),
        ({"fund_ratio_bp": 10_001}, errors.InvalidField, "fund_ratio_bp"),
    ],
)
def test_a_stay_whose_breakdown_does_not_hold_is_refused_by_the_field(
    driver: Driver,
    families: Families,
    database: Database,
    given: dict[str, int],
    refusal: type[errors.Refusal],
    field: str,
) -> None:
    families.item(LIAONING, "XA01")
    code = families.institution(SHENYANG, kind="HOSPITAL", level="TERTIARY")
    request = stay(code, families.person(TIELING, balance_fen=12_000), **given)
    for rpc, message in (("Settle", request), ("PreviewSettlement", asked(request))):
        with pytest.raises(refusal) as refused:
            driver.call("pos", code, "SettlementService", rpc, message)
        assert [one.field for one in refused.value.violations] == [f"given_breakdown.{field}"]
    assert books_of(database) == {}
