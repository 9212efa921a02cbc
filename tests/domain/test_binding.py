"""The life of a binding: every state and event."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from gongji_svc.domain.binding import (
    STATES,
    BindingEvent,
    BindingState,
    after,
    ended_by_side,
    next_state,
    revoked,
)
from gongji_svc.domain.errors import BindingNotActive, BindingNotPending, UnbindingLocked
from gongji_svc.domain.wording import BINDING_STATE_ZH
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
        assert caught.value.details == {"state": state, "state_zh": BINDING_STATE_ZH[state]}


def test_rejected_ended_and_expired_are_final() -> None:
    left = {state for state, _ in STATES}
    assert left == {BindingState.PENDING_REVIEW, BindingState.ACTIVE, BindingState.SUSPENDED}


def test_a_review_that_is_over_is_told_so() -> None:
    with pytest.raises(BindingNotPending) as caught:
        next_state(BindingState.ACTIVE, BindingEvent.APPROVE)
    assert "ACTIVE" in caught.value.message
    assert "当前状态：已生效" in caught.value.message_zh


@pytest.mark.parametrize("state", BindingState)
def test_people_are_told_a_state_in_chinese(state: BindingState) -> None:
    refusal = BindingNotActive(state=state, state_zh=BINDING_STATE_ZH[state])
    assert state in refusal.message
    assert refusal.message_zh.startswith(f"该共济关系当前状态（{BINDING_STATE_ZH[state]}）")
    assert not any(letter.isascii() for letter in BINDING_STATE_ZH[state])


def test_a_binding_runs_from_its_first_to_its_last_day() -> None:
    dated = binding(2, effective_from=date(2025, 2, 1), effective_to=date(2025, 2, 28))
    days = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28), date(2025, 3, 1)]
    assert [dated.runs_on(day) for day in days] == [False, True, True, False]


def test_the_lock_after_binding_says_the_earliest_day() -> None:
    locked = policy({"binding.unbinding_lock": {"months": 3}})
    with pytest.raises(UnbindingLocked) as caught:
        ended_by_side(BOUND, locked, date(2025, 3, 31))
    assert caught.value.details == {"earliest_date": "2025-04-01"}
    assert ended_by_side(BOUND, locked, date(2025, 4, 1)).state is BindingState.ENDED


def test_the_end_acts_at_once_or_the_next_day_as_the_policy_says() -> None:
    today = date(2025, 2, 1)
    next_day = policy({"binding.unbinding_effect": "NEXT_DAY"})
    at_once = ended_by_side(BOUND, policy(), today)
    assert (at_once.state, at_once.ended_on) == (BindingState.ENDED, today)
    later = ended_by_side(BOUND, next_day, today)
    assert (later.state, later.ended_on, later.effective_to) == (BindingState.ACTIVE, today, today)
    assert later.runs_on(today)
    assert not later.runs_on(date(2025, 2, 2))


def test_what_has_not_begun_ends_at_once() -> None:
    next_day = policy({"binding.unbinding_effect": "NEXT_DAY"})
    to_come = binding(2, effective_from=date(2025, 3, 1))
    ended = ended_by_side(to_come, next_day, date(2025, 2, 1))
    assert ended.state is BindingState.ENDED


def test_an_end_to_come_cannot_be_ordered_twice_but_revoked() -> None:
    today = date(2025, 2, 1)
    next_day = policy({"binding.unbinding_effect": "NEXT_DAY"})
    later = ended_by_side(BOUND, next_day, today)
    with pytest.raises(BindingNotActive):
        ended_by_side(later, next_day, today)
    assert revoked(later, today).state is BindingState.ENDED


def test_an_application_can_be_withdrawn_whatever_the_lock_and_was_never_approved() -> None:
    locked = policy({"binding.unbinding_lock": {"months": 3}})
    waiting = binding(2, state=BindingState.PENDING_REVIEW, approved=False)
    withdrawn = ended_by_side(waiting, locked, date(2025, 1, 2))
    assert (withdrawn.state, withdrawn.approved) == (BindingState.ENDED, False)


def test_a_revocation_knows_no_lock() -> None:
    assert revoked(BOUND, date(2025, 1, 2)).state is BindingState.ENDED


def test_an_approval_makes_it_count_for_a_lifetime() -> None:
    waiting = binding(2, state=BindingState.PENDING_REVIEW, approved=False)
    assert after(waiting, BindingEvent.APPROVE).approved
    assert not after(waiting, BindingEvent.REJECT).approved
