"""`gongji load accounts`: opened and credited as by calls; every bad row of an owner is told."""

from datetime import date

import pytest

from gongji.v1 import account_pb2
from gongji_svc.storage.database import Database
from tests.commands.test_load import HOHHOT, ULANQAB, held, loaded, rows
from tests.families import Families
from tests.services.driver import Driver


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 3, 1))


def test_accounts_are_opened_and_credited_as_by_calls(driver: Driver, database: Database) -> None:
    families = Families(database)
    one, other = families.person(HOHHOT), families.person(HOHHOT)
    lines = [
        "certificate_number,region,kind,balance_fen",
        f"{one.certificate_number},,,12345",
        f"{other.certificate_number},{HOHHOT},GENERAL,0",
    ]
    report, faults = loaded(driver, "accounts", lines)
    assert (report.items, faults) == (2, [])
    request = account_pb2.ListAccountsRequest(person_id=str(one))
    answer = driver.call("citizen", one, "AccountService", "ListAccounts", request)
    assert [(a.balance_fen, a.seq, a.region) for a in answer.accounts] == [(12345, 1, HOHHOT)]
    assert rows(database, "SELECT amount_fen, balance_after_fen, kind FROM entries") == [
        (12345, 12345, "OTHER")
    ]
    assert rows(database, "SELECT side, amount_fen FROM ledger_lines") == [("CONTRIBUTION", -12345)]


def test_an_account_that_may_not_be_opened_is_told(driver: Driver, database: Database) -> None:
    families = Families(database)
    has_one = families.person(HOHHOT, balance_fen=0)
    fresh = families.person(HOHHOT)
    lines = [
        "certificate_number,kind,balance_fen,region",
        f"{has_one.certificate_number},,,",
        "150199198001019990,,,",
        f"{fresh.certificate_number},CURRENT_YEAR,,",
        f"{fresh.certificate_number},,-5,",
        f"{fresh.certificate_number},,,{ULANQAB}",
    ]
    for line, field in ((1, "kind"), (2, "certificate_number"), (3, "kind"), (5, "region")):
        assert loaded(driver, "accounts", [lines[0], lines[line]])[1] == [(2, field)]
    assert loaded(driver, "accounts", [lines[0], lines[4]])[1] == [(2, "balance_fen")]
    assert "entries" not in held(database)


def test_every_bad_row_of_one_owner_is_told(driver: Driver) -> None:
    lines = ["certificate_number,balance_fen", *(f"1501,{fen}" for fen in ("-5", "1.5", "7", "９"))]
    assert loaded(driver, "accounts", lines)[1] == [
        (2, "balance_fen"),
        (3, "balance_fen"),
        (5, "balance_fen"),
    ]
