"""OpenAccount: for whom, of what kind, and how often."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, parse_id, region_of
from tests.families import Families
from tests.services.accounts import (
    HOHHOT,
    PARTED,
    SERVICE,
    TIELING,
    ULANQAB,
    account_of,
    get_account,
    open_account,
    opening,
    rules,
)  # fmt: skip
from tests.services.driver import Driver

GENERAL = types_pb2.ACCOUNT_KIND_GENERAL
CURRENT, PAST = types_pb2.ACCOUNT_KIND_CURRENT_YEAR, types_pb2.ACCOUNT_KIND_PAST_YEARS


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def accounts_kept(database: Database) -> int:
    with database.connect() as tx:
        row = tx.execute("SELECT count(*) FROM accounts").fetchone()
    assert row is not None
    return int(str(row[0]))


@pytest.mark.parametrize("region", [HOHHOT, ULANQAB, TIELING])
def test_an_account_is_opened_empty_and_found_again(
    driver: Driver, families: Families, region: str
) -> None:
    owner = families.person(region)
    opened = open_account(driver, opening(owner, region)).account
    assert (opened.person_id, opened.region, opened.kind) == (str(owner), region, GENERAL)
    assert (opened.balance_fen, opened.seq) == (0, 0)
    assert opened.state == pb.ACCOUNT_STATE_OPEN
    assert get_account(driver, "agency", region, account_id=opened.account_id) == opened


def test_an_account_is_kept_in_its_owners_home_region(driver: Driver, families: Families) -> None:
    owner = families.person(ULANQAB, home=HOHHOT)
    opened = open_account(driver, opening(owner, ULANQAB)).account
    account_id = parse_id(opened.account_id)
    assert account_id is not None
    assert (region_of(account_id), opened.region) == (HOHHOT, ULANQAB)


@pytest.mark.requirement("ULQ-01")
def test_only_somebody_insured_there_as_an_employee_has_an_account(
    driver: Driver, families: Families
) -> None:
    resident = families.person(ULANQAB, insurance=Insurance.RESIDENT)
    with pytest.raises(errors.EnrolmentNotUsable):
        open_account(driver, opening(resident, ULANQAB))


def test_an_employee_of_another_region_has_no_account_in_the_home_region(
    driver: Driver, families: Families
) -> None:
    with pytest.raises(errors.EnrolmentNotUsable):
        open_account(driver, opening(families.person(ULANQAB, home=HOHHOT), HOHHOT))


def test_nobody_who_has_died_gets_an_account(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    with database.connect() as tx:
        tx.execute("UPDATE persons SET died_on = '2024-05-06' WHERE id = %s", [str(owner)])
    with pytest.raises(errors.PersonDeceased):
        open_account(driver, opening(owner))


def test_a_stranger_and_nobody_are_answered_alike(driver: Driver, families: Families) -> None:
    strangers = [families.person(ULANQAB), new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001"]
    for stranger in strangers:
        with pytest.raises(errors.AccessDenied):
            open_account(driver, opening(stranger, HOHHOT))


def test_an_agency_opens_accounts_in_its_own_region_only(
    driver: Driver, families: Families
) -> None:
    with pytest.raises(errors.AccessDenied):
        driver.call("agency", ULANQAB, SERVICE, "OpenAccount", opening(families.person(HOHHOT)))


@pytest.mark.parametrize("kind", [CURRENT, PAST])
def test_a_region_that_does_not_part_years_keeps_general_accounts_only(
    driver: Driver, families: Families, kind: types_pb2.AccountKind
) -> None:
    with pytest.raises(errors.AccountKindNotAllowed):
        open_account(driver, opening(families.person(HOHHOT), kind=kind))


def test_a_region_that_parts_years_keeps_one_account_of_either_kind(
    driver: Driver, families: Families
) -> None:
    driver.office.rulebook = rules(HOHHOT, PARTED)
    owner = families.person(HOHHOT)
    open_account(driver, opening(owner, kind=CURRENT, request_id="o-1"))
    open_account(driver, opening(owner, kind=PAST, request_id="o-2"))
    with pytest.raises(errors.AccountExists):
        open_account(driver, opening(owner, kind=PAST, request_id="o-3"))
    with pytest.raises(errors.AccountKindNotAllowed):
        open_account(driver, opening(owner, kind=GENERAL, request_id="o-4"))


def test_a_general_account_stands_alone(driver: Driver, families: Families) -> None:
    driver.office.rulebook = rules(HOHHOT, PARTED)
    owner = families.person(HOHHOT, balance_fen=0)
    with pytest.raises(errors.AccountExists):
        open_account(driver, opening(owner, kind=CURRENT))


@pytest.mark.parametrize("state", ["OPEN", "FROZEN"])
def test_a_second_account_of_a_kind_is_refused(
    driver: Driver, families: Families, state: str
) -> None:
    owner = families.person(HOHHOT)
    account_of(owner, families, HOHHOT, state=state)
    with pytest.raises(errors.AccountExists):
        open_account(driver, opening(owner))


def test_a_closed_account_makes_room_for_another(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    account_of(owner, families, HOHHOT, state="CLOSED")
    assert open_account(driver, opening(owner)).account.account_id


def test_a_repeat_gets_the_first_answer_and_opens_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    first = open_account(driver, opening(owner))
    again = open_account(driver, opening(owner))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.account == first.account
    assert accounts_kept(database) == 1


def test_the_same_request_for_somebody_else_names_the_field(
    driver: Driver, families: Families
) -> None:
    open_account(driver, opening(families.person(HOHHOT)))
    with pytest.raises(errors.RequestIdReused) as refused:
        open_account(driver, opening(families.person(HOHHOT)))
    assert [violation.field for violation in refused.value.violations] == ["person_id"]


def test_of_many_who_open_an_account_for_one_person_at_once_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)

    def attempt(number: int) -> str:
        try:
            open_account(driver, opening(owner, request_id=f"o-{number}"))
        except Refusal as refusal:
            return refusal.reason
        return "OPENED"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes == ["ACCOUNT_EXISTS"] * 7 + ["OPENED"]
    assert accounts_kept(database) == 1
