"""Refunds of premiums: who asks, for what, by whose word, and where the money goes."""

from collections.abc import Iterator
from datetime import date

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import GuardianKind
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.accounts import written
from tests.services.applications import CLERK, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premium_answers import (
    OFFICIAL,
    audited,
    confirm,
    confirmed,
    decide,
    messages_of,
    record,
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
from tests.services.rules import driver_with

PAID_TWICE = pb.PREMIUM_REFUND_CAUSE_PAID_TWICE
DIED = pb.PREMIUM_REFUND_CAUSE_DIED
IMPRISONED = pb.PREMIUM_REFUND_CAUSE_IMPRISONED


@pytest.fixture
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Iterator[Driver]:
    office = driver_on(shared_database)
    yield office
    office.close()


def ruled(database: Database, **premium: object) -> Driver:
    """The service where Hohhot has other values of its premium group."""
    return driver_with(
        database, HOHHOT, {f"premium.{name}": value for name, value in premium.items()}, DAY
    )


def balance(database: Database, people: Family) -> int:
    return money_of(database, people.donor.account_id)[0]


# asked for


@pytest.mark.requirement("PRE-06", "PRE-07")
def test_a_refund_waits_for_the_agency_and_the_year_still_counts(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    payment = refund(driver, people.donor, payment_id).payment
    assert state_of(payment) == "REFUND_REQUESTED"
    asked = payment.refund
    assert (asked.cause, asked.reason) == (pb.PREMIUM_REFUND_CAUSE_MOVED_AWAY, "已迁出")
    assert (asked.amount_fen, asked.refund_to) == (STANDARD_FEN, 1)
    assert asked.requested_by.subject == str(people.donor)
    assert not asked.HasField("decided_at")
    assert balance(shared_database, people) == BALANCE_FEN - STANDARD_FEN
    assert years_of(driver, people.child) == [(YEAR, DAY.isoformat())]
    assert messages_of(shared_database, payment_id) == ["COLLECT"]


@pytest.mark.requirement("RF-07", "PRE-07")
def test_an_approved_refund_goes_back_to_the_account_that_paid(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, people.donor, payment_id)
    payment = decide(driver, payment_id, reason="已核实").payment
    assert state_of(payment) == "REFUNDED"
    assert payment.refund.decision == pb.PREMIUM_REFUND_DECISION_APPROVE
    assert payment.refund.decision_reason == "已核实"
    assert payment.refund.decided_by.actor == OFFICIAL
    assert payment.refund.HasField("decided_at")
    assert payment.refund_journal_id
    assert not payment.HasField("benefit_from")
    assert written(shared_database, people.donor.account_id) == [
        (1, "PREMIUM", -STANDARD_FEN, BALANCE_FEN - STANDARD_FEN, None),
        (2, "PREMIUM_REFUND", STANDARD_FEN, BALANCE_FEN, None),
    ]
    assert years_of(driver, people.child) == []
    assert messages_of(shared_database, payment_id) == ["COLLECT", "REFUND"]
    assert [kind for kind, *_ in told_of(shared_database, payment_id)] == ["DEBIT", "REFUND"]


def test_a_rejected_refund_leaves_the_payment_confirmed(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, people.donor, payment_id)
    with pytest.raises(errors.InvalidField):
        decide(driver, payment_id, "REJECT", reason=" ")
    payment = decide(driver, payment_id, "REJECT", reason="未迁出").payment
    assert state_of(payment) == "CONFIRMED"
    seen = get(driver, "citizen", people.donor, payment_id).refund
    assert (seen.decision_reason, seen.HasField("decided_by")) == ("未迁出", False)
    assert balance(shared_database, people) == BALANCE_FEN - STANDARD_FEN
    again = refund(driver, people.donor, payment_id, cause=IMPRISONED).payment
    assert state_of(again) == "REFUND_REQUESTED"
    assert again.refund.decision == pb.PREMIUM_REFUND_DECISION_UNSPECIFIED


def test_the_trail_tells_who_asked_and_who_decided(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, HOHHOT, payment_id, role="counter")
    decide(driver, payment_id)
    assert audited(shared_database, payment_id)[2:] == [
        (HOHHOT, "RefundPremium", CLERK),
        (HOHHOT, "DecidePremiumRefund", OFFICIAL),
    ]


@pytest.mark.requirement("PRE-02")
def test_a_refunded_year_can_be_paid_again(driver: Driver, families: Families) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, people.donor, payment_id)
    with pytest.raises(errors.PremiumAlreadyPaid):
        pay(driver, people.donor, people.child)
    decide(driver, payment_id)
    assert state_of(pay(driver, people.donor, people.child).payment) == "SUBMITTED"


def test_the_same_requests_again_get_the_first_answers(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    asked = refund(driver, people.donor, payment_id, request_id="q-1")
    assert refund(driver, people.donor, payment_id, request_id="q-1").payment == asked.payment
    first = decide(driver, payment_id, request_id="d-1")
    again = decide(driver, payment_id, request_id="d-1")
    assert (again.replayed, again.payment) == (True, first.payment)
    assert balance(shared_database, people) == BALANCE_FEN


# at once


def test_where_no_approval_is_asked_for_what_the_registry_shows_goes_back_at_once(
    families: Families, shared_database: Database
) -> None:
    people, driver = family(families), ruled(shared_database, refund_approval=False)
    payment_id = confirmed(driver, people)
    record(driver, people.child)
    payment = refund(driver, people.donor, payment_id, cause=PAID_TWICE).payment
    assert state_of(payment) == "REFUNDED"
    assert payment.refund.decision == pb.PREMIUM_REFUND_DECISION_UNSPECIFIED
    assert payment.refund.HasField("decided_at")
    assert balance(shared_database, people) == BALANCE_FEN
    assert years_of(driver, people.child) == [(YEAR, DAY.isoformat())]
    assert messages_of(shared_database, payment_id) == ["COLLECT", "REFUND"]
    driver.close()


@pytest.mark.parametrize(
    ("died_on", "state"), [(None, "REFUND_REQUESTED"), (date(2025, 10, 14), "REFUNDED")]
)
def test_what_the_registry_does_not_show_is_left_to_the_agency(
    families: Families, shared_database: Database, died_on: date | None, state: str
) -> None:
    people, driver = family(families), ruled(shared_database, refund_approval=False)
    payment_id = confirmed(driver, people)
    change(families, "persons", people.child.person_id, died_on=died_on)
    payment = refund(driver, people.donor, payment_id, cause=DIED).payment
    assert state_of(payment) == state
    driver.close()


# refused


@pytest.mark.requirement("PRE-06")
def test_only_a_confirmed_payment_can_be_asked_back(driver: Driver, families: Families) -> None:
    people = family(families)
    payment_id = submitted(driver, people)
    with pytest.raises(errors.PremiumNotConfirmed) as waiting:
        refund(driver, people.donor, payment_id)
    assert "待税务确认" in waiting.value.message_zh
    reject(driver, payment_id)
    with pytest.raises(errors.PremiumNotConfirmed) as rejected:
        refund(driver, people.donor, payment_id)
    assert "已由税务部门退回" in rejected.value.message_zh


def test_what_was_asked_back_is_not_told_to_wait_for_the_tax_authority(
    driver: Driver, families: Families
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, people.donor, payment_id)
    with pytest.raises(errors.PremiumNotConfirmed) as asked:
        refund(driver, people.donor, payment_id)
    assert "退费待审批" in asked.value.message_zh
    decide(driver, payment_id)
    with pytest.raises(errors.PremiumNotConfirmed) as refunded:
        refund(driver, people.donor, payment_id)
    assert "已退费" in refunded.value.message_zh


def test_a_cause_that_the_region_does_not_name_is_refused(
    families: Families, shared_database: Database
) -> None:
    people, driver = family(families), ruled(shared_database, refund_causes=["DIED"])
    payment_id = confirmed(driver, people)
    with pytest.raises(errors.PremiumRefundCauseNotAllowed):
        refund(driver, people.donor, payment_id)
    driver.close()


@pytest.mark.requirement("PRE-06")
def test_once_benefits_have_begun_it_is_too_late(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    begun = driver_on(shared_database, date(YEAR, 1, 1))
    with pytest.raises(errors.PremiumRefundTooLate) as late:
        refund(begun, people.donor, payment_id)
    assert late.value.details == {"deadline": f"{YEAR - 1}-12-31"}
    last_day = driver_on(shared_database, date(YEAR - 1, 12, 31))
    refund(last_day, people.donor, payment_id)
    assert state_of(decide(begun, payment_id).payment) == "REFUNDED"  # asked for in time
    begun.close()
    last_day.close()


@pytest.mark.requirement("PRE-07")
def test_a_region_can_name_a_last_day_within_the_year(
    families: Families, shared_database: Database
) -> None:
    people = family(families)
    driver = ruled(shared_database, refund_until={"month": 6, "day": 30})
    payment_id = confirmed(driver, people)
    driver.office.clock_offset += date(YEAR, 6, 30) - DAY
    assert state_of(refund(driver, people.donor, payment_id).payment) == "REFUND_REQUESTED"
    driver.close()


def test_a_refund_that_nobody_asked_for_cannot_be_decided(
    driver: Driver, families: Families
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    with pytest.raises(errors.PremiumRefundNotRequested):
        decide(driver, payment_id)
    refund(driver, people.donor, payment_id)
    decide(driver, payment_id)
    with pytest.raises(errors.PremiumRefundNotRequested):
        decide(driver, payment_id)


# who


@pytest.mark.requirement("HOH-21")
def test_only_the_donors_side_asks(driver: Driver, families: Families) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    stranger = families.person(HOHHOT)
    for role, subject in [("citizen", people.child), ("citizen", stranger), ("counter", TIELING)]:
        with pytest.raises(errors.AccessDenied):
            refund(driver, subject, payment_id, role=role)


def test_a_guardian_asks_for_the_donor(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    guardian = families.person(HOHHOT)
    people = family(families)
    kept = [{"person_id": str(guardian), "kind": GuardianKind.REGISTERED.value}]
    change(families, "persons", people.donor.person_id, guardians=Jsonb(kept))
    payment_id = confirmed(driver, people)
    payment = refund(driver, guardian, payment_id).payment
    asked_by = payment.refund.requested_by
    assert (asked_by.subject, asked_by.actor) == (str(people.donor), str(guardian))
    assert audited(shared_database, payment_id)[-1] == (HOHHOT, "RefundPremium", str(guardian))


def test_nobody_asks_back_what_was_paid_elsewhere(driver: Driver, families: Families) -> None:
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    payment_id = record(driver, child).payment.payment_id
    for role, subject in [("citizen", str(child)), ("counter", HOHHOT)]:
        with pytest.raises(errors.AccessDenied):
            refund(driver, subject, payment_id, role=role)


def test_only_the_agency_of_the_insured_region_decides_and_never_who_asked(
    driver: Driver, families: Families
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    refund(driver, HOHHOT, payment_id, role="counter")
    with pytest.raises(errors.AccessDenied):
        decide(driver, payment_id, agency=TIELING)
    for spelled in (CLERK, CLERK.upper(), f"{CLERK} "):
        with pytest.raises(errors.SecondActorRequired):
            decide(driver, payment_id, actor=spelled)
    assert state_of(decide(driver, payment_id).payment) == "REFUNDED"


def test_the_region_that_decides_is_the_beneficiarys(driver: Driver, families: Families) -> None:
    donor = families.person(HOHHOT, balance_fen=BALANCE_FEN)
    child = families.person(ULANQAB, insurance=Insurance.RESIDENT)
    people = Family(donor, child, bind(families, donor, child))
    payment_id = submitted(driver, people)
    confirm(driver, payment_id, ULANQAB)
    refund(driver, HOHHOT, payment_id, role="counter")  # a clerk for the donor
    with pytest.raises(errors.AccessDenied):
        decide(driver, payment_id)
    assert state_of(decide(driver, payment_id, agency=ULANQAB).payment) == "REFUNDED"


# what counts afterwards


def test_a_second_payment_still_counts_when_the_first_goes_back(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    people = family(families)
    payment_id = confirmed(driver, people)
    elsewhere = record(driver, people.child).payment.payment_id
    refund(driver, people.donor, payment_id, cause=PAID_TWICE)
    assert row_of(shared_database, elsewhere)["paid_twice"]
    decide(driver, payment_id)
    assert not row_of(shared_database, payment_id)["paid_twice"]
    assert not row_of(shared_database, elsewhere)["paid_twice"]
    assert years_of(driver, people.child) == [(YEAR, DAY.isoformat())]
    with pytest.raises(errors.PremiumAlreadyPaid):
        pay(driver, people.donor, people.child)
