"""AccountService: accounts are opened, credited and looked at.

Rule: who may look is decided by `account_readers.py`, for every read alike.
"""

from collections.abc import Iterable
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.terms import AccountState
from gongji_svc.services import messages, paging
from gongji_svc.services.account_readers import accounts_seen
from gongji_svc.services.account_states import (
    read_close_account,
    read_freeze_account,
    read_unfreeze_account,
)
from gongji_svc.services.account_view import account_message
from gongji_svc.services.adjusting import (
    list_of_adjustments,
    read_decide_adjustment,
    read_propose_adjustment,
)
from gongji_svc.services.crediting import BATCH_CREDIT, read_credit
from gongji_svc.services.entries import export_entries, get_historical_balance, list_of_entries
from gongji_svc.services.hold_reads import get_hold, list_of_holds
from gongji_svc.services.hold_resolving import read_capture_hold, read_release_hold
from gongji_svc.services.holding import read_create_hold
from gongji_svc.services.office import Office
from gongji_svc.services.opening import read_open_account
from gongji_svc.services.suspense import list_suspense, read_resolve_suspense
from gongji_svc.services.watching import begin_watch
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.state import AccountRow

_ID_BYTES = 16


def get_account(
    office: Office, caller: Caller, request: pb.GetAccountRequest
) -> pb.GetAccountResponse:
    """An account by its id, or the only one that a person has not closed.

    AccessDenied for one that is missing or not the caller's to see.
    """
    account_id, owner_id = parse_id(request.account_id), parse_id(request.person_id)
    owned, seen = accounts_seen(office, caller, owner_id, account_id)
    wanted = _only_one(seen) if account_id is None else _with_id(seen, account_id)
    return pb.GetAccountResponse(account=account_message(office, wanted, owned, office.today()))


def _with_id(accounts: Iterable[AccountRow], account_id: UUID) -> AccountRow:
    for account in accounts:
        if account.id == account_id:
            return account
    raise errors.AccessDenied


def _only_one(accounts: Iterable[AccountRow]) -> AccountRow:
    unclosed = [account for account in accounts if not _closed(account)]
    if not unclosed:
        raise errors.AccountNotFound
    if len(unclosed) > 1:
        raise messages.invalid(Violation("account_id", "该参保人有多个个人账户，请指明账户编号"))
    return unclosed[0]


def list_accounts(
    office: Office, caller: Caller, request: pb.ListAccountsRequest
) -> pb.ListAccountsResponse:
    """A page of a person's accounts; AccessDenied for a person out of the caller's reach."""
    position = paging.position_in(request, office.sealer)
    owned, seen = accounts_seen(office, caller, parse_id(request.person_id))
    if position is None:
        last, first = None, {one.id for one in seen if not _closed(one)}
    else:
        last, first = _place(position)
    places = {one.id: (one.id not in first, one.id) for one in seen}
    rest = sorted(seen, key=lambda one: places[one.id])
    if last is not None:
        rest = [one for one in rest if places[one.id] > (last not in first, last)]
    page = rest[: paging.size_of(request)]
    today = office.today()
    response = pb.ListAccountsResponse(
        accounts=[account_message(office, one, owned, today) for one in page]
    )
    if len(rest) > len(page):
        after = b"".join(one.bytes for one in (page[-1].id, *sorted(first)))
        response.next_page_token = paging.token_after(request, after, office.sealer)
    return response


def _place(position: bytes) -> tuple[UUID, set[UUID]]:
    """The last account shown, and those that were not closed when the first page was asked for.

    They stay first: an account that is closed between two pages comes neither twice nor never.
    """
    starts = range(0, len(position), _ID_BYTES)
    last, *first = (UUID(bytes=position[start : start + _ID_BYTES]) for start in starts)
    return last, set(first)


def _closed(account: AccountRow) -> bool:
    return account.state == AccountState.CLOSED


COMMANDS = {
    "OpenAccount": read_open_account,
    "FreezeAccount": read_freeze_account,
    "UnfreezeAccount": read_unfreeze_account,
    "CloseAccount": read_close_account,
    "CreateHold": read_create_hold,
    "CaptureHold": read_capture_hold,
    "ReleaseHold": read_release_hold,
    "Credit": read_credit,
    "ProposeAdjustment": read_propose_adjustment,
    "DecideAdjustment": read_decide_adjustment,
    "ResolveSuspense": read_resolve_suspense,
}
BATCHES = {"BatchCredit": BATCH_CREDIT}
READS = {
    "GetAccount": get_account,
    "ListAccounts": list_accounts,
    "ListAdjustments": list_of_adjustments,
    "ListEntries": list_of_entries,
    "GetHistoricalBalance": get_historical_balance,
    "GetHold": get_hold,
    "ListHolds": list_of_holds,
    "ListSuspense": list_suspense,
}
DOWNLOADS = {"ExportEntries": export_entries}
WATCHES = {"WatchAccount": begin_watch}
