"""What a binding just made does at the till."""

from datetime import timedelta

import pytest

from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import (
    HOHHOT,
    TIELING,
    ULANQAB,
    application,
    create,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver
from tests.services.till import paid, request_of, settle

PAID_BY_DONOR = [("DONOR", 10_000)]


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.mark.parametrize(
    ("region", "legs"),
    [
        pytest.param(HOHHOT, PAID_BY_DONOR, marks=pytest.mark.requirement("HOH-14", "HOH-15")),
        pytest.param(ULANQAB, PAID_BY_DONOR, marks=pytest.mark.requirement("ULQ-20")),
        pytest.param(TIELING, [], marks=pytest.mark.requirement("TIL-17", "TIL-18")),
    ],
)
def test_the_money_can_be_used_at_once_unless_the_region_reviews_first(
    driver: Driver, families: Families, region: str, legs: list[tuple[str, int]]
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    create(driver, donor, application(driver, donor, child, region=region))
    pharmacy = families.institution(region)
    code = families.item(region, f"XA{region}")
    request = request_of(pharmacy, child)
    request.items[0].catalog_code = code
    assert paid(settle(driver, pharmacy, request).settlement) == legs


@pytest.mark.requirement("HOH-11")
def test_the_money_cannot_be_used_before_the_start_date(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    tomorrow = date_of(driver.office.today() + timedelta(days=1))
    request = application(driver, donor, child, region=HOHHOT, effective_from=tomorrow)
    create(driver, donor, request)
    pharmacy = families.institution(HOHHOT)
    purchase = request_of(pharmacy, child)
    purchase.items[0].catalog_code = families.item(HOHHOT, "XB01")
    assert paid(settle(driver, pharmacy, purchase).settlement) == []
