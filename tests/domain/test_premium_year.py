"""The insured years that count as paid, and which are paid twice."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from gongji_svc.domain.person import Person, PremiumYear, PremiumYearKind
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.domain.premium_year import YearPayment, paid_twice, years_counted
from gongji_svc.domain.registration import with_years_paid_here
from gongji_svc.domain.terms import Insurance
from tests.domain.builders import PATIENT_ID, enrolment

STATED = PremiumYear(2025, date(2024, 10, 1))
PAYMENT = YearPayment(
    payment_id=UUID(int=7),
    year=2026,
    insurance=Insurance.RESIDENT,
    state=PremiumState.CONFIRMED,
    paid_on=date(2025, 10, 15),
    benefit_from=date(2026, 1, 1),
)
BROUGHT = PremiumYear(
    2026, date(2025, 10, 15), PremiumYearKind.PAID, date(2026, 1, 1), PAYMENT.payment_id
)
OTHER = replace(PAYMENT, payment_id=UUID(int=9))


@pytest.mark.parametrize("state", [PremiumState.CONFIRMED, PremiumState.REFUND_REQUESTED])
def test_a_confirmed_year_counts_beside_what_was_stated(state: PremiumState) -> None:
    assert years_counted([STATED], [replace(PAYMENT, state=state)]) == (STATED, BROUGHT)


@pytest.mark.parametrize(
    "state", [PremiumState.SUBMITTED, PremiumState.REJECTED, PremiumState.REFUNDED]
)
def test_no_other_state_lets_a_year_count(state: PremiumState) -> None:
    assert years_counted([STATED, BROUGHT], [replace(PAYMENT, state=state)]) == (STATED,)


def test_a_premium_of_long_term_care_is_no_residents_year() -> None:
    care = replace(PAYMENT, insurance=Insurance.LONG_TERM_CARE)
    assert years_counted([STATED], [care]) == (STATED,)


def test_of_two_payments_the_one_whose_benefit_begins_first_counts() -> None:
    late = replace(OTHER, payment_id=UUID(int=1), benefit_from=date(2026, 5, 1))
    assert years_counted([], [late, PAYMENT]) == (BROUGHT,)
    refunded = replace(PAYMENT, state=PremiumState.REFUNDED)
    (left,) = years_counted([BROUGHT], [late, refunded])
    assert left.payment_id == late.payment_id


def test_what_was_stated_still_counts_when_the_payment_went_back() -> None:
    stated = PremiumYear(2026, date(2025, 9, 9))
    both = years_counted([stated], [PAYMENT])
    assert both == (BROUGHT, stated)
    assert years_counted(both, [replace(PAYMENT, state=PremiumState.REFUNDED)]) == (stated,)


def test_a_year_paid_after_its_end_is_repaired() -> None:
    (year,) = years_counted([], [replace(PAYMENT, year=2024)])
    assert year.kind is PremiumYearKind.REPAIRED


# paid twice


@pytest.mark.parametrize("other", list(PremiumState))
def test_a_year_is_paid_twice_while_two_payments_live(other: PremiumState) -> None:
    twice = paid_twice([PAYMENT, replace(OTHER, state=other)])
    dead = other in (PremiumState.REJECTED, PremiumState.REFUNDED)
    assert twice == (frozenset() if dead else {PAYMENT.payment_id, OTHER.payment_id})


def test_other_years_and_other_insurances_are_no_second_payment() -> None:
    care = replace(OTHER, insurance=Insurance.LONG_TERM_CARE)
    assert not paid_twice([PAYMENT, care, replace(OTHER, year=2025)])


# what an agency states


PERSON = Person(person_id=PATIENT_ID, premium_years=(STATED, BROUGHT))


def test_a_statement_that_does_not_know_of_a_payment_keeps_its_year() -> None:
    after = with_years_paid_here(PERSON, replace(PERSON, premium_years=(STATED,)))
    assert after.premium_years == (STATED, BROUGHT)


def test_a_year_stated_as_it_was_shown_is_no_second_statement() -> None:
    shown = PremiumYear(BROUGHT.year, BROUGHT.paid_on)
    after = with_years_paid_here(PERSON, replace(PERSON, premium_years=(shown,)))
    assert after.premium_years == (BROUGHT,)


def test_a_year_that_was_stated_before_it_was_paid_outlives_a_statement_as_shown() -> None:
    stated = PremiumYear(2026, date(2025, 9, 9))
    stored = replace(PERSON, premium_years=(BROUGHT, stated))
    shown = replace(PERSON, premium_years=(PremiumYear(BROUGHT.year, BROUGHT.paid_on),))
    assert with_years_paid_here(stored, shown).premium_years == (BROUGHT, stated)
    silent = replace(PERSON, premium_years=())
    assert with_years_paid_here(stored, silent).premium_years == (BROUGHT,)


# benefit


def test_benefit_begins_as_the_payment_of_the_days_year_says() -> None:
    late = replace(BROUGHT, benefit_from=date(2026, 4, 1))
    person = replace(PERSON, premium_years=(late,))
    resident, employee = enrolment(Insurance.RESIDENT), enrolment(Insurance.EMPLOYEE)
    assert person.benefit_from(resident, date(2026, 2, 1)) == date(2026, 4, 1)
    assert person.benefit_from(resident, date(2027, 2, 1)) is None
    assert person.benefit_from(employee, date(2026, 2, 1)) is None


def test_a_year_that_the_agency_states_as_paid_asks_for_no_waiting() -> None:
    late = replace(BROUGHT, benefit_from=date(2026, 4, 1))
    person = replace(PERSON, premium_years=(late, PremiumYear(2026, date(2025, 9, 9))))
    assert person.benefit_from(enrolment(Insurance.RESIDENT), date(2026, 2, 1)) is None
