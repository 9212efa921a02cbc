"""An account's entries (账户明细): by pages, as a table, and the balance as of an instant.

Rule: entries only grow at their newest end, so pages and exports are stable; a balance is told only
for an instant that nothing can be recorded at any more.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import Violation
from gongji_svc.services import entry_csv, messages, paging
from gongji_svc.services.account_readers import account_seen
from gongji_svc.services.days import instant
from gongji_svc.services.entry_view import entry_message
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage.entry_reads import (
    Choice,
    booked_until,
    last_entry,
    list_entries,
    read_names,
)
from gongji_svc.storage.state import AccountRow

_ROWS_A_PIECE = 300  # at their longest they fit the contract's 1 MiB
_SEQ_BYTES = 8


def list_of_entries(
    office: Office, caller: Caller, request: pb.ListEntriesRequest
) -> pb.ListEntriesResponse:
    """A page of an account's entries by seq; AccessDenied for an account that is missing or not the
    caller's to see.
    """
    position = paging.position_in(request, office.sealer)
    after = None if position is None else int.from_bytes(position)
    size = paging.size_of(request)
    account = account_seen(office, caller, request.account_id)
    with office.database.reader() as tx:
        found = list_entries(tx, _choice(account, request), after, size + 1)
        page = found[:size]
        names = read_names(tx, page, office.sealer)
    response = pb.ListEntriesResponse(
        entries=[entry_message(office, one, account.person_id, names) for one in page]
    )
    if len(found) > size:
        last = page[-1].seq.to_bytes(_SEQ_BYTES)
        response.next_page_token = paging.token_after(request, last, office.sealer)
    return response


def export_entries(
    office: Office, caller: Caller, request: pb.ExportEntriesRequest
) -> Generator[pb.ExportEntriesResponse, None, None]:
    """All the entries that a list would show, as CSV; AccessDenied as there.

    A piece is read when it is asked for: a slow client holds neither memory nor a transaction.
    """
    account = account_seen(office, caller, request.account_id)
    choice = _choice(account, request)
    yield pb.ExportEntriesResponse(chunk=entry_csv.heading())
    after = None
    while True:
        with office.database.reader() as tx:
            found = list_entries(tx, choice, after, _ROWS_A_PIECE)
            names = read_names(tx, found, office.sealer)
        shown = (entry_message(office, one, account.person_id, names) for one in found)
        if found:
            yield pb.ExportEntriesResponse(chunk=entry_csv.rows(shown))
        if len(found) < _ROWS_A_PIECE:
            return
        after = found[-1].seq


def get_historical_balance(
    office: Office, caller: Caller, request: pb.GetHistoricalBalanceRequest
) -> pb.GetHistoricalBalanceResponse:
    """The balance, fen, after the last entry recorded at an instant or before; 0 before the first.

    AccessDenied as for a list; InvalidField for an instant that is not over.
    """
    at = instant("at", request.at)
    account = account_seen(office, caller, request.account_id)
    with office.database.transaction() as tx:
        until = booked_until(tx, account.id) + office.clock_offset
        if at >= until:
            raise messages.invalid(Violation("at", "该时刻的余额还不能确定，请改为更早的时间"))
        last = last_entry(tx, account.id, at)
    response = pb.GetHistoricalBalanceResponse(at=request.at)
    if last is not None:
        response.balance_fen, response.seq = last.balance_after_fen, last.seq
    return response


def _choice(account: AccountRow, request: Any) -> Choice:
    """The filters that a list and an export have in common."""
    return Choice(
        account_id=account.id,
        occurred_from=_moment(request, "occurred_from"),
        occurred_to=_moment(request, "occurred_to"),
        kinds=frozenset(enum_name(pb.EntryKind, number) for number in request.kinds),
        beneficiary_id=UUID(request.beneficiary_id) if request.beneficiary_id else None,
        ascending=request.ascending,
    )


def _moment(request: Any, name: str) -> datetime | None:
    return instant(name, getattr(request, name)) if request.HasField(name) else None
