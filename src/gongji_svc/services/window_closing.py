"""CloseWindow: a region's open window becomes a closed one, with its positions (关账).

Rule: a window is closed when all its days are over and none of its differences is open. Its days
are ended first, so that no journal falls into them any more; what is summed then is all there ever
is, so it is read before the batch, and the batch only makes sure that nobody closed the window
meanwhile. A refusal waits for the batch: a repeat of an answered request comes before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal, Violation
from gongji_svc.domain.position import Position
from gongji_svc.domain.window import (
    WindowEvent,
    check_over,
    next_state,
)
from gongji_svc.services import messages
from gongji_svc.services.account_changes import agency_claim, id_in
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Doer, Facts, doer_of
from gongji_svc.services.days import day_in
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.services.window_view import window_message, window_of
from gongji_svc.storage import tables
from gongji_svc.storage.clearing_days import days_ended, end_days
from gongji_svc.storage.clearing_sums import hold_still, positions_over, totals_over
from gongji_svc.storage.differences import open_differences
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.windows import (
    By,
    Days,
    WindowRow,
    find_window,
    open_days,
    position_row,
)


@dataclass(frozen=True, slots=True)
class Closing:
    """A window that may be closed, its positions, and the window that is open then."""

    window: WindowRow
    positions: Sequence[Position]
    next_window: WindowRow
    next_differences: int

    def decision(self, state: State, by: By, doer: Doer) -> Decision:
        """The window closed now; WindowNotOpen where another closed it meanwhile."""
        if self.window.id in state.things:
            raise errors.WindowNotOpen
        after = next_state(self.window.state, WindowEvent.CLOSE)
        closed = replace(self.window, state=after, closed_at=state.now, closed_by=by)
        answer = pb.CloseWindowResponse(
            window=window_message(closed, 0),
            next_window=window_message(self.next_window, self.next_differences),
        )
        audited = Audited("window", closed.id, closed.region, {}, window_facts(closed))
        rows = (position_row(closed.region, closed.id, one) for one in self.positions)
        return Decision(
            answer.SerializeToString(),
            result_id=closed.id,
            new=(
                (tables.windows, closed.row()),
                *((tables.window_positions, row) for row in rows),
                audited.row(doer, state.now),
            ),
        )


@dataclass(slots=True)
class CloseWindow(AskedCommand):
    """A window to be closed, or why it can't be."""

    closing: Closing | Refusal

    def lookups(self) -> Lookups:
        """Nothing: the region is the agency's own."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key in the agency's region."""
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The window, where it has been closed by now."""
        if isinstance(self.closing, Refusal):
            return Wanted()
        return Wanted(things=((tables.windows, self.closing.window.id),))

    def decide(self, state: State) -> Decision:
        """The window closed, and the next one open."""
        if isinstance(self.closing, Refusal):
            raise self.closing
        by = acting_as(self.asked.caller)
        return self.closing.decision(state, by, doer_of(self.asked, by))


def prepare(office: Office, region: str, window_id: UUID | None, last_day: date | None) -> Closing:
    """The open window of a region with all its sums, ready to be closed, or the first refusal that
    applies. `window_id` is which the caller takes for the open one, `last_day` the last day where
    it is not the window's own.
    """
    with office.database.reader() as tx:
        today, ended = days_ended(tx, office.clock_offset)
        days = open_days(tx, region)
        if window_id is not None and (days is None or days.window_id != window_id):
            known = region_of(window_id) == region and find_window(tx, window_id)
            raise errors.WindowNotOpen if known else errors.WindowNotFound
        if days is None:
            raise errors.WindowNotFound
        days = _until(days, last_day, today)
        if open_differences(tx, region, days.first_day, days.last_day):
            raise errors.WindowHasDifferences
    if not ended:
        end_days(office.database, office.clock_offset)
    return _summed(office, days)


def _until(days: Days, last_day: date | None, today: date) -> Days:
    """The days with the last one asked for, all of them over."""
    if last_day is not None:
        if last_day < days.first_day:
            wrong = f"不能早于清算期的第一天{days.first_day}"
            raise messages.invalid(Violation("last_day", wrong))
        days = replace(days, last_day=last_day)
    check_over(days.last_day, today)
    return days


def _summed(office: Office, days: Days) -> Closing:
    with office.database.reader() as tx:
        hold_still(tx)
        window, positions = _as_it_stands(tx, days)
        return Closing(window, positions, *open_window(tx, days.following))


def open_window(tx: Any, days: Days) -> tuple[WindowRow, int]:
    """A window that is open as it stands now, and its differences that are open."""
    window, _ = _as_it_stands(tx, days)
    return window, open_differences(tx, days.region, days.first_day, days.last_day)


def _as_it_stands(tx: Any, days: Days) -> tuple[WindowRow, Sequence[Position]]:
    positions = positions_over(tx, days.region, days.first_day, days.last_day)
    totals = totals_over(tx, days.region, days.first_day, days.last_day)
    return window_of(days, totals, positions), positions


def window_facts(window: WindowRow) -> Facts:
    """What is audited of a window."""
    return {
        "state": window.state.value,
        "first_day": window.first_day.isoformat(),
        "last_day": window.last_day.isoformat(),
        "payable_fen": window.payable_fen,
        "net_fen": window.net_fen,
        "payment_reference": window.payment_reference,
    }


def read_close_window(office: Office, asked: Asked) -> CloseWindow:
    """The command in a CloseWindowRequest."""
    message = asked.message
    window_id = id_in(message.window_id) if message.window_id else None
    if window_id is not None and region_of(window_id) != message.region:
        raise errors.AccessDenied
    last_day = day_in(message, "last_day")
    closing: Closing | Refusal
    try:
        closing = prepare(office, message.region, window_id, last_day)
    except Refusal as refusal:
        closing = refusal
    return CloseWindow(office, asked, closing)
