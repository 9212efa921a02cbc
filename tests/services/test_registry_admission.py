"""PutPerson by the agency of another region than the home region's: what it may state, of whom."""

import pytest

from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.services.driver import Driver
from tests.services.test_registry_persons import (
    HOHHOT,
    ULANQAB,
    day,
    enrolment,
    get,
    period,
    person,
    put,
    refusal,
)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_another_regions_agency_states_only_its_own_enrolments(driver: Driver) -> None:
    left = enrolment(HOHHOT, period("2015-01-01", "2024-12-31"))
    stated = person(left, number="150102198001010014", card_no="K1")
    home = put(driver, HOHHOT, stated).person
    moved = person(
        enrolment(ULANQAB), number="150102198001010014", card_no="K9", identities=["ORPHAN"]
    )
    after = put(driver, ULANQAB, moved).person
    assert after.person_id == home.person_id
    assert after.home_region == HOHHOT
    assert after.card_no == "K1"
    assert list(after.identities) == ["ORPHAN"]
    assert sorted(one.region for one in after.enrolments) == [HOHHOT, ULANQAB]


def test_another_regions_agency_cannot_change_an_enrolment_that_is_not_its_own(
    driver: Driver,
) -> None:
    stated = person(enrolment(HOHHOT), enrolment(ULANQAB), number="150102198001010014")
    put(driver, HOHHOT, stated)
    moved = person(enrolment(ULANQAB), enrolment(HOHHOT, period("2020-01-01")))
    moved.certificate.CopyFrom(stated.certificate)
    refusal(lambda: put(driver, ULANQAB, moved), errors.AccessDenied)


def test_no_agency_lets_itself_into_the_record_of_somebody_whom_another_has_insured(
    driver: Driver,
) -> None:
    home = person(enrolment(HOHHOT), number="150102198001010014")
    person_id = put(driver, HOHHOT, home).person.person_id
    for insurance in ("EMPLOYEE", "RESIDENT", "LONG_TERM_CARE"):
        for first, *last in (("2015-01-01",), ("2010-01-01", "2010-12-31"), ("2990-01-01",)):
            stated = enrolment(ULANQAB, period(first, *last), insurance=insurance)
            mine = person(stated, number="150102198001010014")
            refusal(lambda: put(driver, ULANQAB, mine), errors.InsuredElsewhere)  # noqa: B023 - called at once
    refusal(lambda: get(driver, "agency", ULANQAB, person_id=person_id), errors.AccessDenied)


def test_the_home_regions_agency_lets_another_in_and_then_it_states_its_own(
    driver: Driver,
) -> None:
    both = person(enrolment(HOHHOT), enrolment(ULANQAB), number="150102198001010014")
    put(driver, HOHHOT, both)
    again = person(enrolment(ULANQAB, period("2016-01-01")), number="150102198001010014")
    after = put(driver, ULANQAB, again).person
    assert sorted(one.region for one in after.enrolments) == [HOHHOT, ULANQAB]


def test_nobody_is_insured_anew_who_is_dead(driver: Driver) -> None:
    left = enrolment(HOHHOT, period("2015-01-01", "2024-12-31"))
    put(driver, HOHHOT, person(left, number="150102198001010014", died_on=day("2024-12-31")))
    moved = person(enrolment(ULANQAB), number="150102198001010014")
    refusal(lambda: put(driver, ULANQAB, moved), errors.PersonDeceased)


def test_who_names_somebody_wrongly_is_not_told_where_they_are_insured(driver: Driver) -> None:
    known = put(driver, HOHHOT, person(enrolment(HOHHOT), number="150102198001010014")).person
    wrong = person(enrolment(ULANQAB), number="150102198001010014", name="李四")
    refusal(lambda: put(driver, ULANQAB, wrong), errors.PersonNotMatched)
    for person_id in (known.person_id, str(new_id(HOHHOT))):
        wrong.person_id = person_id
        refusal(lambda: put(driver, ULANQAB, wrong), errors.AccessDenied)


def test_an_agency_without_a_part_in_the_person_is_told_nothing(driver: Driver) -> None:
    stated = person(enrolment(HOHHOT), number="150102198001010014")
    stated.person_id = put(driver, HOHHOT, stated).person.person_id
    refusal(lambda: put(driver, ULANQAB, stated), errors.AccessDenied)
    stated.person_id = str(new_id(HOHHOT))
    refusal(lambda: put(driver, ULANQAB, stated), errors.AccessDenied)
    refusal(lambda: put(driver, HOHHOT, stated), errors.PersonNotFound)


def test_another_regions_agency_must_name_the_same_person(driver: Driver) -> None:
    put(driver, HOHHOT, person(enrolment(HOHHOT), number="150102198001010014"))
    wrong = person(enrolment(ULANQAB), number="150102198001010014", name="李四")
    refusal(lambda: put(driver, ULANQAB, wrong), errors.PersonNotMatched)
