"""PayPremium: who may pay for whom, and for whom no more."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from gongji_svc.domain import errors
from gongji_svc.domain.person import Period
from gongji_svc.domain.terms import Insurance, Relation, Use
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import LAPSED, LONG_AGO, Families
from tests.services.applications import ENDED_INSURANCE, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premiums import (
    BALANCE_FEN,
    DAY,
    STANDARD_FEN,
    YEAR,
    bind,
    change,
    driver_on,
    driver_with,
    family,
    paid_years,
    pay,
    paying,
    send,
)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


# --- who may


def test_whoever_is_not_the_donors_may_not_order(driver: Driver, families: Families) -> None:
    of = family(families)
    stranger = families.person(HOHHOT)
    for role, subject in (("citizen", stranger), ("citizen", of.child), ("counter", TIELING)):
        with pytest.raises(errors.AccessDenied):
            send(driver, role, subject, "PayPremium", paying(of.donor, of.child))
    with pytest.raises(errors.AccessDenied):
        pay(driver, new_id(HOHHOT), of.child)


@pytest.mark.requirement("HOH-20")
def test_a_stranger_and_nobody_are_one_answer(driver: Driver, families: Families) -> None:
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN)
    insured = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    far = families.person("440100", insurance=Insurance.RESIDENT)
    for somebody in (insured, far, donor, new_id(HOHHOT), uuid4()):
        for year in (YEAR, 2001):
            with pytest.raises(errors.PremiumBindingMissing):
                pay(driver, donor, somebody, year=year)


@pytest.mark.requirement("HOH-20")
@pytest.mark.parametrize(
    "fields",
    [
        {"state": "PENDING_REVIEW"},
        {"state": "SUSPENDED", "suspended_for": Jsonb(["DONOR_LAPSED"])},
        {"state": "ENDED", "ended_on": DAY - timedelta(days=1)},
        {"effective_from": DAY + timedelta(days=1)},
        {"effective_to": DAY - timedelta(days=1)},
        {"uses": Jsonb(["MEDICAL"])},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_only_an_active_binding_with_the_use_pays(
    driver: Driver, families: Families, fields: dict[str, Any]
) -> None:
    of = family(families)
    change(families, "bindings", of.binding_id, **fields)
    with pytest.raises(errors.PremiumBindingMissing):
        pay(driver, of.donor, of.child)


@pytest.mark.requirement("HOH-20")
@pytest.mark.parametrize("order", [{}, {"year": 2001}, {"year": YEAR + 1}, {"insurance": 3}])
def test_who_waits_for_review_learns_nothing_of_the_beneficiary(
    driver: Driver, families: Families, order: dict[str, int]
) -> None:
    of = family(families)
    change(families, "bindings", of.binding_id, state="PENDING_REVIEW", approved=False)
    paid_years(families, of.child, YEAR)
    with pytest.raises(errors.PremiumBindingMissing):
        pay(driver, of.donor, of.child, **order)


def test_of_two_bindings_the_one_that_can_pay_is_used(driver: Driver, families: Families) -> None:
    of = family(families, uses=[Use.MEDICAL])
    second = bind(families, of.donor, of.child, uses=[Use.PREMIUM])
    assert pay(driver, of.donor, of.child).payment.binding_id == str(second)


def test_a_relation_that_the_region_does_not_admit_is_refused(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    narrow = driver_with(shared_database, tmp_path, relations='["SPOUSE"]')
    of = family(families)
    with pytest.raises(errors.RelationNotAllowed):
        pay(narrow, of.donor, of.child)
    spouse = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, of.donor, spouse, relation=Relation.SPOUSE)
    assert pay(narrow, of.donor, spouse).payment.legs


def test_where_no_binding_is_asked_for_none_is_needed_but_never_for_oneself(
    shared_database: Database, tmp_path: Path, families: Families
) -> None:
    free = driver_with(shared_database, tmp_path, binding_required="false")
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    payment = pay(free, donor, child).payment
    assert (payment.binding_id, payment.payable_fen) == ("", STANDARD_FEN)
    with pytest.raises(errors.PremiumBindingMissing):
        pay(free, donor, donor)


@pytest.mark.parametrize(
    ("periods", "reason"), [(LAPSED, "DONOR_LAPSED"), (ENDED_INSURANCE, "DONOR_NOT_INSURED")]
)
def test_a_donor_who_is_not_insured_does_not_pay(
    driver: Driver, families: Families, periods: Any, reason: str
) -> None:
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN, periods=periods)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    with pytest.raises(errors.MutualAidNotUsable) as raised:
        pay(driver, donor, child)
    assert raised.value.details["reasons"] == reason


def test_a_lapsed_donor_of_a_region_that_keeps_the_right_pays(
    driver: Driver, families: Families
) -> None:
    donor = families.person(ULANQAB, balance_fen=BALANCE_FEN, periods=LAPSED)
    child = families.person(ULANQAB, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    assert pay(driver, donor, child).payment.legs


def test_a_dead_person_neither_pays_nor_is_paid_for(driver: Driver, families: Families) -> None:
    for who in ("donor", "child"):
        of = family(families)
        change(families, "persons", getattr(of, who).person_id, died_on=DAY)
        with pytest.raises(errors.MutualAidNotUsable) as raised:
            pay(driver, of.donor, of.child)
        assert "DECEASED" in raised.value.details["reasons"]


def test_another_province_is_outside_the_area(driver: Driver, families: Families) -> None:
    donor = families.person(TIELING, balance_fen=BALANCE_FEN)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    with pytest.raises(errors.MutualAidNotUsable) as raised:
        pay(driver, donor, child)
    assert raised.value.details["reasons"] == "BENEFICIARY_OUT_OF_AREA"


# --- the beneficiary's standing


@pytest.mark.parametrize(
    ("insurance", "periods"),
    [(Insurance.EMPLOYEE, (Period(LONG_AGO),)), (Insurance.RESIDENT, ENDED_INSURANCE)],
)
def test_who_is_not_registered_in_the_insurance_cannot_be_paid_for(
    driver: Driver, families: Families, insurance: Insurance, periods: Any
) -> None:
    of = family(families, insurance=insurance, periods=periods)
    with pytest.raises(errors.PremiumEnrolmentMissing):
        pay(driver, of.donor, of.child)


def test_who_lapsed_is_paid_for_also_under_a_binding_suspended_for_it(
    driver: Driver, families: Families
) -> None:
    of = family(families, periods=LAPSED)
    why = Jsonb(["BENEFICIARY_NOT_INSURED"])
    change(families, "bindings", of.binding_id, state="SUSPENDED", suspended_for=why)
    assert pay(driver, of.donor, of.child).payment.binding_id == str(of.binding_id)


def test_who_will_be_insured_from_the_new_year_is_paid_for(
    driver: Driver, families: Families
) -> None:
    of = family(families, periods=(Period(date(YEAR, 1, 1)),))
    assert pay(driver, of.donor, of.child).payment.legs


@pytest.mark.requirement("PRE-02")
def test_a_year_is_paid_once_whoever_pays(driver: Driver, families: Families) -> None:
    of = family(families)
    other = families.person(HOHHOT, balance_fen=BALANCE_FEN)
    bind(families, other, of.child)
    pay(driver, of.donor, of.child)
    for donor in (of.donor, other):
        with pytest.raises(errors.PremiumAlreadyPaid):
            pay(driver, donor, of.child)
    assert money_of(families.database, other.account_id)[0] == BALANCE_FEN


@pytest.mark.requirement("PRE-02")
@pytest.mark.parametrize(
    ("state", "again"),
    [("CONFIRMED", False), ("REFUND_REQUESTED", False), ("REJECTED", True), ("REFUNDED", True)],
)
def test_only_what_was_paid_back_can_be_paid_again(
    driver: Driver, families: Families, state: str, again: bool
) -> None:
    of = family(families)
    payment = pay(driver, of.donor, of.child).payment
    change(families, "premium_payments", UUID(payment.payment_id), state=state)
    if again:
        assert pay(driver, of.donor, of.child).payment.payment_id != payment.payment_id
        return
    with pytest.raises(errors.PremiumAlreadyPaid):
        pay(driver, of.donor, of.child)


def test_a_year_that_the_registry_knows_as_paid_is_not_paid_again(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    paid_years(families, of.child, YEAR)
    with pytest.raises(errors.PremiumAlreadyPaid):
        pay(driver, of.donor, of.child)
