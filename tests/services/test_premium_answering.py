"""The tax authority's answers: a year that counts, or the money back at once."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from gongji.v1 import account_pb2, registry_pb2
from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families
from tests.services.account_work import close, freeze
from tests.services.accounts import written
from tests.services.applications import HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premium_answers import (
    OFFICIAL,
    REASON,
    VOUCHER,
    audited,
    call,
    confirm,
    confirmed,
    confirming,
    decide,
    messages_of,
    person_at,
    refund,
    reject,
    submitted,
    told_of,
    years_of,
)
from tests.services.premiums import (
    BALANCE_FEN,
    DAY,
    STANDARD_FEN,
    YEAR,
    Family,
    bind,
    change,
    driver_on,
    family,
    get,
    pay,
    state_of,
)
from tests.services.refunds import books_of
from tests.services.test_suspense import items

PAID = [(YEAR, DAY.isoformat())]


@pytest.fixture
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Iterator[Driver]:
    office = driver_on(shared_database)
    yield office
    office.close()


# confirmed


@pytest.mark.requirement("PRE-01", "HOH-30")
def test_a_confirmed_payment_has_its_voucher_and_lets_the_year_count(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    assert years_of(driver, people.child) == []
    payment = confirm(driver, payment_id).payment
    assert (state_of(payment), payment.tax_voucher_no) == ("CONFIRMED", VOUCHER)
    assert payment.HasField("answered_at")
    assert state_of(get(driver, "citizen", people.donor, payment_id)) == "CONFIRMED"
    assert years_of(driver, people.child) == PAID
    assert audited(shared_database, payment_id)[1:] == [(HOHHOT, "ConfirmPremium", OFFICIAL)]
    assert money_of(shared_database, people.donor.account_id)[0] == BALANCE_FEN - STANDARD_FEN


def test_the_tax_authority_reads_no_account_in_the_answer(
    driver: Driver, families: Families
) -> None:
    payment = confirm(driver, submitted(driver, family(families))).payment
    assert not payment.legs
    assert payment.submitted_by.actor == ""
    assert "*" in payment.donor_name


def test_the_same_request_again_gets_the_first_answer(driver: Driver, families: Families) -> None:
    payment_id = submitted(driver, family(families))
    first = confirm(driver, payment_id, request_id="t-1")
    again = confirm(driver, payment_id, request_id="t-1")
    assert again.replayed
    assert again.payment == first.payment


def test_a_bureau_that_confirms_twice_is_answered_with_the_payment_as_it_stands(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    before = audited(shared_database, payment_id)
    again = confirm(driver, payment_id)
    assert (state_of(again.payment), again.replayed) == ("CONFIRMED", False)
    refund(driver, people.donor, payment_id)
    assert state_of(confirm(driver, payment_id).payment) == "REFUND_REQUESTED"
    decide(driver, payment_id)
    assert state_of(confirm(driver, payment_id).payment) == "REFUNDED"
    assert audited(shared_database, payment_id)[: len(before)] == before
    assert years_of(driver, people.child) == []


def test_another_voucher_is_another_answer(driver: Driver, families: Families) -> None:
    payment_id = confirmed(driver, family(families))
    with pytest.raises(errors.PremiumPaymentDecided):
        confirm(driver, payment_id, tax_voucher_no="T-2")
    with pytest.raises(errors.PremiumPaymentDecided):
        reject(driver, payment_id)


def test_a_refused_answer_names_the_one_that_holds(driver: Driver, families: Families) -> None:
    payment_id = confirmed(driver, family(families))
    with pytest.raises(errors.PremiumPaymentDecided) as refused:
        reject(driver, payment_id)
    assert "缴费成功" in refused.value.message_zh
    assert "申请退费" in refused.value.message_zh


def test_a_confirmation_without_a_voucher_is_none(driver: Driver, families: Families) -> None:
    payment_id = submitted(driver, family(families))
    with pytest.raises(errors.InvalidField) as refused:
        confirm(driver, payment_id, tax_voucher_no="")
    assert [one.field for one in refused.value.violations] == ["tax_voucher_no"]


def test_both_entries_name_the_regions_tax_bureau(driver: Driver, families: Families) -> None:
    people = family(families)
    reject(driver, submitted(driver, people))
    request = account_pb2.ListEntriesRequest(account_id=str(people.donor.account_id))
    found = driver.call("citizen", people.donor, "AccountService", "ListEntries", request)
    assert [one.counterparty for one in found.entries] == ["呼和浩特市税务局"] * 2


def test_a_statement_after_it_does_not_lose_the_year(driver: Driver, families: Families) -> None:
    people = family(families)
    confirmed(driver, people)
    person = person_at(driver, people.child)
    for years in (list(person.premium_years), []):
        del person.premium_years[:]
        person.premium_years.extend(years)
        request = registry_pb2.PutPersonRequest(person=person)
        driver.call("agency", HOHHOT, "RegistryService", "PutPerson", request, actor=OFFICIAL)
        assert years_of(driver, people.child) == PAID


def test_a_year_counts_after_the_binding_has_ended(driver: Driver, families: Families) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    change(families, "bindings", people.binding_id, state="ENDED", ended_on=DAY)
    confirm(driver, payment_id)
    assert years_of(driver, people.child) == PAID


# rejected


@pytest.mark.requirement("PRE-01")
def test_a_rejected_payment_goes_back_to_the_donor_at_once(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    payment = reject(driver, payment_id).payment
    assert (state_of(payment), payment.reject_reason) == ("REJECTED", REASON)
    assert payment.refund_journal_id
    assert not payment.in_suspense
    assert not payment.HasField("benefit_from")
    assert written(shared_database, people.donor.account_id) == [
        (1, "PREMIUM", -STANDARD_FEN, BALANCE_FEN - STANDARD_FEN, None),
        (2, "PREMIUM_REFUND", STANDARD_FEN, BALANCE_FEN, None),
    ]


def test_both_people_read_why_it_was_rejected(driver: Driver, families: Families) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    reject(driver, payment_id)
    for reader in (people.donor, people.child):
        assert get(driver, "citizen", reader, payment_id).reject_reason == REASON


def test_the_tax_authority_is_told_of_no_refund_of_what_it_rejected(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    payment_id = submitted(driver, family(families))
    reject(driver, payment_id)
    assert messages_of(shared_database, payment_id) == ["COLLECT"]


def test_the_donor_is_told_that_the_money_came_back(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    reject(driver, payment_id)
    assert told_of(shared_database, payment_id) == [
        ("DEBIT", str(people.donor), STANDARD_FEN),
        ("REFUND", str(people.donor), STANDARD_FEN),
    ]


@pytest.mark.requirement("PRE-02")
def test_a_rejected_year_can_be_paid_again(driver: Driver, families: Families) -> None:
    people = family(families)
    reject(driver, submitted(driver, people))
    again = pay(driver, people.donor, people.child).payment
    assert state_of(again) == "SUBMITTED"


def test_a_bureau_that_rejects_twice_gives_back_once(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    first = reject(driver, payment_id).payment
    again = reject(driver, payment_id)
    assert (again.payment, again.replayed) == (first, False)
    assert money_of(shared_database, people.donor.account_id)[0] == BALANCE_FEN
    with pytest.raises(errors.PremiumPaymentDecided):
        reject(driver, payment_id, reason="另一个原因")
    with pytest.raises(errors.PremiumPaymentDecided):
        confirm(driver, payment_id)


def test_a_frozen_account_takes_what_was_rejected(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    freeze(driver, people.donor.account_id)
    reject(driver, payment_id)
    assert money_of(shared_database, people.donor.account_id)[0] == BALANCE_FEN


def test_what_a_closed_account_had_paid_waits_in_suspense(database: Database) -> None:
    driver, people = driver_on(database), family(Families(database), balance_fen=STANDARD_FEN)
    payment_id = submitted(driver, people)
    close(driver, people.donor.account_id)
    reject(driver, payment_id)
    (item,) = items(driver).items
    assert (item.account_id, item.amount_fen) == (str(people.donor.account_id), STANDARD_FEN)
    assert item.source_id == payment_id
    assert get(driver, "citizen", people.donor, payment_id).in_suspense
    assert not get(driver, "citizen", people.child, payment_id).in_suspense
    assert [kind for kind, *_ in told_of(database, payment_id)] == ["DEBIT", "REFUND_IN_SUSPENSE"]
    assert books_of(database) == {(HOHHOT, "SUSPENSE", item.account_id): STANDARD_FEN}
    Books.read(database).check()
    driver.close()


def test_money_from_other_books_goes_back_over_the_same_way(database: Database) -> None:
    driver, families = driver_on(database), Families(database)
    donor = families.person(ULANQAB, balance_fen=BALANCE_FEN)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    payment_id = submitted(driver, Family(donor, child, bind(families, donor, child)))
    assert books_of(database) == {
        (HOHHOT, "CLEARING", ULANQAB): -STANDARD_FEN,
        (HOHHOT, "PREMIUM_PAYABLE", "RESIDENT"): STANDARD_FEN,
        (ULANQAB, "CLEARING", HOHHOT): STANDARD_FEN,
    }
    reject(driver, payment_id)
    assert books_of(database) == {}
    assert money_of(database, donor.account_id)[0] == BALANCE_FEN
    Books.read(database).check()
    driver.close()


# who answers


@pytest.mark.parametrize("rpc", ["ConfirmPremium", "RejectPremium"])
def test_only_the_tax_authority_of_the_insured_region_answers(
    driver: Driver, families: Families, rpc: str
) -> None:
    payment_id = submitted(driver, family(families))
    for role, subject in [("tax", TIELING), ("agency", HOHHOT), ("counter", HOHHOT)]:
        with pytest.raises(errors.AccessDenied):
            call(driver, role, subject, rpc, _answer(rpc, payment_id))


@pytest.mark.parametrize("rpc", ["ConfirmPremium", "RejectPremium"])
def test_a_payment_that_is_none_is_answered_like_anothers(
    driver: Driver, families: Families, rpc: str
) -> None:
    for unknown in ("7f2f7a8e-0000-4000-8000-000000000000", str(family(families).binding_id)):
        with pytest.raises(errors.AccessDenied):
            call(driver, "tax", HOHHOT, rpc, _answer(rpc, unknown))


def _answer(rpc: str, payment_id: str) -> Any:
    if rpc == "ConfirmPremium":
        return confirming(payment_id)
    return pb.RejectPremiumRequest(request_id="r-1", payment_id=payment_id, reason=REASON)


# what a late year brings


@pytest.mark.requirement("PRE-04")
def test_an_answer_after_the_window_does_not_make_a_payment_late(
    shared_database: Database, families: Families
) -> None:
    people = family(families)
    payment_id = submitted(driver_on(shared_database, date(2026, 2, 28)), people)
    payment = confirm(driver_on(shared_database, date(2026, 3, 9)), payment_id).payment
    assert payment.benefit_from == date_of(date(YEAR, 1, 1))
    assert years_of(driver_on(shared_database), people.child) == [(YEAR, "2026-02-28")]
