"""PayPremium: what is debited, recorded and told."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from gongji.v1 import access_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import day_in
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families
from tests.services.applications import BAOTOU, CLERK, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premiums import (
    BALANCE_FEN,
    DAY,
    RESIDENT,
    STANDARD_FEN,
    YEAR,
    bind,
    driver_on,
    family,
    in_groups,
    pay,
    paying,
    rows_of,
    send,
    state_of,
)
from tests.services.refunds import books_of


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


@pytest.mark.requirement("HOH-19", "HOH-21", "HOH-23", "ULQ-08", "PRE-01")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB, TIELING])
def test_a_donors_order_alone_debits_the_account_and_hands_the_payment_over(
    driver: Driver, families: Families, region: str
) -> None:
    of = family(families, region)
    payment = pay(driver, of.donor, of.child).payment
    assert state_of(payment) == "SUBMITTED"
    assert (payment.year, payment.insurance, payment.region) == (YEAR, RESIDENT, region)
    assert (payment.donor_id, payment.beneficiary_id) == (str(of.donor), str(of.child))
    assert payment.binding_id == str(of.binding_id)
    assert (payment.standard_fen, payment.subsidy_fen, payment.payable_fen) == (40_000, 0, 40_000)
    [leg] = payment.legs
    assert (leg.account_id, leg.amount_fen) == (str(of.donor.account_id), STANDARD_FEN)
    assert money_of(families.database, of.donor.account_id)[0] == BALANCE_FEN - STANDARD_FEN
    assert day_in(payment, "paid_on") == DAY
    assert day_in(payment, "answer_due_on") == DAY + timedelta(days=3)
    assert day_in(payment, "benefit_from") == date(YEAR, 1, 1)
    by = payment.submitted_by
    assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_CITIZEN, str(of.donor), "")


@pytest.mark.requirement("PRE-03")
def test_debit_payment_outbox_notice_and_audit_are_one_decision(database: Database) -> None:
    families, driver = Families(database), driver_on(database)
    of = family(families)
    payment = pay(driver, of.donor, of.child, request_id="p-1").payment
    [row] = rows_of(database, "premium_payments")
    assert (str(row["id"]), row["request_id"]) == (payment.payment_id, "p-1")
    [message] = rows_of(database, "tax_messages")
    told = (message["payment_id"], message["kind"], message["insured_region"])
    assert told == (row["id"], "COLLECT", HOHHOT)
    [notice] = rows_of(database, "notices")
    assert (notice["person_id"], notice["kind"]) == (of.donor.person_id, "DEBIT")
    assert (notice["source_id"], notice["amount_fen"]) == (row["id"], STANDARD_FEN)
    [audited] = rows_of(database, "audit_records")
    assert (audited["region"], audited["actor"]) == (HOHHOT, str(of.donor))
    assert books_of(database) == {(HOHHOT, "PREMIUM_PAYABLE", "RESIDENT"): STANDARD_FEN}
    Books.read(database).check()


def test_a_refused_order_leaves_nothing_behind(database: Database) -> None:
    families, driver = Families(database), driver_on(database)
    of = family(families, balance_fen=STANDARD_FEN - 1)
    with pytest.raises(errors.InsufficientFunds):
        pay(driver, of.donor, of.child)
    for table in ("premium_payments", "tax_messages", "notices", "audit_records"):
        assert rows_of(database, table) == []


def test_money_that_crosses_regions_is_cleared_between_them(database: Database) -> None:
    families, driver = Families(database), driver_on(database)
    donor = families.person(ULANQAB, balance_fen=BALANCE_FEN)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    assert pay(driver, donor, child).payment.region == HOHHOT
    assert books_of(database) == {
        (HOHHOT, "PREMIUM_PAYABLE", "RESIDENT"): STANDARD_FEN,
        (HOHHOT, "CLEARING", ULANQAB): -STANDARD_FEN,
        (ULANQAB, "CLEARING", HOHHOT): STANDARD_FEN,
    }
    Books.read(database).check()


def test_the_same_request_again_gets_the_first_answer_and_pays_once(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    order = paying(of.donor, of.child)
    first = send(driver, "citizen", of.donor, "PayPremium", order)
    again = send(driver, "citizen", of.donor, "PayPremium", order)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.payment == first.payment
    assert money_of(families.database, of.donor.account_id)[0] == BALANCE_FEN - STANDARD_FEN


@pytest.mark.requirement("HOH-25", "HOH-26")
def test_finance_pays_the_rest_for_a_special_group_and_no_account_does(
    database: Database,
) -> None:
    families, driver = Families(database), driver_on(database)
    of = family(families)
    in_groups(families, of.child, "DESTITUTE")
    payment = pay(driver, of.donor, of.child).payment
    assert (payment.subsidy_fen, payment.payable_fen, payment.group) == (
        20_000,
        20_000,
        "DESTITUTE",
    )
    assert [leg.amount_fen for leg in payment.legs] == [20_000]
    assert books_of(database) == {(HOHHOT, "PREMIUM_PAYABLE", "RESIDENT"): 20_000}


def test_a_guardian_orders_for_a_donor_and_is_recorded(driver: Driver, families: Families) -> None:
    guardian = families.person(HOHHOT)
    acts = Guardian(guardian.person_id, GuardianKind.REGISTERED)
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN, guardians=[acts])
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    answer = send(driver, "citizen", guardian, "PayPremium", paying(donor, child))
    by = answer.payment.submitted_by
    assert (by.subject, by.actor) == (str(donor), str(guardian))


def test_a_clerk_of_the_donors_region_orders_at_the_counter(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    answer = send(driver, "counter", HOHHOT, "PayPremium", paying(of.donor, of.child))
    by = answer.payment.submitted_by
    assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_COUNTER, HOHHOT, CLERK)
    assert answer.payment.legs


def test_a_beneficiary_without_an_account_can_be_paid_for(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    assert of.child.account_id is None
    assert pay(driver, of.donor, of.child).payment.legs


def test_a_limit_for_the_relative_does_not_bind_a_premium(
    driver: Driver, families: Families
) -> None:
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child, limits=Caps(per_settlement_fen=1, per_year_fen=1))
    assert pay(driver, donor, child).payment.payable_fen == STANDARD_FEN


def test_a_region_with_its_provinces_rules_is_paid_as_itself(
    driver: Driver, families: Families
) -> None:
    of = family(families, BAOTOU)
    payment = pay(driver, of.donor, of.child).payment
    assert (payment.region, payment.policy.region) == (BAOTOU, "150000")


def test_the_donors_entry_names_the_payment_and_for_whom_it_was(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    payment = pay(driver, of.donor, of.child).payment
    with families.database.connect() as tx:
        row = tx.execute(
            "SELECT kind, amount_fen, source_id, beneficiary_id FROM entries WHERE account_id = %s",
            [of.donor.account_id],
        ).fetchone()
    assert row == ("PREMIUM", -STANDARD_FEN, UUID(payment.payment_id), of.child.person_id)
