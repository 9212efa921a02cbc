"""GetWindow, ListWindows, ListPositions: what an agency reads of its region's windows.

Rule: an agency reads its own region's windows and nobody else's, whether they exist or not. A
closed window is read as it was kept; an open one is summed at the moment of the call.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.position import Position, PositionKind
from gongji_svc.domain.window import WindowState
from gongji_svc.services import paging
from gongji_svc.services.account_changes import id_in
from gongji_svc.services.account_view import region_name
from gongji_svc.services.days import day_in
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.window_closing import open_window
from gongji_svc.services.window_view import position_message, window_message
from gongji_svc.storage.clearing_sums import hold_still, positions_over
from gongji_svc.storage.differences import open_differences
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.institutions import find_institutions
from gongji_svc.storage.windows import (
    Days,
    WindowRow,
    find_window,
    list_windows,
    open_days,
    positions_of,
    window_on,
)

_ORDINAL_BYTES = 4


def get_window(
    office: Office, caller: Caller, request: pb.GetWindowRequest
) -> pb.GetWindowResponse:
    """A window by its id, else the one that a day is in, else the open one; AccessDenied for
    another region's.
    """
    on_date = day_in(request, "on_date")
    window_id = id_in(request.window_id) if request.window_id else None
    if window_id is not None and region_of(window_id) != caller.subject:
        raise errors.AccessDenied
    if request.region not in ("", caller.subject):
        raise errors.AccessDenied
    with office.database.reader() as tx:
        hold_still(tx)
        days = open_days(tx, caller.subject)
        if days is not None and _is_open(days, window_id, on_date):
            return pb.GetWindowResponse(window=window_message(*open_window(tx, days)))
        window = _closed(tx, caller.subject, window_id, on_date)
        if window is None:
            raise errors.WindowNotFound
        return pb.GetWindowResponse(window=_message(tx, window))


def _is_open(days: Days, window_id: UUID | None, on_date: date | None) -> bool:
    if window_id is not None and window_id != days.window_id:
        return False
    return on_date is None or days.first_day <= on_date <= days.last_day


def _closed(tx: Any, region: str, window_id: UUID | None, on_date: date | None) -> WindowRow | None:
    if window_id is None:
        return None if on_date is None else window_on(tx, region, on_date)
    window = find_window(tx, window_id)
    if window is None or on_date is None:
        return window
    return window if window.first_day <= on_date <= window.last_day else None


def _message(tx: Any, window: WindowRow) -> pb.Window:
    days = (window.first_day, window.last_day)
    return window_message(window, open_differences(tx, window.region, *days))


def list_of_windows(
    office: Office, caller: Caller, request: pb.ListWindowsRequest
) -> pb.ListWindowsResponse:
    """A page of the windows of the agency's region, newest first; the open one is the first."""
    position, size = paging.position_in(request, office.sealer), paging.size_of(request)
    before = None if position is None else date.fromordinal(int.from_bytes(position, "big"))
    states = frozenset(WindowState(enum_name(pb.WindowState, one)) for one in request.states)
    with office.database.reader() as tx:
        hold_still(tx)
        shown = []
        days = open_days(tx, caller.subject) if before is None else None
        if days is not None and (not states or WindowState.OPEN in states):
            shown.append(open_window(tx, days))
        left = size + 1 - len(shown)
        for window in list_windows(tx, caller.subject, states, before, left):
            ends = (window.first_day, window.last_day)
            shown.append((window, open_differences(tx, window.region, *ends)))
    page = shown[:size]
    response = pb.ListWindowsResponse(windows=[window_message(*one) for one in page])
    if len(shown) > size:
        place = page[-1][0].first_day.toordinal().to_bytes(_ORDINAL_BYTES, "big")
        response.next_page_token = paging.token_after(request, place, office.sealer)
    return response


def list_of_positions(
    office: Office, caller: Caller, request: pb.ListPositionsRequest
) -> pb.ListPositionsResponse:
    """A page of a window's positions, institutions first, each kind by code; AccessDenied for
    another region's window.
    """
    position, size = paging.position_in(request, office.sealer), paging.size_of(request)
    after = None if position is None else _place(position)
    window_id = id_in(request.window_id)
    if region_of(window_id) != caller.subject:
        raise errors.AccessDenied
    kind = None
    if request.kind:
        kind = PositionKind(enum_name(pb.PositionKind, request.kind))
    with office.database.reader() as tx:
        hold_still(tx)
        found = _positions(tx, window_id, kind, after, size + 1)
        page = found[:size]
        names = _names(office, tx, page)
    response = pb.ListPositionsResponse(positions=[position_message(one, names) for one in page])
    if len(found) > size:
        place = " ".join(page[-1].place).encode()
        response.next_page_token = paging.token_after(request, place, office.sealer)
    return response


def _place(position: bytes) -> tuple[str, str]:
    kind, _, code = position.decode().partition(" ")
    return kind, code


def _positions(
    tx: Any, window_id: UUID, kind: PositionKind | None, after: tuple[str, str] | None, limit: int
) -> Sequence[Position]:
    """The positions kept of a closed window, else those of the open one as it stands now."""
    if find_window(tx, window_id) is not None:
        return positions_of(tx, window_id, kind, after, limit)
    region = region_of(window_id)
    days = open_days(tx, region)
    if days is None or days.window_id != window_id:
        raise errors.WindowNotFound
    now = positions_over(tx, region, days.first_day, days.last_day)
    of_kind = (one for one in now if kind in (None, one.kind))
    return [one for one in of_kind if after is None or one.place > after][:limit]


def _names(office: Office, tx: Any, page: Iterable[Position]) -> Mapping[str, str]:
    by_kind: dict[PositionKind, set[str]] = {kind: set() for kind in PositionKind}
    for one in page:
        by_kind[one.kind].add(one.code)
    institutions = find_institutions(tx, by_kind[PositionKind.INSTITUTION])
    today = office.today()
    regions = by_kind[PositionKind.REGION]
    return {
        **{region: region_name(office, region, today) for region in regions},
        **{code: one.name for code, one in institutions.items()},
    }
