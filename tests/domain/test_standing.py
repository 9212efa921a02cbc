"""Insured or not, and with what right to the fund: lapse and what follows it."""

from datetime import date

import pytest

from gongji_svc.domain.person import Enrolment, Period
from gongji_svc.domain.standing import FundObstacle, Standing, standing_of
from gongji_svc.domain.terms import Insurance, InsuredStatus
from tests.domain.builders import HOHHOT, START, enrolment, policy

NORMAL, PAUSED, ENDED = InsuredStatus.NORMAL, InsuredStatus.PAUSED, InsuredStatus.ENDED
RULES = policy(
    {
        "lapse.wait_after_months": 3,
        "lapse.individual_waits": True,
        "lapse.wait_months": 6,
        "lapse.limited_months": 24,
        "lapse.limited_ratio_bp": 5_000,
        "lapse.arrears_after_months": 6,
        "lapse.arrears_effect_months": 1,
    }
)
FULL = Standing(insured=True)


def broken(
    resumed: date, as_individual: bool = False, arrears_paid_on: date | None = None
) -> Enrolment:
    """Paid until 2025-01-31, then again from a day on."""
    return enrolment(
        Insurance.EMPLOYEE,
        HOHHOT,
        Period(START, date(2025, 1, 31)),
        Period(resumed, as_individual=as_individual),
        arrears_paid_on=arrears_paid_on,
    )


def paused(day: date) -> Standing:
    periods = Period(START, date(2025, 3, 9)), Period(date(2025, 3, 10), None, PAUSED)
    return standing_of(enrolment(Insurance.EMPLOYEE, HOHHOT, *periods), RULES, day)


@pytest.mark.requirement("ULQ-26")
def test_a_lapse_acts_from_the_first_day_of_the_next_month() -> None:
    assert paused(date(2025, 3, 31)) == FULL
    assert paused(date(2025, 4, 1)) == Standing(False, FundObstacle.LAPSED)


def test_an_end_of_the_insurance_acts_at_once() -> None:
    periods = Period(START, date(2025, 3, 9)), Period(date(2025, 3, 10), None, ENDED)
    ended = enrolment(Insurance.EMPLOYEE, HOHHOT, *periods)
    nobody = Standing(False, FundObstacle.NOT_INSURED)
    assert standing_of(ended, RULES, date(2025, 3, 10)) == nobody
    assert standing_of(enrolment(), RULES, date(2019, 12, 31)) == nobody


@pytest.mark.requirement("ULQ-29")
def test_a_break_of_more_than_three_months_makes_six_months_of_waiting() -> None:
    long = broken(resumed=date(2025, 5, 2))  # since 2025-02-01: three months and a day
    waiting = standing_of(long, RULES, date(2025, 11, 1))
    assert waiting == Standing(True, FundObstacle.WAITING, until=date(2025, 11, 2))
    assert standing_of(long, RULES, date(2025, 11, 2)).fund_obstacle is None


@pytest.mark.requirement("ULQ-29")
def test_a_break_of_three_months_makes_no_waiting() -> None:
    assert standing_of(broken(date(2025, 5, 1)), RULES, date(2025, 5, 1)).fund_obstacle is None


@pytest.mark.requirement("ULQ-29")
def test_a_return_as_an_individual_waits_after_any_break() -> None:
    back = broken(date(2025, 2, 10), as_individual=True)
    assert standing_of(back, RULES, date(2025, 2, 10)).until == date(2025, 8, 10)


@pytest.mark.requirement("ULQ-30")
def test_for_24_months_after_a_break_the_ratio_is_halved() -> None:
    back = broken(date(2025, 4, 1))
    limited = standing_of(back, RULES, date(2027, 3, 31))
    assert limited == Standing(True, None, 5_000, date(2027, 4, 1))
    assert standing_of(back, RULES, date(2027, 4, 1)) == FULL


def test_a_break_that_never_acted_limits_nothing() -> None:
    assert standing_of(broken(date(2025, 2, 20)), RULES, date(2025, 2, 20)) == FULL


@pytest.mark.requirement("ULQ-31")
def test_after_more_than_six_months_arrears_must_be_paid_first() -> None:
    unpaid = broken(date(2025, 8, 2))
    assert standing_of(unpaid, RULES, date(2030, 1, 1)).fund_obstacle is FundObstacle.ARREARS_UNPAID


@pytest.mark.requirement("ULQ-32")
def test_arrears_act_a_month_after_they_are_paid() -> None:
    paid = broken(date(2025, 8, 2), arrears_paid_on=date(2026, 3, 10))
    soon = standing_of(paid, RULES, date(2026, 4, 9))
    assert soon == Standing(True, FundObstacle.ARREARS_NOT_EFFECTIVE, until=date(2026, 4, 10))
    assert standing_of(paid, RULES, date(2026, 4, 10)).fund_obstacle is None


def test_the_rules_of_lapse_are_those_of_employee_insurance() -> None:
    periods = Period(START, date(2025, 1, 31)), Period(date(2026, 1, 1))
    resident = enrolment(Insurance.RESIDENT, HOHHOT, *periods)
    assert standing_of(resident, RULES, date(2026, 1, 1)) == FULL


def test_without_the_values_a_lapse_has_no_later_consequences() -> None:
    assert standing_of(broken(date(2026, 1, 1)), policy(), date(2026, 1, 1)) == FULL


def test_a_premium_paid_late_waits_for_its_first_day_of_benefit() -> None:
    late = standing_of(enrolment(Insurance.RESIDENT), RULES, date(2025, 5, 6), date(2025, 6, 1))
    assert late == Standing(True, FundObstacle.WAITING, until=date(2025, 6, 1))
