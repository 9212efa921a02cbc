"""Ways round the risk rules that hold or refuse: a little of one's own, another region, a date."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.risks import buy, child_of, pair, purchase, resolve, rule, signals
from tests.services.rules import driver_with
from tests.services.till import HOHHOT, ULANQAB, settle

HOLD_THE_THIRD = {"risk.many_institutions": rule(3, "HOLD")}
DRAINED = {"risk.drained_donor": rule(3, "HOLD", within_days=7)}
OWN, NONE = pb.ACCOUNT_USE_OWN, pb.ACCOUNT_USE_NONE
DAY = timedelta(days=1)


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


def driver_of(database: Database, rules: Mapping[str, object]) -> Driver:
    return driver_with(database, HOHHOT, rules)


def places(families: Families, number: int) -> list[str]:
    return [families.institution(HOHHOT) for _ in range(number)]


# --- a little of one's own opens nothing


@pytest.mark.parametrize("account_use", [OWN, NONE])
def test_a_visit_that_no_relative_paid_makes_no_place_known(
    database: Database, families: Families, account_use: pb.AccountUse
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    with pytest.raises(errors.HeldForReview):
        buy(driver, third, child)
    buy(driver, third, child, 1, account_use=account_use)
    with pytest.raises(errors.HeldForReview):
        buy(driver, third, child)
    (signal,) = signals(database)
    resolve(driver, signal.signal_id)
    buy(driver, third, child)
    move(driver, timedelta(minutes=1))
    buy(driver, third, child)


def test_places_are_counted_whoever_paid_there(database: Database, families: Families) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    for code in (first, second, third):
        buy(driver, code, child, account_use=NONE)
    with pytest.raises(errors.HeldForReview):
        buy(driver, first, child)
    (signal,) = signals(database)
    assert signal.measured == 3
    assert [fact["institution_code"] for fact in signal.evidence] == [second, third, first]


def test_a_place_that_a_rule_that_denies_let_through_is_known(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(3, "DENY")})
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child, account_use=NONE)
    buy(driver, second, child)
    with pytest.raises(errors.RefusedByRiskRule):
        buy(driver, third, child, 1, account_use=NONE)
    buy(driver, first, child)
    buy(driver, second, child)


def test_a_beneficiary_whom_another_regions_rules_let_through_is_one_more_here(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, DRAINED)
    donor, first = pair(families)
    second, third = child_of(families, donor), child_of(families, donor)
    here, there = families.institution(HOHHOT), families.institution(ULANQAB)
    buy(driver, here, first)
    buy(driver, here, second)
    buy(driver, there, third, 1)
    with pytest.raises(errors.HeldForReview):
        buy(driver, here, third)
    buy(driver, here, first)


# --- a purchase that is dated back


def dated(driver: Driver, code: str, child: Made, ago: timedelta) -> pb.SettleRequest:
    """A purchase that happened before it is sent."""
    request = purchase(driver, code, child)
    request.occurred_at.FromDatetime(request.occurred_at.ToDatetime() - ago)
    return request


def test_a_purchase_that_is_dated_back_counts_on_the_day_it_is_recorded(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    with pytest.raises(errors.HeldForReview):
        settle(driver, third, dated(driver, third, child, DAY))
    (signal,) = signals(database)
    assert signal.measured == 3


def test_a_purchase_that_is_dated_back_counts_on_the_day_it_happened(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    move(driver, DAY)
    with pytest.raises(errors.HeldForReview):
        settle(driver, third, dated(driver, third, child, DAY))
    settle(driver, first, dated(driver, first, child, DAY))
    buy(driver, third, child)
