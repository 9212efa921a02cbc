"""Closes clearing windows by itself, where a region's rules say after how many days.

Rule: what an official could not close, such as a window with a difference that is open, stays open
until its cause is gone. Any number of processes may try; a window is closed once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gongji_svc.domain.errors import WindowHasDifferences, WindowNotOpen
from gongji_svc.services.audit import worker
from gongji_svc.services.office import Office
from gongji_svc.services.window_closing import Closing, prepare
from gongji_svc.storage import tables
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.windows import Days, next_region, open_days

JOB = "close-windows"

_log = structlog.get_logger()
_NEVER = float("inf")


@dataclass(slots=True)
class CloseByItself:
    """A window to be closed by the worker."""

    closing: Closing
    deadline: float = _NEVER

    def lookups(self) -> Lookups:
        """Nothing: the window is known."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """Nothing is claimed, for a second close is refused."""
        return Keys()

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The window, where it has been closed by now."""
        return Wanted(things=((tables.windows, self.closing.window.id),))

    def decide(self, state: State) -> Decision:
        """The window closed."""
        by = {"role": "", "subject": self.closing.window.region, "actor": JOB}
        return self.closing.decision(state, by, worker(JOB))

    def field_name(self, number: int) -> str:
        """What closes by itself has no request and so no fields."""
        raise KeyError(number)


def close_windows(office: Office) -> int:
    """Close the windows that are due; how many."""
    return sum(_close(office, days) for days in _due(office))


def _due(office: Office) -> Iterator[Days]:
    """The open windows whose region has them closed by now."""
    region: str | None = ""
    while region is not None:
        with office.database.reader() as tx:
            region = next_region(tx, region)
            days = None if region is None else open_days(tx, region)
        if days is not None and _is_due(office, days):
            yield days


def _is_due(office: Office, days: Days) -> bool:
    today = office.today()
    policy = office.find_policy(days.region, today)
    after_days = None if policy is None else policy.close_after_days
    if after_days is None:
        return False
    return today > days.last_day and today >= days.last_day + timedelta(days=after_days)


def _close(office: Office, days: Days) -> int:
    try:
        office.run(CloseByItself(prepare(office, days.region, days.window_id, None)))
    except (WindowHasDifferences, WindowNotOpen) as refusal:
        _log.info("a window is not closed", region=days.region, reason=refusal.reason)
        return 0
    return 1
