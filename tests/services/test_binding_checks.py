"""What the worker's look makes of bindings: suspended, resumed, moved, ended, expired."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain.binding import BindingState, EndCause
from gongji_svc.domain.usability import Why
from gongji_svc.services.binding_checking import JOB
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import DAY, HOHHOT, TIELING, ULANQAB
from tests.services.changes import bound, changes_in, end, kept, purchase, trail
from tests.services.driver import Driver
from tests.services.looks import asked_for, look, over, paused, restate, state_of
from tests.services.rules import driver_with
from tests.services.test_registry_persons import day, enrolment
from tests.services.till import paid

A_DAY = timedelta(days=1)
ACTIVE, SUSPENDED = BindingState.ACTIVE, BindingState.SUSPENDED
ENDED, EXPIRED = BindingState.ENDED, BindingState.EXPIRED
PAID_BY_DONOR = [("DONOR", 10_000)]


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    office = Driver(database, on=DAY)
    yield office
    office.close()


@pytest.fixture
def pharmacy(families: Families) -> str:
    families.item(HOHHOT, "XA01")
    return families.institution(HOHHOT)


# --- suspended and back


@pytest.mark.requirement("HOH-01")
def test_a_donor_who_lapses_suspends_it_and_the_money_comes_back_with_the_insurance(
    driver: Driver, families: Families, database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    look(driver)
    restate(driver, pair.donor, paused())
    assert look(driver) == 1
    assert state_of(database, pair) == (SUSPENDED, (Why.DONOR_LAPSED,))
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []
    restate(driver, pair.donor, enrolment(HOHHOT))
    look(driver)
    assert state_of(database, pair) == (ACTIVE, ())
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == PAID_BY_DONOR


@pytest.mark.requirement("ULQ-D3")
def test_a_donor_who_lapses_goes_on_paying_where_the_region_keeps_the_money(
    driver: Driver, families: Families, database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, ULANQAB)
    restate(driver, pair.donor, paused(ULANQAB))
    look(driver)
    assert state_of(database, pair) == (ACTIVE, ())
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == PAID_BY_DONOR


@pytest.mark.requirement("HOH-02")
def test_each_side_that_is_insured_no_more_is_told_and_its_people_see_it(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    restate(driver, pair.beneficiary, over(insurance="RESIDENT"))
    look(driver)
    assert state_of(database, pair) == (SUSPENDED, (Why.BENEFICIARY_NOT_INSURED,))
    restate(driver, pair.donor, over())
    look(driver)
    both = (Why.DONOR_NOT_INSURED, Why.BENEFICIARY_NOT_INSURED)
    assert state_of(database, pair) == (SUSPENDED, both)
    request = pb.GetBindingRequest(binding_id=pair.id)
    seen = driver.call("citizen", pair.beneficiary, "BindingService", "GetBinding", request)
    assert [pb.UsabilityReason.Name(one) for one in seen.binding.suspended_for] == [
        f"USABILITY_REASON_{why}" for why in both
    ]


def test_an_application_in_review_is_not_suspended_but_ends_with_its_donor(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    restate(driver, pair.donor, over(TIELING))
    look(driver)
    assert state_of(database, pair) == (BindingState.PENDING_REVIEW, ())
    restate(driver, pair.donor, over(TIELING), died_on=day("2025-05-05"))
    look(driver)
    found = kept(database, pair.id)
    assert (found.binding.state, found.binding.approved) == (ENDED, False)
    assert found.ending["cause"] == EndCause.DIED


def test_a_change_is_told_in_the_audit_trail_as_the_workers(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    restate(driver, pair.donor, paused())
    look(driver)
    _, record = trail(database, pair.id)
    assert (record.role, record.actor, record.action) == ("", JOB, JOB)
    assert changes_in(record) == {
        "state": (ACTIVE, SUSPENDED),
        "suspended_for": (None, [Why.DONOR_LAPSED]),
    }


# --- moved, died, over


@pytest.mark.requirement("NAT-02")
def test_a_donor_who_moves_inside_the_area_keeps_it_under_the_new_regions_rules(
    driver: Driver, families: Families, database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    restate(driver, pair.donor, over(), enrolment(ULANQAB))
    look(driver)
    assert state_of(database, pair) == (ACTIVE, ())
    assert kept(database, pair.id).donor_region == ULANQAB
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == PAID_BY_DONOR
    records = trail(database, pair.id)[-2:]
    assert {record.region for record in records} == {HOHHOT, ULANQAB}
    assert [changes_in(one) for one in records] == [{"region": (HOHHOT, ULANQAB)}] * 2


@pytest.mark.requirement("NAT-02")
@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_who_moves_outside_the_area_ends_it(
    driver: Driver, families: Families, database: Database, pharmacy: str, side: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    insurance = {"insurance": "EMPLOYEE" if side == "donor" else "RESIDENT"}
    moved = (over(**insurance), enrolment(TIELING, **insurance))
    restate(driver, getattr(pair, side), *moved)
    look(driver)
    found = kept(database, pair.id)
    assert (found.binding.state, found.binding.ended_on) == (ENDED, DAY)
    assert found.ending["cause"] == EndCause.INSURANCE_CHANGED
    assert found.ending["by"] == {"role": "", "subject": "", "actor": JOB}
    if side == "donor":
        assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []


@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_a_death_ends_all_that_the_person_gave_and_took(
    driver: Driver, families: Families, database: Database, side: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    insurance = "EMPLOYEE" if side == "donor" else "RESIDENT"
    dead = getattr(pair, side)
    restate(driver, dead, enrolment(HOHHOT, insurance=insurance), died_on=day("2025-05-01"))
    look(driver)
    found = kept(database, pair.id)
    assert (found.binding.state, found.ending["cause"]) == (ENDED, EndCause.DIED)
    request = pb.GetBindingRequest(binding_id=pair.id)
    seen = driver.call("agency", HOHHOT, "BindingService", "GetBinding", request, actor="a-1")
    assert seen.binding.end_cause == pb.END_CAUSE_DIED
    assert asked_for(database) == {}


def test_it_expires_on_the_day_after_its_last(
    driver: Driver, families: Families, database: Database
) -> None:
    last_day = DAY + timedelta(days=10)
    pair = bound(driver, families, HOHHOT, effective_to=date_of(last_day))
    states = []
    for on in (DAY, last_day, last_day + A_DAY):
        office = Driver(database, on=on)
        look(office)
        office.close()
        states.append(kept(database, pair.id).binding.state)
    assert states == [ACTIVE, ACTIVE, EXPIRED]
    assert asked_for(database) == {}


def test_an_end_that_acts_the_next_day_has_ended_it_then_as_it_was_ordered(
    families: Families, database: Database
) -> None:
    next_day = {"binding.unbinding_effect": "NEXT_DAY"}
    today, tomorrow = (driver_with(database, HOHHOT, next_day, on=on) for on in (DAY, DAY + A_DAY))
    pair = bound(today, families, HOHHOT)
    end(today, "citizen", pair.beneficiary, pair.id, reason="不再需要")
    look(today)
    ordered = kept(database, pair.id)
    assert ordered.binding.state is ACTIVE
    look(tomorrow)
    found = kept(database, pair.id)
    assert (found.binding.state, found.binding.ended_on) == (ENDED, DAY)
    assert found.ending == ordered.ending
    for office in (today, tomorrow):
        office.close()
