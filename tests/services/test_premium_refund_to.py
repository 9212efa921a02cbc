"""Where a premium that is paid back goes: to the account that paid, or to suspense."""

from collections.abc import Iterator

import pytest

from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families
from tests.services.account_work import close, freeze, resolve
from tests.services.applications import HOHHOT
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premium_answers import confirmed, decide, refund, told_of
from tests.services.premiums import (
    BALANCE_FEN,
    DAY,
    STANDARD_FEN,
    change,
    driver_on,
    family,
    get,
    state_of,
)
from tests.services.refunds import books_of
from tests.services.rules import driver_with
from tests.services.test_suspense import items


@pytest.fixture
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Iterator[Driver]:
    office = driver_on(shared_database)
    yield office
    office.close()


def test_a_refund_to_a_bank_account_waits_in_suspense_until_the_agency_pays_it_out(
    database: Database,
) -> None:
    people = family(Families(database))
    driver = driver_with(database, HOHHOT, {"premium.refund_to": "BANK"}, DAY)
    payment_id = confirmed(driver, people)
    asked = refund(driver, people.donor, payment_id).payment
    assert (asked.refund.refund_to, asked.in_suspense) == (2, False)
    decided = decide(driver, payment_id).payment
    assert (state_of(decided), decided.in_suspense) == ("REFUNDED", True)
    assert money_of(database, people.donor.account_id)[0] == BALANCE_FEN - STANDARD_FEN
    account_id = str(people.donor.account_id)
    assert books_of(database) == {(HOHHOT, "SUSPENSE", account_id): STANDARD_FEN}
    assert [kind for kind, *_ in told_of(database, payment_id)] == ["DEBIT", "REFUND_IN_SUSPENSE"]
    (item,) = items(driver).items
    assert (item.source_id, item.amount_fen) == (payment_id, STANDARD_FEN)
    resolve(driver, item.suspense_id, payout_reference="ICBC-2025-0001")
    assert books_of(database) == {(HOHHOT, "PAYOUT", "ICBC-2025-0001"): STANDARD_FEN}
    Books.read(database).check()
    driver.close()


def test_a_frozen_account_takes_it_and_the_ended_binding_does_not_matter(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    change(families, "bindings", people.binding_id, state="ENDED", ended_on=DAY)
    freeze(driver, people.donor.account_id)
    refund(driver, people.donor, payment_id)
    decide(driver, payment_id)
    assert money_of(shared_database, people.donor.account_id)[0] == BALANCE_FEN


def test_a_closed_accounts_part_goes_to_suspense_and_the_donor_is_told(database: Database) -> None:
    driver, people = driver_on(database), family(Families(database), balance_fen=STANDARD_FEN)
    payment_id = confirmed(driver, people)
    close(driver, people.donor.account_id)
    refund(driver, people.donor, payment_id)
    decide(driver, payment_id)
    seen = get(driver, "citizen", people.donor, payment_id)
    assert (seen.refund.refund_to, seen.in_suspense) == (1, True)
    assert not get(driver, "citizen", people.child, payment_id).in_suspense
    account_id = str(people.donor.account_id)
    assert books_of(database) == {(HOHHOT, "SUSPENSE", account_id): STANDARD_FEN}
    assert [kind for kind, *_ in told_of(database, payment_id)] == ["DEBIT", "REFUND_IN_SUSPENSE"]
    Books.read(database).check()
    driver.close()
