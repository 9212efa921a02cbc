"""What changes of accounts by an agency have in common: whose they are, and where money may go.

Rule: an agency changes what stands in the books of its own region; all else is answered like what
does not exist. What one official moves out of an account for good goes to an open one of the same
person, wherever it stands; to anybody else, such as an heir, only two officials together move money
(adjusting.py). A movement counts at the earliest on the day on which the account was opened.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.account_state import check_takes
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.terms import AccountState
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.audit import Audited, doer_of
from gongji_svc.services.days import CLOCKS_DIFFER, instant
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage.ids import made_at, parse_id
from gongji_svc.storage.state import AccountRow, Claim, State, TableRow


def id_in(text: str) -> UUID:
    """The id that a request names; AccessDenied for one that nothing can have."""
    found = parse_id(text)
    if found is None:
        raise errors.AccessDenied
    return found


def owner_of(state: State, owned_id: UUID) -> UUID:
    """Whose it is; AccessDenied where there is no such thing."""
    owner_id = state.owners.get(owned_id)
    if owner_id is None:
        raise errors.AccessDenied
    return owner_id


def known_owners(state: State, owned_ids: Iterable[UUID | None]) -> tuple[UUID, ...]:
    """Whose they are, of those that there are."""
    return tuple(state.owners[one] for one in owned_ids if one and one in state.owners)


def agency_claim(office: Office, asked: Asked) -> Claim:
    """The request key of an agency, in its region."""
    region = asked.caller.subject
    return asked.claim(region, region, office.sealer)


def account_in_books(state: State, asked: Asked, account_id: UUID) -> AccountRow:
    """An account that the agency keeps; AccessDenied for another's."""
    account = state.accounts.get(account_id)
    if account is None or account.pool_region != asked.caller.subject:
        raise errors.AccessDenied
    return account


def account_to_take(
    state: State, giver_id: UUID, owner_id: UUID, account_id: UUID | None
) -> AccountRow:
    """The open account of `owner_id` that takes what the owner's account `giver_id` gives up.

    TransferAccountUnsuitable for any other, whether or not there is one.
    """
    account = None if account_id is None else state.accounts.get(account_id)
    if account is None or account.person_id != owner_id or account.id == giver_id:
        raise errors.TransferAccountUnsuitable
    if account.state != AccountState.OPEN:
        raise errors.TransferAccountUnsuitable
    return account


def memo_of_transfer(reason: str, giver_id: UUID) -> str:
    """What the owner reads beside money that comes from another of the own accounts."""
    return f"{reason}（转自个人账户{giver_id}）"


def check_room(account: AccountRow, amount_fen: int) -> None:
    """AccountClosed, or BalanceTooLarge, where an account cannot take an amount."""
    check_takes(AccountState(account.state), account.balance_fen, amount_fen)


def occurred_at_in(message: Any) -> datetime | None:
    """When a movement counts, None where the request leaves it out; InvalidField for no moment."""
    if not message.HasField("occurred_at"):
        return None
    return instant("occurred_at", message.occurred_at)


def check_occurred(account: AccountRow, occurred_at: datetime | None, now: datetime) -> None:
    """OccurredInFuture for what lies ahead by more than clocks differ, InvalidField for what lies
    before the day on which the account was opened; both name the field.
    """
    if occurred_at is None:
        return
    if occurred_at > now + CLOCKS_DIFFER:
        raise errors.OccurredInFuture
    opened_on = day_of(min(made_at(account.id), now))  # the clock of the demo may be set back
    if day_of(occurred_at) < opened_on:
        raise messages.invalid(Violation("occurred_at", f"不能早于开户日期{opened_on}"))


def audit_row(asked: Asked, audited: Audited, state: State) -> TableRow:
    """The record of what a member of staff changed."""
    return audited.row(doer_of(asked, acting_as(asked.caller)), state.now)
