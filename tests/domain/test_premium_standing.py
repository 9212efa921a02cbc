"""Who is registered, which years were missed, and how long benefits then wait."""

from datetime import date

import pytest

from gongji_svc.domain.payment import quote
from gongji_svc.domain.person import Enrolment, Period, Person, PremiumYear, PremiumYearKind
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.premium_standing import (
    deciding_region,
    is_paid,
    is_registered,
    registration,
    waiting,
)
from gongji_svc.domain.terms import Insurance, InsuredStatus
from gongji_svc.regions import load
from tests.domain.builders import BAOTOU, HOHHOT, TIELING, enrolment, person

RULEBOOK = load()
DAY, YEAR = date(2025, 10, 15), 2026
NORMAL, PAUSED, ENDED = InsuredStatus
RESIDENT, LONG_TERM = Insurance.RESIDENT, Insurance.LONG_TERM_CARE
LAPSED = (Period(date(2020, 1, 1), date(2024, 12, 31)), Period(date(2025, 1, 1), None, PAUSED))
RUN_OUT = (Period(date(2020, 1, 1), date(2024, 12, 31)),)


def rules() -> Policy:
    return RULEBOOK.on(HOHHOT, DAY)


def resident(*periods: Period, region: str = HOHHOT) -> Enrolment:
    return enrolment(RESIDENT, region, *periods)


@pytest.mark.parametrize(
    ("periods", "registered"),
    [
        ((Period(date(2020, 1, 1)),), True),
        (LAPSED, True),
        ((Period(date(2026, 1, 1)),), True),
        (RUN_OUT, False),
        ((*RUN_OUT, Period(date(2025, 1, 1), None, ENDED)), False),
        ((*RUN_OUT, Period(date(2026, 1, 1), None, ENDED)), False),
    ],
)
def test_registered_is_who_is_insured_paused_or_will_be(
    periods: tuple[Period, ...], registered: bool
) -> None:
    assert is_registered(resident(*periods), DAY) == registered


def test_what_runs_comes_before_what_is_paused_and_that_before_what_will_begin() -> None:
    runs, lapsed = resident(region=TIELING), resident(*LAPSED, region=HOHHOT)
    begins = resident(Period(date(2026, 1, 1)), region=BAOTOU)
    assert registration(person(1, begins, lapsed, runs), RESIDENT, DAY) is runs
    assert registration(person(1, begins, lapsed), RESIDENT, DAY) is lapsed
    assert registration(person(1, begins), RESIDENT, DAY) is begins
    assert registration(person(1, runs), LONG_TERM, DAY) is None


def test_the_deciding_region_is_that_of_the_insurance_and_else_the_home() -> None:
    over = resident(*RUN_OUT, region=TIELING)
    assert deciding_region(person(1, over, resident()), RESIDENT, DAY, BAOTOU) == HOHHOT
    assert deciding_region(person(1, over), RESIDENT, DAY, BAOTOU) == TIELING
    assert deciding_region(person(1, over), LONG_TERM, DAY, BAOTOU) == BAOTOU


def test_the_registry_knows_paid_years_of_residents_only() -> None:
    somebody = person(1, premium_years=(PremiumYear(YEAR, DAY),))
    assert is_paid(somebody, RESIDENT, YEAR)
    assert not is_paid(somebody, RESIDENT, YEAR + 1)
    assert not is_paid(somebody, LONG_TERM, YEAR)


def years(*paid: int, repaired: tuple[int, ...] = ()) -> tuple[PremiumYear, ...]:
    made = [PremiumYear(year, date(year - 1, 10, 1)) for year in paid]
    made += [PremiumYear(year, DAY, PremiumYearKind.REPAIRED) for year in repaired]
    return tuple(made)


def waits(somebody: Person, day: date = DAY) -> tuple[int, int, int]:
    """Missed years, those of them that were repaired, and the months of waiting."""
    quoted = quote(rules(), RESIDENT, YEAR, somebody.identities, day)
    found = waiting(rules(), quoted, somebody, day)
    return found.missed_years, found.repaired_years, found.months


@pytest.mark.requirement("PRE-05")
@pytest.mark.parametrize(
    ("paid", "repaired", "expected"),
    [
        ((), (), (0, 0, 0)),  # nobody broke off what was never begun
        ((2025,), (), (0, 0, 0)),
        ((2020, 2025), (), (0, 0, 0)),  # a break before the last paid year is over
        ((2024,), (), (1, 0, 3)),
        ((2023,), (), (2, 0, 4)),
        ((2022,), (2024,), (3, 1, 4)),
        ((2022,), (2023, 2024, 2025), (3, 3, 3)),
        ((2021,), (), (4, 0, 6)),
        ((), (2024,), (2, 1, 3)),
        ((2024, 2027), (), (1, 0, 3)),  # what lies after the year mends nothing
    ],
)
def test_years_are_missed_in_a_row_since_the_last_one_paid(
    paid: tuple[int, ...], repaired: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    somebody = person(1, resident(), premium_years=years(*paid, repaired=repaired))
    assert waits(somebody) == expected


def test_years_as_an_employee_are_not_missed() -> None:
    employed = enrolment(Insurance.EMPLOYEE, HOHHOT, Period(date(2019, 7, 1), date(2024, 3, 31)))
    somebody = person(1, resident(), employed, premium_years=years(2018))
    assert waits(somebody) == (1, 0, 3)
    still = enrolment(Insurance.EMPLOYEE, HOHHOT, Period(date(2019, 7, 1)))
    assert waits(person(1, still, premium_years=years(2018))) == (0, 0, 0)


def test_who_pays_before_the_window_is_told_of_a_payment_in_time_and_after_it_waits() -> None:
    somebody = person(1, resident(), premium_years=years(2025))
    assert waits(somebody, date(2025, 8, 1)) == (0, 0, 0)
    assert waits(somebody, date(2026, 3, 1)) == (0, 0, 3)
