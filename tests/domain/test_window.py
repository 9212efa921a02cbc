"""The life of a clearing window, and its days."""

from datetime import date

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.window import (
    STATES,
    WindowEvent,
    WindowState,
    check_confirmer,
    check_over,
    first_day_after,
    last_day_from,
    next_state,
)


def test_a_window_is_closed_then_confirmed_then_settled() -> None:
    state = WindowState.OPEN
    for event in (WindowEvent.CLOSE, WindowEvent.CONFIRM, WindowEvent.SETTLE):
        state = next_state(state, event)
    assert state is WindowState.SETTLED


@pytest.mark.parametrize("state", WindowState)
@pytest.mark.parametrize("event", WindowEvent)
def test_every_other_step_is_refused(state: WindowState, event: WindowEvent) -> None:
    if (state, event) in STATES:
        return
    refusal = errors.WindowNotOpen if event is WindowEvent.CLOSE else errors.WindowStepNotAllowed
    with pytest.raises(refusal):
        next_state(state, event)


def test_a_step_that_is_refused_says_where_the_window_stands() -> None:
    with pytest.raises(errors.WindowStepNotAllowed) as refused:
        next_state(WindowState.SETTLED, WindowEvent.CONFIRM)
    assert "SETTLED" in refused.value.message
    assert "已拨付" in refused.value.message_zh


def test_the_first_window_begins_with_the_month_of_the_first_journal() -> None:
    assert first_day_after(None, date(2026, 2, 17)) == date(2026, 2, 1)


def test_a_window_begins_on_the_day_after_the_one_before() -> None:
    assert first_day_after(date(2026, 2, 17), date(2025, 1, 1)) == date(2026, 2, 18)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2028, 2, 18), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2026, 12, 31)),
    ],
)
def test_a_window_ends_with_the_month_it_begins_in(first: date, last: date) -> None:
    assert last_day_from(first) == last


def test_a_window_is_not_over_on_its_last_day() -> None:
    with pytest.raises(errors.WindowNotEnded, match="not over"):
        check_over(date(2026, 2, 28), date(2026, 2, 28))
    check_over(date(2026, 2, 28), date(2026, 3, 1))


def test_who_closed_a_window_does_not_confirm_it() -> None:
    with pytest.raises(errors.SecondActorRequired):
        check_confirmer("a-1", " A-1")
    check_confirmer("a-1", "a-2")
