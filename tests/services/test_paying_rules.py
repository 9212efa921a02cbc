"""PayPremium: offer, window, price, waiting and money, as the region has them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.person import PremiumYear, PremiumYearKind
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import day_in
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premiums import (
    BALANCE_FEN,
    STANDARD_FEN,
    also_insured,
    bind,
    change,
    driver_on,
    driver_with,
    family,
    in_groups,
    paid_years,
    pay,
)
from tests.services.test_usability import told

OCTOBERS_END = date(2025, 10, 31)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


# --- offer, window, price


@pytest.mark.requirement("HOH-24", "PRE-04")
@pytest.mark.parametrize(
    ("year", "day", "is_open"),
    [
        (2025, date(2024, 8, 31), False),
        (2025, date(2024, 9, 1), True),
        (2025, date(2025, 2, 28), True),
        (2025, date(2025, 3, 1), False),
        (2026, date(2025, 8, 31), False),
        (2026, date(2025, 9, 1), True),
    ],
)
def test_hohhot_takes_a_year_from_the_september_before_to_february(
    shared_database: Database, families: Families, year: int, day: date, is_open: bool
) -> None:
    driver, of = driver_on(shared_database, day), family(families, HOHHOT)
    if is_open:
        assert day_in(pay(driver, of.donor, of.child, year=year).payment, "paid_on") == day
        return
    with pytest.raises(errors.PremiumWindowClosed) as raised:
        pay(driver, of.donor, of.child, year=year)
    assert raised.value.details["window_from"] == f"{year - 1}-09-01"


@pytest.mark.requirement("HOH-24")
def test_a_region_without_rules_yet_collects_by_its_provinces(
    shared_database: Database, families: Families
) -> None:
    october = date(2024, 10, 15)
    driver, donor = driver_on(shared_database, october), families.person(HOHHOT, balance_fen=50_000)
    child = families.person(ULANQAB, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    assert told(driver, donor, child, types_pb2.USE_PREMIUM).usable
    payment = pay(driver, donor, child, year=2025).payment
    assert (day_in(payment, "paid_on"), payment.payable_fen) == (october, 40_000)
    with pytest.raises(errors.PremiumWindowClosed):
        pay(driver_on(shared_database, date(2024, 8, 31)), donor, child, year=2025)


@pytest.mark.requirement("HOH-27")
def test_in_maintenance_nothing_is_debited_and_the_other_ways_are_named(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    closed = driver_with(
        shared_database, tmp_path, maintenance="{ from = 2025-10-14, to = 2025-10-16 }"
    )
    of = family(families)
    with pytest.raises(errors.PremiumInMaintenance) as raised:
        pay(closed, of.donor, of.child)
    assert raised.value.details["until"] == "2025-10-16"
    for channel in ("内蒙古税务社保缴费", "蒙速办", "支付宝"):
        assert channel in raised.value.details["channels"]
    assert money_of(families.database, of.donor.account_id)[0] == BALANCE_FEN


def test_an_insurance_without_a_standard_is_not_offered(driver: Driver, families: Families) -> None:
    of = family(families)
    with pytest.raises(errors.PremiumNotOffered):
        pay(driver, of.donor, of.child, insurance=types_pb2.INSURANCE_LONG_TERM_CARE)


@pytest.mark.requirement("PRE-08")
def test_where_premiums_are_handed_over_in_batches_the_month_end_is_awaited(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    batching = driver_with(shared_database, tmp_path, hand_over='"MONTH_END"')
    of = family(families)
    payment = pay(batching, of.donor, of.child).payment
    assert (day_in(payment, "paid_on"), day_in(payment, "answer_due_on")) == (
        date(2025, 10, 15),
        date(2025, 11, 3),
    )
    query = "SELECT due_at FROM tax_messages WHERE payment_id = %s"
    with families.database.connect() as tx:
        assert tx.execute(query, [payment.payment_id]).fetchall() == [(start_of(OCTOBERS_END),)]


@pytest.mark.requirement("NAT-03")
def test_a_region_may_have_long_term_care_premiums_paid_too(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    offering = driver_with(
        shared_database,
        tmp_path,
        insurances='["RESIDENT", "LONG_TERM_CARE"]',
        standards_fen="{ RESIDENT = { 2026 = 40000 }, LONG_TERM_CARE = { 2026 = 3000 } }",
    )
    of = family(families)
    care = types_pb2.INSURANCE_LONG_TERM_CARE
    also_insured(families, of.child, Insurance.LONG_TERM_CARE)
    assert pay(offering, of.donor, of.child, insurance=care).payment.payable_fen == 3_000
    assert pay(offering, of.donor, of.child).payment.payable_fen == STANDARD_FEN
    assert money_of(families.database, of.donor.account_id)[0] == BALANCE_FEN - 43_000


def test_who_is_wholly_subsidised_has_nothing_to_pay(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    free = driver_with(shared_database, tmp_path, groups="{ ORPHAN = { payable_fen = 0 } }")
    of = family(families)
    in_groups(families, of.child, "ORPHAN")
    with pytest.raises(errors.PremiumNothingToPay):
        pay(free, of.donor, of.child)


def test_another_price_than_the_one_seen_is_refused_and_told(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    with pytest.raises(errors.PremiumOutdated) as raised:
        pay(driver, of.donor, of.child, expected_payable_fen=38_000)
    assert raised.value.reason == "PREVIEW_OUTDATED"
    assert raised.value.details == {"payable_fen": "40000", "payable_yuan": "400.00"}
    assert pay(driver, of.donor, of.child, expected_payable_fen=STANDARD_FEN).payment.legs


@pytest.mark.requirement("PRE-05")
@pytest.mark.parametrize(
    ("years", "months", "begins"),
    [
        ([2025], 0, date(2026, 1, 1)),
        ([], 0, date(2026, 1, 1)),
        ([2024], 3, date(2026, 4, 1)),
        ([2022], 5, date(2026, 6, 1)),
        (
            [2022, PremiumYear(2024, date(2025, 9, 1), PremiumYearKind.REPAIRED)],
            4,
            date(2026, 5, 1),
        ),
        ([2021], 6, date(2026, 7, 1)),
    ],
)
def test_missed_years_make_benefits_wait(
    driver: Driver, families: Families, years: Any, months: int, begins: date
) -> None:
    of = family(families)
    paid_years(families, of.child, *years)
    payment = pay(driver, of.donor, of.child).payment
    assert (payment.wait_months, day_in(payment, "benefit_from")) == (months, begins)


def test_a_late_payment_costs_the_late_amount_and_waits_from_its_day(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    late = driver_with(
        shared_database, tmp_path, date(2026, 4, 10), late_payable_fen="{ 2026 = 107000 }"
    )
    of = family(families, balance_fen=200_000)
    payment = pay(late, of.donor, of.child).payment
    assert (payment.payable_fen, payment.wait_months) == (107_000, 3)
    assert day_in(payment, "benefit_from") == date(2026, 7, 10)


# --- the money


@pytest.mark.requirement("HOH-22")
def test_hohhot_asks_for_an_empty_own_account_and_tieling_does_not(
    driver: Driver, families: Families
) -> None:
    of = family(families, HOHHOT, balance_fen=BALANCE_FEN)
    families.account(HOHHOT, 1, person_id=of.child.person_id)
    with pytest.raises(errors.OwnBalanceNotZero):
        pay(driver, of.donor, of.child)
    there = family(families, TIELING)
    families.account(TIELING, 1, person_id=there.child.person_id)
    assert pay(driver, there.donor, there.child).payment.legs


@pytest.mark.requirement("PRE-03")
def test_what_is_held_or_frozen_as_quota_cannot_pay_and_a_premium_is_never_split(
    driver: Driver, families: Families
) -> None:
    of = family(families, balance_fen=STANDARD_FEN)
    change(families, "accounts", of.donor.account_id, frozen_quota_fen=1)
    with pytest.raises(errors.InsufficientFunds):
        pay(driver, of.donor, of.child)
    change(families, "accounts", of.donor.account_id, frozen_quota_fen=0)
    assert pay(driver, of.donor, of.child).payment.legs
    assert money_of(families.database, of.donor.account_id)[0] == 0


@pytest.mark.parametrize(("state", "why"), [("FROZEN", "ACCOUNT_FROZEN"), ("CLOSED", "NO_ACCOUNT")])
def test_an_account_that_pays_nothing_is_named_as_the_reason(
    driver: Driver, families: Families, state: str, why: str
) -> None:
    of = family(families)
    change(families, "accounts", of.donor.account_id, state=state)
    with pytest.raises(errors.MutualAidNotUsable) as raised:
        pay(driver, of.donor, of.child)
    assert raised.value.details["reasons"] == why
