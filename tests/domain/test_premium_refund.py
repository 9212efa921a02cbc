"""Refunds of premiums: until when, for which causes, and whether the agency must agree."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gongji_svc.domain.errors import PremiumRefundCauseNotAllowed, PremiumRefundTooLate
from gongji_svc.domain.person import Enrolment, Period, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.premium_refund import (
    Paid,
    check_refundable,
    is_shown,
    needs_approval,
    refund_until,
)
from gongji_svc.domain.terms import Insurance, InsuredStatus, PremiumRefundCause
from gongji_svc.regions import load
from tests.domain.builders import HOHHOT, PATIENT_ID, TIELING, ULANQAB, enrolment, policy

CAUSES = [cause.value for cause in PremiumRefundCause]
TODAY = date(2025, 11, 3)
PAID = Paid(
    year=2026,
    insurance=Insurance.RESIDENT,
    insured_region=HOHHOT,
    standard_fen=40_000,
    benefit_from=date(2026, 1, 1),
    paid_twice=False,
)


def rules(**premium: object) -> Policy:
    """A policy with all causes and these other values of its premium group."""
    values: Mapping[str, object] = {"refund_causes": CAUSES, **premium}
    return policy({f"premium.{name}": value for name, value in values.items()})


def resident(*more: Enrolment, region: str = HOHHOT) -> Person:
    own = enrolment(Insurance.RESIDENT, region)
    return Person(person_id=PATIENT_ID, enrolments=(own, *more))


# until when


@pytest.mark.requirement("PRE-06")
def test_a_refund_can_be_asked_for_until_the_day_before_benefits_begin() -> None:
    last = refund_until(rules(), 2026, date(2026, 4, 1))
    assert last == date(2026, 3, 31)
    paid = replace(PAID, benefit_from=date(2026, 4, 1))
    check_refundable(rules(), PremiumRefundCause.DIED, paid, date(2026, 3, 31))
    with pytest.raises(PremiumRefundTooLate) as late:
        check_refundable(rules(), PremiumRefundCause.DIED, paid, date(2026, 4, 1))
    assert late.value.details == {"deadline": "2026-03-31"}


@pytest.mark.requirement("PRE-07")
def test_a_region_may_name_a_last_day_in_the_insured_year() -> None:
    hunan = rules(refund_until={"month": 6, "day": 30})
    check_refundable(hunan, PremiumRefundCause.DIED, PAID, date(2026, 6, 30))
    with pytest.raises(PremiumRefundTooLate):
        check_refundable(hunan, PremiumRefundCause.DIED, PAID, date(2026, 7, 1))


@pytest.mark.parametrize("cause", list(PremiumRefundCause))
def test_a_cause_that_the_region_does_not_name_is_refused(cause: PremiumRefundCause) -> None:
    others = rules(refund_causes=[one for one in CAUSES if one != cause])
    check_refundable(rules(), cause, PAID, TODAY)
    with pytest.raises(PremiumRefundCauseNotAllowed):
        check_refundable(others, cause, PAID, TODAY)


def test_a_region_without_causes_gives_no_refund_on_any_day() -> None:
    assert refund_until(rules(refund_causes=[]), 2026, PAID.benefit_from) is None


@pytest.mark.requirement("PRE-06")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB, TIELING])
def test_the_regions_give_refunds_for_all_six_causes_after_approval(region: str) -> None:
    stated = load().on(region, TODAY)
    for cause in PremiumRefundCause:
        check_refundable(stated, cause, PAID, TODAY)
        assert needs_approval(stated, cause, PAID, resident(), TODAY)


# whose word


DEAD = replace(resident(), died_on=date(2025, 10, 30))
EMPLOYED = resident(enrolment(Insurance.EMPLOYEE))
MOVED = resident(region=ULANQAB)
POOR = replace(resident(), identities=frozenset({"DESTITUTE"}))
ALL_PAID = {"DESTITUTE": {"payable_fen": 0}}


@pytest.mark.parametrize(
    ("cause", "person"),
    [
        (PremiumRefundCause.DIED, DEAD),
        (PremiumRefundCause.JOINED_EMPLOYEE, EMPLOYED),
        (PremiumRefundCause.MOVED_AWAY, MOVED),
        (PremiumRefundCause.FULLY_SUBSIDISED, POOR),
    ],
)
def test_without_approval_the_registry_must_show_the_cause(
    cause: PremiumRefundCause, person: Person
) -> None:
    trusting = rules(refund_approval=False, groups=ALL_PAID)
    assert not needs_approval(trusting, cause, PAID, person, TODAY)
    assert needs_approval(trusting, cause, PAID, resident(), TODAY)


def test_a_year_that_is_marked_as_paid_twice_shows_it() -> None:
    twice = replace(PAID, paid_twice=True)
    assert is_shown(rules(), PremiumRefundCause.PAID_TWICE, twice, resident(), TODAY)
    assert not is_shown(rules(), PremiumRefundCause.PAID_TWICE, PAID, resident(), TODAY)


def test_imprisonment_is_always_left_to_the_agency() -> None:
    trusting = rules(refund_approval=False)
    for person in (resident(), DEAD, EMPLOYED, MOVED, POOR):
        assert needs_approval(trusting, PremiumRefundCause.IMPRISONED, PAID, person, TODAY)


def test_where_approval_is_asked_for_no_cause_goes_without() -> None:
    asking = rules(refund_approval=True)
    assert needs_approval(asking, PremiumRefundCause.DIED, PAID, DEAD, TODAY)


def test_a_death_within_the_benefit_period_is_not_shown() -> None:
    later = replace(resident(), died_on=PAID.benefit_from)
    assert not is_shown(rules(), PremiumRefundCause.DIED, PAID, later, TODAY)


def test_employment_that_is_paused_or_over_shows_nothing() -> None:
    yesterday = TODAY - timedelta(days=1)
    paused = Period(date(2024, 1, 1), status=InsuredStatus.PAUSED)
    for period in (paused, Period(date(2024, 1, 1), yesterday)):
        person = resident(enrolment(Insurance.EMPLOYEE, HOHHOT, period))
        assert not is_shown(rules(), PremiumRefundCause.JOINED_EMPLOYEE, PAID, person, TODAY)


def test_who_is_insured_here_too_has_not_moved_away() -> None:
    both = resident(enrolment(Insurance.RESIDENT, ULANQAB))
    assert not is_shown(rules(), PremiumRefundCause.MOVED_AWAY, PAID, both, TODAY)


def test_a_subsidy_of_a_part_is_no_full_one() -> None:
    half = rules(groups={"DESTITUTE": {"payable_fen": 20_000}})
    assert not is_shown(half, PremiumRefundCause.FULLY_SUBSIDISED, PAID, POOR, TODAY)
