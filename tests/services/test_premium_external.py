"""Premiums paid by another channel: always recorded, and marked where a year is paid twice."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from gongji.v1 import registry_pb2, types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import HOHHOT, TIELING
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premium_answers import (
    OFFICIAL,
    VOUCHER,
    audited,
    call,
    confirm,
    confirmed,
    messages_of,
    person_at,
    record,
    recording,
    refund,
    reject,
    row_of,
    submitted,
    told_of,
    years_of,
)
from tests.services.premiums import (
    BALANCE_FEN,
    DAY,
    YEAR,
    change,
    driver_on,
    family,
    paid_years,
    pay,
    state_of,
)

PAID = [(YEAR, DAY.isoformat())]


@pytest.fixture
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Iterator[Driver]:
    office = driver_on(shared_database)
    yield office
    office.close()


@pytest.fixture
def child(families: Families) -> Made:
    return families.person(HOHHOT, insurance=Insurance.RESIDENT)


def named(child: Made, **fields: Any) -> dict[str, Any]:
    """The beneficiary by certificate and name."""
    kind = types_pb2.CERTIFICATE_TYPE_ID_CARD
    certificate = types_pb2.Certificate(type=kind, number=child.certificate_number)
    return {"certificate": certificate, "name": child.name, **fields}


# what is recorded


def test_what_was_paid_elsewhere_is_confirmed_as_it_is_told(
    driver: Driver, child: Made, shared_database: Database
) -> None:
    payment = record(driver, child).payment
    assert state_of(payment) == "CONFIRMED"
    assert (payment.standard_fen, payment.subsidy_fen, payment.payable_fen) == (40_000, 0, 40_000)
    assert (payment.external_channel, payment.tax_voucher_no) == ("银行代扣", "E-1")
    assert (payment.donor_id, payment.donor_name, payment.binding_id) == ("", "", "")
    assert payment.region == HOHHOT
    assert payment.benefit_from == date_of(date(YEAR, 1, 1))
    assert payment.submitted_by.role and payment.answered_at == payment.submitted_at
    assert not payment.paid_twice
    trail = audited(shared_database, payment.payment_id)
    assert trail == [(HOHHOT, "RecordExternalPremium", OFFICIAL)]


def test_a_year_paid_elsewhere_counts_as_paid(driver: Driver, child: Made) -> None:
    record(driver, child)
    assert years_of(driver, child) == PAID


def test_a_year_repaired_elsewhere_is_kept_as_repaired(driver: Driver, child: Made) -> None:
    record(driver, child, year=2024)
    (year,) = person_at(driver, child).premium_years
    assert year.kind == registry_pb2.PREMIUM_YEAR_KIND_REPAIRED


@pytest.mark.requirement("PRE-05")
def test_the_day_it_was_paid_decides_about_waiting(
    driver: Driver, families: Families, child: Made
) -> None:
    paid_years(families, child, 2023)
    late = record(driver, child, year=2025, paid_on=date_of(date(2025, 4, 10))).payment
    assert late.wait_months == 3
    assert late.benefit_from == date_of(date(2025, 7, 10))
    before = record(driver, child, year=2024, paid_on=date_of(date(2023, 10, 1))).payment
    assert (before.wait_months, before.benefit_from) == (0, date_of(date(2024, 1, 1)))


def test_an_insurance_without_a_window_here_is_recorded_without_waiting(
    driver: Driver, child: Made
) -> None:
    care = types_pb2.INSURANCE_LONG_TERM_CARE
    payment = record(driver, child, insurance=care).payment
    assert (payment.wait_months, payment.benefit_from) == (0, date_of(date(YEAR, 1, 1)))
    assert years_of(driver, child) == []


# who is meant, and who tells it


def test_the_beneficiary_can_be_named_by_certificate_and_name(driver: Driver, child: Made) -> None:
    payment = record(driver, **named(child)).payment
    assert payment.beneficiary_id == str(child)


@pytest.mark.parametrize("field", ["name", "certificate"])
def test_a_name_and_a_certificate_of_two_people_match_nobody(
    driver: Driver, families: Families, child: Made, field: str
) -> None:
    other = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    mixed = {**named(child), field: named(other)[field]}
    with pytest.raises(errors.PersonNotMatched):
        record(driver, **mixed)


def test_a_certificate_that_is_nobodys_matches_nobody(driver: Driver, child: Made) -> None:
    unknown = named(child)
    unknown["certificate"].number = "110101199001010000"
    with pytest.raises(errors.PersonNotMatched):
        record(driver, **unknown)


def test_a_certificate_needs_a_name_and_excludes_an_id(driver: Driver, child: Made) -> None:
    with pytest.raises(errors.InvalidField) as nameless:
        record(driver, **named(child, name=" "))
    assert [one.field for one in nameless.value.violations] == ["name"]
    with pytest.raises(errors.InvalidField):
        record(driver, child, **named(child))


def test_somebody_elsewhere_does_not_exist_for_a_tax_authority(
    driver: Driver, families: Families
) -> None:
    away = families.person(TIELING, insurance=Insurance.RESIDENT)
    with pytest.raises(errors.AccessDenied):
        record(driver, away)
    with pytest.raises(errors.PersonNotMatched):
        record(driver, **named(away))
    assert record(driver, away, TIELING).payment.region == TIELING


@pytest.mark.parametrize("role", ["agency", "counter", "citizen", "platform"])
def test_only_a_tax_authority_records(driver: Driver, child: Made, role: str) -> None:
    with pytest.raises(errors.AccessDenied):
        call(driver, role, HOHHOT, "RecordExternalPremium", recording(child))


def test_nobody_named_is_refused(driver: Driver) -> None:
    with pytest.raises(errors.AccessDenied):
        record(driver)


def test_a_day_that_has_not_come_is_refused(driver: Driver, child: Made) -> None:
    with pytest.raises(errors.InvalidField) as refused:
        record(driver, child, paid_on=date_of(date(2025, 10, 16)))
    assert [one.field for one in refused.value.violations] == ["paid_on"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"paid_on": date(YEAR - 2, 12, 31)}, "paid_on"),
        ({"paid_on": date(YEAR - 1, 1, 1)}, None),
        ({"year": DAY.year + 2}, "year"),
        ({"year": DAY.year + 1}, None),
    ],
)
def test_a_day_or_a_year_that_cannot_be_meant_is_named(
    driver: Driver, child: Made, fields: dict[str, Any], wrong: str | None
) -> None:
    told: dict[str, Any] = {
        name: date_of(value) if isinstance(value, date) else value for name, value in fields.items()
    }
    if wrong is None:
        assert state_of(record(driver, child, **told).payment) == "CONFIRMED"
        return
    with pytest.raises(errors.InvalidField) as refused:
        record(driver, child, **told)
    assert wrong in [one.field for one in refused.value.violations]
    assert all(one.message_zh for one in refused.value.violations)


def test_the_same_request_again_records_once(driver: Driver, child: Made) -> None:
    first = record(driver, child, request_id="e-1")
    again = record(driver, child, request_id="e-1")
    assert again.replayed
    assert again.payment == first.payment


# the same voucher is the same collection


def test_a_voucher_that_was_recorded_is_answered_as_it_stands(
    driver: Driver, child: Made, shared_database: Database
) -> None:
    first = record(driver, child).payment
    again = record(driver, child, external_channel="微信", amount_fen=1)
    assert (again.payment.payment_id, again.replayed) == (first.payment_id, False)
    assert (again.payment.payable_fen, again.payment.paid_twice) == (40_000, False)
    assert len(audited(shared_database, first.payment_id)) == 1


def test_the_voucher_of_a_payment_here_is_no_second_payment(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    told = record(driver, people.child, tax_voucher_no=VOUCHER).payment
    assert (told.payment_id, told.paid_twice) == (payment_id, False)
    assert "*" in told.donor_name
    assert not row_of(shared_database, payment_id)["paid_twice"]
    refund(driver, people.donor, payment_id)
    asked = record(driver, people.child, tax_voucher_no=VOUCHER).payment
    assert (asked.payment_id, state_of(asked)) == (payment_id, "REFUND_REQUESTED")


@pytest.mark.parametrize(
    "fields",
    [
        {"tax_voucher_no": "E-2"},
        {"year": YEAR - 1},
        {"insurance": types_pb2.INSURANCE_LONG_TERM_CARE},
    ],
)
def test_another_voucher_year_or_insurance_is_another_collection(
    driver: Driver, child: Made, fields: dict[str, Any]
) -> None:
    first = record(driver, child).payment
    assert record(driver, child, **fields).payment.payment_id != first.payment_id


def test_without_a_voucher_each_is_a_collection_of_its_own(driver: Driver, child: Made) -> None:
    ids = {record(driver, child, tax_voucher_no="").payment.payment_id for _ in range(2)}
    assert len(ids) == 2


def test_a_voucher_that_was_taken_back_can_be_recorded_anew(driver: Driver, child: Made) -> None:
    first = record(driver, child).payment
    reject(driver, first.payment_id)
    again = record(driver, child).payment
    assert (again.payment_id != first.payment_id, state_of(again)) == (True, "CONFIRMED")


# taken back


def test_what_was_recorded_by_mistake_is_taken_back_and_nobody_is_debited(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = record(driver, people.child).payment.payment_id
    payment = reject(driver, payment_id, reason="填报错误").payment
    assert (state_of(payment), payment.reject_reason) == ("REJECTED", "填报错误")
    assert (payment.refund_journal_id, payment.HasField("benefit_from")) == ("", False)
    assert years_of(driver, people.child) == []
    assert messages_of(shared_database, payment_id) == []
    assert told_of(shared_database, payment_id) == []
    trail = audited(shared_database, payment_id)
    assert trail[-1] == (HOHHOT, "RejectPremium", OFFICIAL)
    assert money_of(shared_database, people.donor.account_id)[0] == BALANCE_FEN
    assert state_of(pay(driver, people.donor, people.child).payment) == "SUBMITTED"


def test_taken_back_again_it_is_answered_as_it_stands(
    driver: Driver, child: Made, shared_database: Database
) -> None:
    payment_id = record(driver, child).payment.payment_id
    first = reject(driver, payment_id).payment
    assert reject(driver, payment_id).payment == first
    assert len(audited(shared_database, payment_id)) == 2
    with pytest.raises(errors.PremiumPaymentDecided):
        reject(driver, payment_id, reason="另一个原因")


def test_when_it_is_taken_back_the_other_payment_is_not_paid_twice(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    elsewhere = record(driver, people.child).payment
    assert elsewhere.paid_twice
    reject(driver, elsewhere.payment_id)
    for one in (payment_id, elsewhere.payment_id):
        assert not row_of(shared_database, one)["paid_twice"]
    assert years_of(driver, people.child) == PAID


def test_only_its_own_tax_authority_takes_it_back(driver: Driver, child: Made) -> None:
    payment_id = record(driver, child).payment.payment_id
    with pytest.raises(errors.AccessDenied):
        reject(driver, payment_id, TIELING)


# paid twice


def test_a_second_payment_elsewhere_marks_both(
    driver: Driver, child: Made, shared_database: Database
) -> None:
    first = record(driver, child).payment
    second = record(driver, child, tax_voucher_no="E-2").payment
    assert second.paid_twice
    assert row_of(shared_database, first.payment_id)["paid_twice"]
    assert len(audited(shared_database, first.payment_id)) == 2
    assert years_of(driver, child) == PAID


def test_another_year_is_no_second_payment(driver: Driver, child: Made) -> None:
    record(driver, child)
    assert not record(driver, child, year=YEAR - 1).payment.paid_twice


@pytest.mark.parametrize("answered", [False, True])
def test_a_payment_here_and_one_elsewhere_are_both_marked(
    driver: Driver, families: Families, shared_database: Database, answered: bool
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    if answered:
        confirm(driver, payment_id)
    assert record(driver, people.child).payment.paid_twice
    assert row_of(shared_database, payment_id)["paid_twice"]
    assert years_of(driver, people.child) == PAID


def test_when_the_payment_here_is_rejected_the_year_is_paid_once(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    elsewhere = record(driver, people.child).payment.payment_id
    reject(driver, payment_id)
    assert not row_of(shared_database, payment_id)["paid_twice"]
    assert not row_of(shared_database, elsewhere)["paid_twice"]
    assert years_of(driver, people.child) == PAID


@pytest.mark.requirement("PRE-02")
def test_a_year_paid_elsewhere_cannot_be_paid_here(driver: Driver, families: Families) -> None:
    people = family(families)
    record(driver, people.child)
    with pytest.raises(errors.PremiumAlreadyPaid):
        pay(driver, people.donor, people.child)


# what an agency states later


def test_a_statement_that_does_not_know_of_the_payment_keeps_the_year(
    driver: Driver, child: Made
) -> None:
    record(driver, child)
    person = person_at(driver, child)
    del person.premium_years[:]
    request = registry_pb2.PutPersonRequest(person=person)
    driver.call("agency", HOHHOT, "RegistryService", "PutPerson", request, actor=OFFICIAL)
    assert years_of(driver, child) == PAID


def test_who_is_not_registered_for_it_any_more_is_recorded_all_the_same(
    driver: Driver, families: Families, child: Made
) -> None:
    change(families, "persons", child.person_id, died_on=date(2025, 10, 1))
    assert state_of(record(driver, child).payment) == "CONFIRMED"
