"""The life of a binding: every state and event."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from gongji_svc.domain.binding import (
    STATES,
    BindingEvent,
    BindingState,
    last_day_if_ended,
    next_state,
)
from gongji_svc.domain.errors import BindingNotActive, BindingNotPending, UnbindingLocked
from tests.domain.builders import binding, policy

BOUND = binding(2, bound_at=datetime(2025, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("state", "event"), list(product(BindingState, BindingEvent)))
def test_each_state_takes_just_the_events_of_the_table(
    state: BindingState, event: BindingEvent
) -> None:
    if (state, event) in STATES:
        assert next_state(state, event) is STATES[state, event]
    else:
        with pytest.raises((BindingNotPending, BindingNotActive)) as caught:
            next_state(state, event)
        assert caught.value.details == {"state": state}


def test_rejected_ended_and_expired_are_final() -> None:
    left = {state for state, _ in STATES}
    assert left == {BindingState.PENDING_REVIEW, BindingState.ACTIVE, BindingState.SUSPENDED}


def test_a_review_that_is_over_is_told_so() -> None:
    with pytest.raises(BindingNotPending):
        next_state(BindingState.ACTIVE, BindingEvent.APPROVE)


def test_a_binding_runs_from_its_first_to_its_last_day() -> None:
    dated = binding(2, effective_from=date(2025, 2, 1), effective_to=date(2025, 2, 28))
    days = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28), date(2025, 3, 1)]
    assert [dated.runs_on(day) for day in days] == [False, True, True, False]


def test_the_lock_after_binding_says_the_earliest_day() -> None:
    locked = policy({"binding.unbinding_lock": {"months": 3}})
    with pytest.raises(UnbindingLocked) as caught:
        last_day_if_ended(BOUND, locked, date(2025, 3, 31))
    assert caught.value.details == {"earliest_date": "2025-04-01"}
    assert last_day_if_ended(BOUND, locked, date(2025, 4, 1)) == date(2025, 3, 31)


def test_the_end_acts_at_once_or_the_next_day_as_the_policy_says() -> None:
    today = date(2025, 2, 1)
    next_day = policy({"binding.unbinding_effect": "NEXT_DAY"})
    assert last_day_if_ended(BOUND, policy(), today) == date(2025, 1, 31)
    assert last_day_if_ended(BOUND, next_day, today) == today
