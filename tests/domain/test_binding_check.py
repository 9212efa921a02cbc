"""What becomes of a living binding: its ends, its suspensions, its return, and the next look."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from gongji_svc.domain.binding import LIVING, Binding, BindingState, EndCause
from gongji_svc.domain.binding_check import Judged, judged, next_check_on
from gongji_svc.domain.eligibility import leading_enrolment
from gongji_svc.domain.person import PUBLICLY_FUNDED, Enrolment, Period, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import Insurance, InsuredStatus, Use
from gongji_svc.domain.usability import Why, obstacles
from tests.domain.builders import (
    BAOTOU,
    HOHHOT,
    START,
    TIELING,
    ULANQAB,
    binding,
    enrolment,
    person,
    policy,
)

TODAY = date(2025, 5, 6)
A_DAY = timedelta(days=1)
UNSERVED = "110100"
SERVED = (HOHHOT, BAOTOU, ULANQAB, TIELING)
EMPLOYEE, RESIDENT = Insurance.EMPLOYEE, Insurance.RESIDENT
PENDING, ACTIVE = BindingState.PENDING_REVIEW, BindingState.ACTIVE
SUSPENDED, ENDED = BindingState.SUSPENDED, BindingState.ENDED
CASES = 500


def paused(region: str = HOHHOT, since: date = date(2025, 2, 1)) -> Enrolment:
    """An employee whose insurance is paused since a day."""
    before = Period(START, since - A_DAY)
    return enrolment(EMPLOYEE, region, before, Period(since, None, InsuredStatus.PAUSED))


def gone(region: str = HOHHOT, insurance: Insurance = EMPLOYEE) -> Enrolment:
    """An insurance that has ended."""
    return enrolment(insurance, region, Period(START, date(2025, 2, 1)))


def judge(
    values: Mapping[str, object] | None = None,
    *,
    donor: Person | None = None,
    beneficiary: Person | None = None,
    donor_region: str = HOHHOT,
    today: date = TODAY,
    **bound: Any,
) -> Judged:
    """What becomes of a binding of two employees of Hohhot, unless told otherwise."""
    rules = {region: policy(values, region) for region in SERVED}
    return judged(
        binding(2, **bound),
        donor_region,
        donor or person(2),
        beneficiary or person(1),
        rules.get,
        today,
    )


def outcome(found: Judged) -> tuple[BindingState, tuple[Why, ...]]:
    return found.binding.state, found.suspended_for


@pytest.mark.parametrize("state", [PENDING, ACTIVE])
def test_what_nothing_stops_stays_as_it_is(state: BindingState) -> None:
    assert judge(state=state) == Judged(binding(2, state=state), HOHHOT)


@pytest.mark.parametrize("state", sorted(LIVING))
@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_a_death_ends_it_in_every_state(state: BindingState, side: str) -> None:
    dead: dict[str, Any] = {side: person(2, died_on=date(2025, 5, 1))}
    found = judge(state=state, **dead)
    assert (found.binding.state, found.cause) == (ENDED, EndCause.DIED)
    assert found.binding.ended_on == TODAY


@pytest.mark.parametrize("state", [ACTIVE, SUSPENDED])
def test_an_end_that_was_ordered_acts_when_its_day_is_over_and_keeps_that_day(
    state: BindingState,
) -> None:
    ordered: dict[str, Any] = {
        "state": state,
        "ended_on": TODAY - A_DAY,
        "effective_to": TODAY - A_DAY,
    }
    found = judge(**ordered)
    assert found == Judged(binding(2, **{**ordered, "state": ENDED}), HOHHOT)
    assert judge(ended_on=TODAY, effective_to=TODAY).binding.state is ACTIVE


def test_who_dies_after_an_end_was_ordered_has_it_ended_as_ordered() -> None:
    found = judge(ended_on=TODAY - A_DAY, donor=person(2, died_on=TODAY))
    assert (found.binding.state, found.cause) == (ENDED, None)


@pytest.mark.parametrize("state", [ACTIVE, SUSPENDED])
def test_it_expires_on_the_day_after_its_last(state: BindingState) -> None:
    lapsed = person(2, paused()) if state is SUSPENDED else None
    assert judge(state=state, donor=lapsed, effective_to=TODAY).binding.state is state
    found = judge(state=state, donor=lapsed, effective_to=TODAY - A_DAY)
    assert outcome(found) == (BindingState.EXPIRED, ())


def test_an_application_whose_last_day_has_passed_is_still_the_reviewers() -> None:
    assert judge(state=PENDING, effective_to=TODAY - A_DAY).binding.state is PENDING


@pytest.mark.requirement("NAT-02")
@pytest.mark.parametrize("state", sorted(LIVING))
@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_a_move_outside_the_area_ends_it_in_every_state(state: BindingState, side: str) -> None:
    moved: dict[str, Any] = {side: person(2, gone(), enrolment(region=TIELING))}
    found = judge(state=state, **moved)
    assert (found.binding.state, found.cause) == (ENDED, EndCause.INSURANCE_CHANGED)
    assert (found.binding.ended_on, found.donor_region) == (TODAY, HOHHOT)


@pytest.mark.requirement("NAT-02")
def test_a_move_inside_the_area_keeps_it_and_the_donors_brings_the_new_regions_rules() -> None:
    moved = (gone(), enrolment(region=ULANQAB))
    assert judge(beneficiary=person(1, *moved)) == Judged(binding(2), HOHHOT)
    assert judge(donor=person(2, *moved)) == Judged(binding(2), ULANQAB)


def test_an_application_stays_with_the_reviewers_of_the_region_it_was_made_in() -> None:
    moved = person(2, gone(), enrolment(region=ULANQAB))
    assert judge(donor=moved, state=PENDING).donor_region == HOHHOT


@pytest.mark.requirement("NAT-02")
def test_the_new_regions_area_decides_about_a_donor_who_moved() -> None:
    moved = person(2, gone(), enrolment(region=ULANQAB))
    found = judge({"beneficiary.area": "SAME_REGION"}, donor=moved)
    assert found.cause is EndCause.INSURANCE_CHANGED


@pytest.mark.requirement("NAT-02")
def test_who_moved_to_where_no_rules_hold_is_judged_by_the_rules_of_before() -> None:
    moved = person(2, gone(), enrolment(region=UNSERVED))
    assert judge(donor=moved).cause is EndCause.INSURANCE_CHANGED
    found = judge({"beneficiary.area": "NATION"}, donor=moved)
    assert outcome(found) == (SUSPENDED, (Why.DONOR_NOT_INSURED,))
    assert found.donor_region == HOHHOT


def test_who_is_insured_nowhere_has_not_moved_away() -> None:
    elsewhere = person(2, enrolment(region=TIELING))
    found = judge(donor=elsewhere, beneficiary=person(1, gone()))
    assert found.binding.state is SUSPENDED


PAUSED_NOW = person(2, paused())
FUNDED = frozenset({PUBLICLY_FUNDED})
NO_FUNDED_DONOR = {"donor.publicly_funded": False}
RESIDENTS_ONLY = {"beneficiary.insurances": ["RESIDENT"]}


@pytest.mark.requirement("HOH-01", "HOH-02")
@pytest.mark.parametrize(
    ("values", "people", "why"),
    [
        ({"donor.lapse": "SUSPEND"}, {"donor": PAUSED_NOW}, [Why.DONOR_LAPSED]),
        ({}, {"donor": person(2, gone())}, [Why.DONOR_NOT_INSURED]),
        ({}, {"donor": person(2, enrolment(RESIDENT))}, [Why.DONOR_NOT_INSURED]),
        (NO_FUNDED_DONOR, {"donor": person(2, identities=FUNDED)}, [Why.DONOR_PUBLICLY_FUNDED]),
        ({}, {"beneficiary": person(1, gone())}, [Why.BENEFICIARY_NOT_INSURED]),
        ({}, {"beneficiary": person(1, paused())}, [Why.BENEFICIARY_NOT_INSURED]),
        ({}, {"beneficiary": replace(person(1), enrolments=())}, [Why.BENEFICIARY_NOT_INSURED]),
        (RESIDENTS_ONLY, {}, [Why.BENEFICIARY_INSURANCE_NOT_ADMITTED]),
        (
            {"donor.lapse": "SUSPEND"},
            {"donor": PAUSED_NOW, "beneficiary": person(1, gone())},
            [Why.DONOR_LAPSED, Why.BENEFICIARY_NOT_INSURED],
        ),
    ],
)
def test_what_stops_a_side_suspends_it_and_its_end_brings_it_back(
    values: Mapping[str, object], people: Mapping[str, Any], why: Sequence[Why]
) -> None:
    for state in (ACTIVE, SUSPENDED):
        assert outcome(judge(values, state=state, **people)) == (SUSPENDED, tuple(why))
    assert judge(values, state=PENDING, **people).binding.state is PENDING
    assert outcome(judge(state=SUSPENDED)) == (ACTIVE, ())


@pytest.mark.requirement("ULQ-D3")
def test_a_lapsed_donor_goes_on_where_the_region_keeps_the_money() -> None:
    assert outcome(judge({"donor.lapse": "KEEP"}, donor=PAUSED_NOW)) == (ACTIVE, ())


def test_a_pause_acts_from_the_first_of_the_next_month() -> None:
    lapsing = person(2, paused(since=date(2025, 5, 3)))
    days = [date(2025, 5, 31), date(2025, 6, 1)]
    states = [judge(donor=lapsing, today=day).binding.state for day in days]
    assert states == [ACTIVE, SUSPENDED]


def test_of_several_enrolments_of_the_beneficiary_the_best_counts() -> None:
    both = person(1, gone(insurance=RESIDENT), enrolment(EMPLOYEE))
    assert outcome(judge(beneficiary=both)) == (ACTIVE, ())
    found = judge(RESIDENTS_ONLY, beneficiary=person(1, gone(), enrolment(EMPLOYEE)))
    assert outcome(found) == (SUSPENDED, (Why.BENEFICIARY_INSURANCE_NOT_ADMITTED,))


def random_period(chance: random.Random, first: date, *, last: bool) -> Period:
    status = chance.choice([*InsuredStatus, InsuredStatus.NORMAL, InsuredStatus.NORMAL])
    open_ended = last and chance.random() < 0.6
    return Period(first, None if open_ended else first + timedelta(chance.randrange(60)), status)


def random_enrolments(chance: random.Random, regions: Sequence[str]) -> Iterator[Enrolment]:
    places = {(chance.choice(list(Insurance)[:2]), chance.choice(regions)) for _ in range(3)}
    for insurance, region in sorted(places)[: chance.randrange(1, 4)]:
        first = TODAY - timedelta(chance.randrange(150))
        periods = []
        for number in range(3):
            periods.append(random_period(chance, first, last=number == 2))
            first = (periods[-1].to or first) + timedelta(chance.randrange(1, 20))
        yield enrolment(insurance, region, *periods)


def random_case(
    number: int,
) -> tuple[random.Random, Binding, Person, Person, Mapping[str, Policy]]:
    chance = random.Random(number)  # noqa: S311 - the same cases in every run
    regions = chance.choice([SERVED[:2], SERVED, (*SERVED, UNSERVED)])
    donor, beneficiary = (
        person(
            which,
            *random_enrolments(chance, regions),
            identities=FUNDED if chance.random() < 0.1 else frozenset(),
        )
        for which in (2, 1)
    )
    values = {
        "donor.lapse": chance.choice(["SUSPEND", "KEEP"]),
        "donor.publicly_funded": chance.random() < 0.5,
        "beneficiary.insurances": chance.choice([["RESIDENT"], ["EMPLOYEE", "RESIDENT"]]),
        "beneficiary.area": chance.choice(["SAME_REGION", "SAME_PROVINCE", "NATION"]),
    }
    rules = {region: policy(values, region) for region in SERVED}
    bound = binding(2, state=chance.choice([ACTIVE, SUSPENDED]))
    return chance, bound, donor, beneficiary, rules


def at_till(
    bound: Binding, donor: Person, beneficiary: Person, rules: Mapping[str, Policy], today: date
) -> bool:
    """Whether a till would find anything against the two people today."""
    enrolled = leading_enrolment(donor, today)
    rule = None if enrolled is None else rules.get(enrolled.region)
    if rule is None:
        return False
    active = replace(bound, state=ACTIVE)
    return any(
        not list(obstacles(active, donor, enrolled, beneficiary, one, rule, Use.MEDICAL, today))
        for one in beneficiary.enrolments
        if one.region in rules
    )


def test_it_is_active_exactly_when_a_till_finds_nothing_against_its_people() -> None:
    states: Counter[BindingState] = Counter()
    for number in range(CASES):
        _, bound, donor, beneficiary, rules = random_case(number)
        found = judged(bound, HOHHOT, donor, beneficiary, rules.get, TODAY)
        states[found.binding.state] += 1
        usable = at_till(bound, donor, beneficiary, rules, TODAY)
        assert (found.binding.state is ACTIVE) == usable, number
        assert (found.binding.state is SUSPENDED) == bool(found.suspended_for), number
    assert min(states[state] for state in (ACTIVE, SUSPENDED, ENDED)) > CASES // 10


def test_nothing_changes_before_the_next_look() -> None:
    for number in range(CASES):
        chance, bound, donor, beneficiary, rules = random_case(number)
        if chance.random() < 0.3:
            bound = replace(bound, effective_to=TODAY + timedelta(chance.randrange(40)))
        found = judged(bound, HOHHOT, donor, beneficiary, rules.get, TODAY)
        if found.binding.state not in LIVING:
            continue
        day = next_check_on(found.binding, (donor, beneficiary), TODAY)
        assert day is not None and TODAY < day <= TODAY + timedelta(30), number
        for later in (TODAY + timedelta(n) for n in range(1, (day - TODAY).days)):
            after = (found.binding, found.donor_region, donor, beneficiary, rules.get, later)
            assert judged(*after) == found, number


@pytest.mark.parametrize(
    ("bound", "periods", "day"),
    [
        ({}, [Period(START)], date(2025, 6, 5)),
        ({"effective_to": date(2025, 5, 20)}, [Period(START)], date(2025, 5, 21)),
        ({"ended_on": TODAY}, [Period(START)], date(2025, 5, 7)),
        ({"effective_to": date.max}, [Period(START, date.max)], date(2025, 6, 5)),
        ({}, [Period(START, date(2025, 5, 9))], date(2025, 5, 10)),
        ({}, [Period(START, TODAY), Period(date(2025, 5, 15))], date(2025, 5, 7)),
        ({}, [Period(date(2025, 5, 15))], date(2025, 5, 15)),
        ({}, [Period(date(2025, 5, 3), None, InsuredStatus.PAUSED)], date(2025, 6, 1)),
        ({}, [Period(date(9999, 12, 1), None, InsuredStatus.PAUSED)], date(2025, 6, 5)),
        ({"state": SUSPENDED}, [Period(START)], date(2025, 6, 5)),
        ({"state": PENDING}, [Period(START)], date(2025, 6, 5)),
        ({"state": ENDED}, [Period(START)], None),
        ({"state": BindingState.EXPIRED}, [Period(START)], None),
    ],
)
def test_the_next_look_is_on_the_first_day_on_which_anything_changes_by_itself(
    bound: Mapping[str, Any], periods: Sequence[Period], day: date | None
) -> None:
    changing = person(1, enrolment(RESIDENT, HOHHOT, *periods))
    for people in ((person(2), changing), (changing, person(2))):
        assert next_check_on(binding(2, **bound), people, TODAY) == day
