"""GetPremiumPayment and ListPremiumPayments: to each reader what is theirs, page by page."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.applications import CLERK, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.premiums import (
    DAY,
    YEAR,
    Family,
    bind,
    change,
    driver_on,
    family,
    get,
    pay,
    paying,
    send,
    state_of,
)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return driver_on(database)


def listed(driver: Driver, role: str, subject: object, **fields: Any) -> list[str]:
    """The ids of the first page."""
    return [one.payment_id for one in page(driver, role, subject, **fields).payments]


def page(
    driver: Driver, role: str, subject: object, **fields: Any
) -> pb.ListPremiumPaymentsResponse:
    ids = ("donor_id", "beneficiary_id")
    named: dict[str, Any] = {
        name: str(value) if name in ids else value for name, value in fields.items()
    }
    request = pb.ListPremiumPaymentsRequest(**named)
    answer = send(driver, role, subject, "ListPremiumPayments", request)
    assert isinstance(answer, pb.ListPremiumPaymentsResponse)
    return answer


def paid(driver: Driver, of: Family, **fields: Any) -> str:
    """The id of a payment of the family."""
    return pay(driver, of.donor, of.child, **fields).payment.payment_id


# --- what each reader sees


@pytest.mark.requirement("HOH-28", "HOH-29")
def test_the_donor_sees_the_debit_and_the_beneficiary_the_record(
    driver: Driver, families: Families
) -> None:
    of = family(families, name="王小明")
    payment = pay(driver, of.donor, of.child, request_id="mine").payment
    donors = get(driver, "citizen", of.donor, payment.payment_id)
    assert donors == payment
    assert (donors.request_id, donors.beneficiary_name) == ("mine", "王**")
    childs = get(driver, "citizen", of.child, payment.payment_id)
    assert (childs.request_id, list(childs.legs)) == ("", [])
    assert str(of.donor.account_id) not in str(childs)
    for name in ("state", "payable_fen", "submitted_at", "paid_on", "benefit_from", "donor_name"):
        assert getattr(childs, name) == getattr(payment, name)


def test_staff_see_the_debit_but_not_who_asked_by_which_number(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    payment_id = paid(driver, of, request_id="mine")
    for role in ("counter", "agency"):
        seen = get(driver, role, HOHHOT, payment_id)
        assert (seen.request_id, len(seen.legs)) == ("", 1)


def test_the_clerk_who_ordered_is_named_to_staff_and_to_no_citizen(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    order = paying(of.donor, of.child, request_id="at-the-counter")
    payment = send(driver, "counter", HOHHOT, "PayPremium", order).payment
    assert (payment.request_id, payment.submitted_by.actor) == ("at-the-counter", CLERK)
    seen = {
        reader: get(driver, "citizen", reader, payment.payment_id).submitted_by.actor
        for reader in (of.donor, of.child)
    }
    assert seen == {of.donor: "", of.child: ""}
    # The agency of the same region is another caller.
    assert get(driver, "agency", HOHHOT, payment.payment_id).request_id == ""


@pytest.mark.requirement("HOH-28", "HOH-29", "HOH-30")
@pytest.mark.parametrize(
    "state", ["SUBMITTED", "CONFIRMED", "REJECTED", "REFUND_REQUESTED", "REFUNDED"]
)
def test_both_sides_see_every_state(driver: Driver, families: Families, state: str) -> None:
    of = family(families)
    payment_id = paid(driver, of)
    change(families, "premium_payments", UUID(payment_id), state=state)
    for reader in (of.donor, of.child):
        assert state_of(get(driver, "citizen", reader, payment_id)) == state


def test_who_decided_about_a_refund_is_told_to_staff_only(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    payment_id = paid(driver, of)
    refund = {
        "cause": "DIED",
        "reason": "已故",
        "requested_at": "2025-11-01T08:00:00+08:00",
        "requested_by": {"role": "counter", "subject": HOHHOT, "actor": CLERK},
        "decision": "REJECT",
        "decision_reason": "不符合",
        "decided_at": "2025-11-02T08:00:00+08:00",
        "decided_by": {"role": "agency", "subject": HOHHOT, "actor": "a-1"},
        "amount_fen": 40_000,
        "refund_to": "PAYER_ACCOUNT",
    }
    change(families, "premium_payments", UUID(payment_id), refund=Jsonb(refund))
    seen = {
        (role, subject): get(driver, role, subject, payment_id).refund
        for role, subject in (("agency", HOHHOT), ("citizen", of.donor), ("citizen", of.child))
    }
    assert seen["agency", HOHHOT].decided_by.actor == "a-1"
    assert not seen["citizen", of.donor].HasField("decided_by")
    assert {one: of_.requested_by.actor for one, of_ in seen.items()} == {
        ("agency", HOHHOT): CLERK,
        ("citizen", of.donor): "",
        ("citizen", of.child): "",
    }
    assert {one.decision for one in seen.values()} == {pb.PREMIUM_REFUND_DECISION_REJECT}


def test_whoever_has_no_part_in_a_payment_is_answered_as_for_none(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    payment_id = paid(driver, of)
    other = families.person(HOHHOT, balance_fen=100_000)
    bind(families, other, of.child)
    for role, subject in (("citizen", other), ("counter", TIELING), ("agency", TIELING)):
        with pytest.raises(errors.AccessDenied):
            get(driver, role, subject, payment_id)
    with pytest.raises(errors.AccessDenied):
        get(driver, "agency", HOHHOT, str(new_id(HOHHOT)))


def test_the_guardian_who_ordered_is_named_to_the_donors_side_only(
    driver: Driver, families: Families
) -> None:
    guardian, of = families.person(HOHHOT), family(families)
    kept = [{"person_id": str(guardian), "kind": GuardianKind.REGISTERED.value}]
    change(families, "persons", of.donor.person_id, guardians=Jsonb(kept))
    order = paying(of.donor, of.child)
    payment = send(driver, "citizen", guardian, "PayPremium", order).payment
    assert payment.submitted_by.actor == str(guardian)
    read = {
        reader: get(driver, "citizen", reader, payment.payment_id).submitted_by.actor
        for reader in (of.donor, of.child)
    }
    assert read == {of.donor: str(guardian), of.child: ""}


def test_guardians_read_for_their_wards(driver: Driver, families: Families) -> None:
    guardian = families.person(HOHHOT)
    of = family(families, guardians=[Guardian(guardian.person_id, GuardianKind.REGISTERED)])
    payment_id = paid(driver, of)
    assert not get(driver, "citizen", guardian, payment_id).legs
    assert listed(driver, "citizen", guardian, beneficiary_id=of.child) == [payment_id]


# --- lists


def household(families: Families, driver: Driver, region: str = HOHHOT) -> tuple[Made, list[Made]]:
    """A donor who has paid for three relatives, in this order."""
    donor = families.person(region, balance_fen=1_000_000)
    children = [families.person(region, insurance=Insurance.RESIDENT) for _ in range(3)]
    for child in children:
        bind(families, donor, child)
        pay(driver, donor, child)
    return donor, children


@pytest.mark.requirement("HOH-28", "HOH-29")
def test_donor_and_beneficiary_list_their_payments_newest_first(
    driver: Driver, families: Families
) -> None:
    donor, children = household(families, driver)
    payments = page(driver, "citizen", donor, donor_id=donor).payments
    assert [one.beneficiary_id for one in payments] == [str(one) for one in reversed(children)]
    assert all(one.legs for one in payments)
    [own] = page(driver, "citizen", children[0], beneficiary_id=children[0]).payments
    assert (own.payment_id, list(own.legs)) == (payments[2].payment_id, [])


def test_a_donor_narrows_the_own_list_to_one_relative(driver: Driver, families: Families) -> None:
    donor, children = household(families, driver)
    both = {"donor_id": donor, "beneficiary_id": children[1]}
    [payment] = page(driver, "citizen", donor, **both).payments
    assert payment.beneficiary_id == str(children[1])


def test_pages_follow_each_other_whatever_is_paid_meanwhile(
    driver: Driver, families: Families
) -> None:
    donor, _ = household(families, driver)
    everything = listed(driver, "citizen", donor, donor_id=donor)
    first = page(driver, "citizen", donor, donor_id=donor, page_size=2)
    late = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, late)
    pay(driver, donor, late)
    token = first.next_page_token
    rest = page(driver, "citizen", donor, donor_id=donor, page_size=2, page_token=token)
    assert [one.payment_id for one in (*first.payments, *rest.payments)] == everything
    assert rest.next_page_token == ""
    with pytest.raises(errors.PageTokenInvalid):
        page(driver, "citizen", donor, donor_id=donor, year=YEAR, page_token=token)


def test_all_filters_of_a_list_hold_together(driver: Driver, families: Families) -> None:
    donor, _ = household(families, driver)
    third, second, first = listed(driver, "citizen", donor, donor_id=donor)
    change(families, "premium_payments", UUID(first), state="CONFIRMED", paid_twice=True)
    change(families, "premium_payments", UUID(second), year=YEAR - 1)
    confirmed, submitted = (
        pb.PREMIUM_PAYMENT_STATE_CONFIRMED,
        pb.PREMIUM_PAYMENT_STATE_SUBMITTED,
    )
    wanted: Sequence[tuple[dict[str, Any], list[str]]] = (
        ({"year": YEAR}, [third, first]),
        ({"states": [confirmed]}, [first]),
        ({"states": [confirmed, submitted]}, [third, second, first]),
        ({"states": [submitted], "year": YEAR}, [third]),
        ({"insurance": 2}, [third, second, first]),
        ({"insurance": 3}, []),
        ({"paid_twice": True}, [first]),
    )
    for fields, expected in wanted:
        assert listed(driver, "citizen", donor, donor_id=donor, **fields) == expected, fields


def test_an_agency_finds_what_was_not_answered_in_time(
    driver: Driver, families: Families, database: Database
) -> None:
    donor, _ = household(families, driver)
    third, second, first = listed(driver, "citizen", donor, donor_id=donor)
    change(families, "premium_payments", UUID(first), state="CONFIRMED")
    change(families, "premium_payments", UUID(second), answer_due_on=None)
    assert not listed(driver, "agency", HOHHOT, overdue=True)
    for days_after, found in ((3, []), (4, [third])):
        later = driver_on(database, DAY + timedelta(days=days_after))
        assert listed(later, "agency", HOHHOT, overdue=True) == found


def test_an_agency_lists_its_own_regions_people_and_no_others(
    driver: Driver, families: Families
) -> None:
    here, there = family(families), family(families, ULANQAB)
    paid_here, paid_there = paid(driver, here), paid(driver, there)
    assert listed(driver, "agency", HOHHOT) == [paid_here]
    assert listed(driver, "agency", ULANQAB) == [paid_there]
    assert listed(driver, "agency", HOHHOT, donor_id=here.donor) == [paid_here]
    for nobody in (there.donor, new_id(HOHHOT)):
        with pytest.raises(errors.AccessDenied):
            listed(driver, "agency", HOHHOT, donor_id=nobody)


def test_an_agency_reads_what_its_people_paid_elsewhere(driver: Driver, families: Families) -> None:
    donor = families.person(ULANQAB, balance_fen=100_000)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child)
    payment_id = pay(driver, donor, child).payment.payment_id
    assert listed(driver, "agency", ULANQAB, donor_id=donor) == [payment_id]
    assert get(driver, "agency", ULANQAB, payment_id).legs
    assert listed(driver, "agency", ULANQAB) == []


def test_a_clerk_lists_for_people_of_the_region_only(driver: Driver, families: Families) -> None:
    of = family(families)
    payment_id = paid(driver, of)
    for named in ({"donor_id": of.donor}, {"beneficiary_id": of.child}):
        assert listed(driver, "counter", HOHHOT, **named) == [payment_id]
        with pytest.raises(errors.AccessDenied):
            listed(driver, "counter", TIELING, **named)
    with pytest.raises(errors.AccessDenied):
        listed(driver, "counter", HOHHOT)


def test_a_citizen_lists_for_nobody_else(driver: Driver, families: Families) -> None:
    of = family(families)
    paid(driver, of)
    with pytest.raises(errors.AccessDenied):
        listed(driver, "citizen", of.donor, beneficiary_id=of.child)
    with pytest.raises(errors.AccessDenied):
        listed(driver, "citizen", of.child, donor_id=of.donor)
    with pytest.raises(errors.AccessDenied):
        listed(driver, "citizen", of.donor)
