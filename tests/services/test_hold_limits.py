"""How much CreateHold sets aside at most: limits, caps, and what of an account is whose."""

from collections.abc import Mapping

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.accounts import account_of
from tests.services.applications import relative_in
from tests.services.driver import Driver
from tests.services.holds import HOHHOT, counted, family, hold, holding, money_of
from tests.services.rules import driver_with, rules_with
from tests.services.till import paid, request_of, settle


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Caps(per_settlement_fen=600), "limits.per_settlement_fen"),
        (Caps(per_day_fen=600), "limits.per_day_fen"),
        (Caps(per_month_fen=600), "limits.per_month_fen"),
        (Caps(per_year_fen=600), "limits.per_year_fen"),
    ],
)
def test_a_hold_stays_within_the_donors_limits(
    driver: Driver, families: Families, pharmacy: str, limits: Caps, named: str
) -> None:
    donor, relative, _ = family(families, limits=limits)
    with pytest.raises(errors.LimitExceeded) as refused:
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 601))
    assert refused.value.details["limit"] == named
    assert hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 600))


def test_holds_and_purchases_count_against_the_same_limits(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    families.item("150000", "XA02")
    donor, relative, _ = family(families, limits=Caps(per_month_fen=1_000))
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 300))
    request = request_of(pharmacy, relative, 500, "l-1")
    request.items[0].catalog_code = "XA02"
    assert paid(settle(driver, pharmacy, request).settlement) == [("DONOR", 500)]
    with pytest.raises(errors.LimitExceeded):
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 201))
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 200))
    request.request_id = "l-2"
    assert paid(settle(driver, pharmacy, request).settlement) == []


def test_a_household_cap_counts_the_holds_for_all_relatives(
    shared_database: Database, families: Families, pharmacy: str
) -> None:
    driver = driver_with(shared_database, HOHHOT, {"caps.household": {"per_month_fen": 1_000}})
    donor, first, _ = family(families)
    second = relative_in(families, HOHHOT)
    families.bind(donor, second)
    hold(driver, "pos", pharmacy, holding(donor.account_id, first, 700))
    with pytest.raises(errors.LimitExceeded) as refused:
        hold(driver, "pos", pharmacy, holding(donor.account_id, second, 301))
    assert refused.value.details["limit"] == "household_caps.per_month_fen"
    assert "政策规定的家庭每月限额" in refused.value.message_zh
    hold(driver, "pos", pharmacy, holding(donor.account_id, second, 300))
    assert sum(counted(shared_database, donor).values()) == 1_000


def test_no_limit_counts_what_is_held_for_oneself(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, _, binding_id = family(families, limits=Caps(per_day_fen=1))
    hold(driver, "pos", pharmacy, holding(donor.account_id, donor, 500))
    assert counted(shared_database, binding_id) == counted(shared_database, donor) == {}


def test_no_more_is_held_than_is_free(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT)
    account_id = account_of(
        owner, families, HOHHOT, balance_fen=1_000, held_fen=300, frozen_quota_fen=200
    )
    with pytest.raises(errors.InsufficientFunds):
        hold(driver, "pos", pharmacy, holding(account_id, owner, 501))
    hold(driver, "pos", pharmacy, holding(account_id, owner, 500))
    assert money_of(shared_database, account_id) == (1_000, 800, 0)


@pytest.mark.parametrize(
    ("values", "free_fen"),
    [({"accounts.reserve_fen": 40_000}, 60_000), ({"accounts.threshold_fen": 100_001}, 0)],
)
def test_a_relative_gets_no_more_than_is_shareable(
    shared_database: Database,
    families: Families,
    pharmacy: str,
    values: Mapping[str, object],
    free_fen: int,
) -> None:
    driver = driver_with(shared_database, HOHHOT, values)
    donor, relative, _ = family(families)
    with pytest.raises(errors.InsufficientFunds):
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, free_fen + 1))
    if free_fen:
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, free_fen))
    hold(driver, "pos", pharmacy, holding(donor.account_id, donor, 100_000 - free_fen))


def test_an_account_gives_to_whom_its_kind_is_for(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    values = {"accounts.own_kinds": ["CURRENT_YEAR"], "accounts.donor_kinds": ["PAST_YEARS"]}
    driver.office.rulebook = rules_with(HOHHOT, values)
    donor, relative = families.person(HOHHOT), relative_in(families, HOHHOT)
    families.bind(donor, relative)
    kinds = ("CURRENT_YEAR", "PAST_YEARS")
    current, past = (
        account_of(donor, families, HOHHOT, kind=kind, balance_fen=900) for kind in kinds
    )
    for account_id, beneficiary in ((past, donor), (current, relative)):
        with pytest.raises(errors.InsufficientFunds):
            hold(driver, "pos", pharmacy, holding(account_id, beneficiary, 1))
    for account_id, beneficiary in ((current, donor), (past, relative)):
        hold(driver, "pos", pharmacy, holding(account_id, beneficiary, 900))
