"""ConfirmWindow, SettleWindow: a closed window is confirmed (确认), then paid (拨付).

Rule: each step is taken once, in its order. Another official confirms than the one who closed; of
what is confirmed, either of them may record that it was paid. No money moves here.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.window import WindowEvent, WindowState, check_confirmer, next_state
from gongji_svc.services.account_changes import agency_claim, audit_row, id_in
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.services.window_closing import window_facts
from gongji_svc.services.window_view import window_message
from gongji_svc.storage import tables
from gongji_svc.storage.differences import open_differences
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.windows import WindowRow, find_window, open_days, window_from


@dataclass(slots=True)
class StepWindow(AskedCommand):
    """A window that is to take a step; `is_open` where it was not closed yet when it was named."""

    window_id: UUID
    event: WindowEvent
    is_open: bool
    open_differences: int

    def lookups(self) -> Lookups:
        """Nothing: a window's id says whose it is."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key in the agency's region."""
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The window."""
        return Wanted(things=((tables.windows, self.window_id),))

    def decide(self, state: State) -> Decision:
        """The window after the step."""
        row = state.things.get(self.window_id)
        if row is None:
            if self.is_open:
                next_state(WindowState.OPEN, self.event)
            raise errors.WindowNotFound
        before = window_from(row)
        after = self._after(before, state)
        audited = Audited(
            "window", after.id, after.region, window_facts(before), window_facts(after)
        )
        message = window_message(after, self.open_differences)
        return Decision(
            self.asked.method.response(window=message).SerializeToString(),
            result_id=after.id,
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.windows, after.row()),),
        )

    def _after(self, before: WindowRow, state: State) -> WindowRow:
        after = replace(before, state=next_state(before.state, self.event))
        caller = self.asked.caller
        if self.event is WindowEvent.CONFIRM:
            check_confirmer(before.closed_by["actor"], caller.actor)
            return replace(after, confirmed_at=state.now, confirmed_by=acting_as(caller))
        return replace(
            after,
            settled_at=state.now,
            settled_by=acting_as(caller),
            payment_reference=self.asked.message.payment_reference,
        )


def read_confirm_window(office: Office, asked: Asked) -> StepWindow:
    """The command in a ConfirmWindowRequest."""
    return _read(office, asked, WindowEvent.CONFIRM)


def read_settle_window(office: Office, asked: Asked) -> StepWindow:
    """The command in a SettleWindowRequest."""
    return _read(office, asked, WindowEvent.SETTLE)


def _read(office: Office, asked: Asked, event: WindowEvent) -> StepWindow:
    window_id, region = id_in(asked.message.window_id), asked.caller.subject
    if region_of(window_id) != region:
        raise errors.AccessDenied
    with office.database.reader() as tx:
        days, window = open_days(tx, region), find_window(tx, window_id)
        is_open = days is not None and days.window_id == window_id
        count = 0
        if window is not None:
            count = open_differences(tx, region, window.first_day, window.last_day)
    return StepWindow(office, asked, window_id, event, is_open, count)
