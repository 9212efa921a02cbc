"""What the agency of another region than the home region makes of a record."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from gongji_svc.domain.errors import AccessDenied
from gongji_svc.domain.person import Enrolment, Period, Person
from gongji_svc.domain.registration import has_part, is_insured_elsewhere, ordered, restated
from gongji_svc.domain.terms import Insurance, InsuredStatus, PersonType

HOME, AWAY = "150100", "150900"


def enrolled(
    region: str, since: int = 2015, insurance: Insurance = Insurance.EMPLOYEE
) -> Enrolment:
    return Enrolment(Insurance.EMPLOYEE, region, PersonType.ACTIVE, (Period(date(since, 1, 1)),))


STORED = Person(UUID(int=1), "王一", date(1980, 1, 1), enrolments=(enrolled(HOME), enrolled(AWAY)))


def test_it_replaces_its_own_enrolments_and_keeps_the_others() -> None:
    stated = replace(STORED, name="other", enrolments=(enrolled(AWAY, 2020),))
    after = restated(STORED, stated, AWAY)
    assert after.enrolments == (enrolled(HOME), enrolled(AWAY, 2020))
    assert after.name == "王一"


def test_it_may_repeat_the_others_but_not_change_them() -> None:
    assert restated(STORED, STORED, AWAY) == STORED
    with pytest.raises(AccessDenied):
        restated(STORED, replace(STORED, enrolments=(enrolled(HOME, 2020),)), AWAY)


def test_it_has_a_part_where_the_record_knows_insurance_there() -> None:
    assert has_part(AWAY, STORED)
    assert not has_part("211200", STORED)


DAY = date(2025, 6, 30)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("period", "insured"),
    [
        (Period(BEFORE), True),
        (Period(BEFORE, DAY), True),
        (Period(BEFORE, BEFORE), False),
        (Period(AFTER), False),
        (Period(BEFORE, status=InsuredStatus.PAUSED), False),
        (Period(BEFORE, status=InsuredStatus.ENDED), False),
    ],
)
def test_another_region_insures_on_the_days_of_a_normal_period(
    period: Period, insured: bool
) -> None:
    person = replace(STORED, enrolments=(replace(enrolled(HOME), periods=(period,)),))
    assert is_insured_elsewhere(AWAY, person, DAY) == insured
    assert not is_insured_elsewhere(HOME, person, DAY)


def test_equal_records_in_another_order_compare_equal() -> None:
    turned = replace(STORED, enrolments=STORED.enrolments[::-1])
    assert turned != STORED
    assert ordered(turned) == ordered(STORED)
