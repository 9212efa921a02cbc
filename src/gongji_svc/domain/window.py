"""The life of a clearing window (清算期): its days, its states, and which event leads where.

Rule: the table below is the whole state machine; what is not in it is refused. Windows of a region
follow each other without a gap: the first begins with the month of the region's first journal, each
other on the day after the one before. Whoever closed a window does not confirm it.
"""

from datetime import date, timedelta
from enum import StrEnum

from gongji_svc.domain.access import same_actor
from gongji_svc.domain.calendar import first_of_next_month
from gongji_svc.domain.errors import (
    SecondActorRequired,
    WindowNotEnded,
    WindowNotOpen,
    WindowStepNotAllowed,
)

_A_DAY = timedelta(days=1)


class WindowState(StrEnum):
    """Where a window stands."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CONFIRMED = "CONFIRMED"
    SETTLED = "SETTLED"


class WindowEvent(StrEnum):
    """What happens to a window."""

    CLOSE = "CLOSE"
    CONFIRM = "CONFIRM"
    SETTLE = "SETTLE"


STATES: dict[tuple[WindowState, WindowEvent], WindowState] = {
    (WindowState.OPEN, WindowEvent.CLOSE): WindowState.CLOSED,
    (WindowState.CLOSED, WindowEvent.CONFIRM): WindowState.CONFIRMED,
    (WindowState.CONFIRMED, WindowEvent.SETTLE): WindowState.SETTLED,
}

_STATE_ZH: dict[WindowState, str] = {
    WindowState.OPEN: "归集中",
    WindowState.CLOSED: "已关账",
    WindowState.CONFIRMED: "已确认",
    WindowState.SETTLED: "已拨付",
}


def next_state(state: WindowState, event: WindowEvent) -> WindowState:
    """The state after an event; WindowNotOpen for a second close, WindowStepNotAllowed for any
    other step that is not the next.
    """
    after = STATES.get((state, event))
    if after is not None:
        return after
    if event is WindowEvent.CLOSE:
        raise WindowNotOpen
    raise WindowStepNotAllowed(state=state.value, state_zh=_STATE_ZH[state])


def check_confirmer(closer: str, confirmer: str) -> None:
    """SecondActorRequired when the actor who confirms is the one who closed."""
    if same_actor(closer, confirmer):
        raise SecondActorRequired


def check_over(last_day: date, today: date) -> None:
    """WindowNotEnded while the last day of a window is not over."""
    if last_day >= today:
        raise WindowNotEnded(last_day=last_day.isoformat())


def first_day_after(last_closed: date | None, first_journal: date) -> date:
    """The first day of the open window: the day after the last closed one's, else the first of the
    month of the region's first journal.
    """
    if last_closed is None:
        return first_journal.replace(day=1)
    return last_closed + _A_DAY


def last_day_from(first_day: date) -> date:
    """The last day of a window, where nobody says otherwise: that of the month it begins in."""
    return first_of_next_month(first_day) - _A_DAY
