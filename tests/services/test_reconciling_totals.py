"""ReconcileTotals: the sums of a till's day on both sides."""

from datetime import date, timedelta
from typing import Any

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.driver import Driver
from tests.services.reconciling import AMOUNT_DIFFERS, SERVICE, totals
from tests.services.refunds import basket, cancel, family_of_three, refund
from tests.services.till import HOHHOT, ULANQAB, settle

TWENTY = [("XA01", 20, 10)]
ONE = [("XA01", 1, 10)]
DAY = date(2025, 5, 6)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_a_day_whose_sums_are_the_same_balances(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settle(driver, code, basket(code, patient, TWENTY))
    said: dict[str, Any] = {"settlements": 1, "total_fen": 20_000, "account_pay_fen": 13_000}
    answer = totals(driver, code, **said, mutual_aid_pay_fen=8_000, cash_pay_fen=7_000)
    assert answer.balanced
    assert not answer.differences
    assert totals(driver, code, **said).balanced


def test_refunds_and_cancellations_are_taken_off(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, TWENTY)).settlement
    refund(driver, settled, (1, "10"))  # 100 yuan: 70 in cash, 30 to the donor
    assert totals(driver, code).totals == pb.Totals(
        settlements=1,
        refunds=1,
        total_fen=10_000,
        account_pay_fen=10_000,
        mutual_aid_pay_fen=5_000,
        cash_pay_fen=0,
    )
    cancel(driver, code, settled.request_id)
    answer = totals(driver, code, settlements=1, refunds=2, mutual_aid_pay_fen=0, cash_pay_fen=0)
    assert answer.balanced


def test_what_differs_is_told_with_both_sides(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settle(driver, code, basket(code, patient, ONE))
    answer = totals(driver, code, settlements=2, total_fen=2_000, account_pay_fen=1_000)
    assert not answer.balanced
    [found] = answer.differences
    assert (found.kind, found.settlement_id, found.difference_id) == (AMOUNT_DIFFERS, "", "")
    assert (found.institution_code, found.region) == (code, ULANQAB)
    assert (found.there.total_fen, found.here.total_fen) == (2_000, 1_000)
    assert found.note == "结算笔数：机构2笔，本系统1笔；医疗费总额：机构20.00元，本系统10.00元"


def test_a_sum_that_is_said_is_compared_and_one_left_out_is_not(
    driver: Driver, families: Families
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settle(driver, code, basket(code, patient, TWENTY))
    said: dict[str, Any] = {"settlements": 1, "total_fen": 20_000, "account_pay_fen": 13_000}
    assert not totals(driver, code, **said, mutual_aid_pay_fen=0).balanced
    assert not totals(driver, code, **said, cash_pay_fen=0).balanced


def test_one_insurance_can_be_asked_for(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, ONE)).settlement
    refund(driver, settled)
    residents = totals(driver, code, insurance=types_pb2.INSURANCE_RESIDENT).totals
    employees = totals(driver, code, insurance=types_pb2.INSURANCE_EMPLOYEE).totals
    assert (residents.settlements, residents.refunds) == (0, 0)
    assert (employees.settlements, employees.refunds) == (1, 1)


def test_a_day_is_that_of_recording_in_asia_shanghai(database: Database) -> None:
    families = Families(database)
    patient, _, code = family_of_three(families, ULANQAB)
    before = Driver(database, on=DAY)
    before.office.clock_offset += timedelta(hours=11, minutes=58)
    after = Driver(database, on=DAY)
    after.office.clock_offset += timedelta(hours=12, minutes=2)
    request = basket(code, patient, TWENTY)
    request.occurred_at.FromDatetime(before.office.now())
    settled = settle(before, code, request).settlement
    refund(after, settled)
    next_day = DAY + timedelta(days=1)
    found = [totals(after, code, day).totals for day in (DAY, next_day)]
    assert [(one.settlements, one.refunds) for one in found] == [(1, 0), (0, 1)]
    assert [one.total_fen for one in found] == [20_000, -20_000]


def test_another_institutions_day_does_not_count(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    neighbour, far = families.institution(ULANQAB), families.institution(HOHHOT)
    for place in (neighbour, far):
        refund(driver, settle(driver, place, basket(place, patient, ONE)).settlement)
    assert totals(driver, code).balanced
    assert totals(driver, neighbour).totals.refunds == 1


def test_a_till_asks_for_its_own_institution_only(driver: Driver, families: Families) -> None:
    mine, others = families.institution(HOHHOT), families.institution(HOHHOT)
    for code in (others, "NO-SUCH"):
        request = pb.ReconcileTotalsRequest(
            institution_code=code, date=date_of(DAY), totals=pb.Totals()
        )
        with pytest.raises(errors.AccessDenied):
            driver.call("pos", mine, SERVICE, "ReconcileTotals", request)


def test_a_till_of_no_institution_is_told_so(driver: Driver) -> None:
    with pytest.raises(errors.InstitutionNotFound):
        totals(driver, "NO-SUCH")


def test_a_day_to_come_is_refused_and_todays_is_not(driver: Driver, families: Families) -> None:
    code = families.institution(HOHHOT)
    today = driver.office.today()
    assert totals(driver, code, today).balanced
    assert refused_for(driver, code, date=date_of(today + timedelta(days=1))) == ["date"]
    nowhere = date_of(today)
    assert nowhere is not None
    nowhere.month, nowhere.day = 2, 30
    assert refused_for(driver, code, date=nowhere) == ["date"]


def refused_for(driver: Driver, code: str, **fields: Any) -> list[str]:
    request = pb.ReconcileTotalsRequest(institution_code=code, totals=pb.Totals(), **fields)
    with pytest.raises(errors.InvalidField) as wrong:
        driver.call("pos", code, SERVICE, "ReconcileTotals", request)
    return [one.field for one in wrong.value.violations]
