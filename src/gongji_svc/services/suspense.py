"""ListSuspense, ResolveSuspense: money that came back for closed accounts (暂存款).

Rule: the agency deals with an item once: it pays it into an open account of the same person, or
records how it was paid out. Either way it leaves suspense by a journal.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.suspense import SuspenseState, resolved, suspense_line
from gongji_svc.services import paging
from gongji_svc.services.account_changes import (
    account_to_take,
    agency_claim,
    audit_row,
    check_room,
    id_in,
    known_owners,
    memo_of_transfer,
    owner_of,
)
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts
from gongji_svc.services.binding_view import actor
from gongji_svc.services.days import timestamp
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage import tables
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.suspense import SuspenseRow, list_items


@dataclass(slots=True)
class ResolveSuspense(AskedCommand):
    """An item to be dealt with; `target_id` is the account that takes it, where one does."""

    suspense_id: UUID
    target_id: UUID | None

    def lookups(self) -> Lookups:
        """Whose account it came back for, and whose takes it."""
        item = (tables.suspense, self.suspense_id)
        if self.target_id is None:
            return Lookups(owned=(item,))
        return Lookups(owned=(item, (tables.accounts, self.target_id)))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        owner_of(state, self.suspense_id)
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:
        """Both owners' accounts, and the item."""
        return Wanted(
            accounts_of=known_owners(state, (self.suspense_id, self.target_id)),
            things=((tables.suspense, self.suspense_id),),
        )

    def decide(self, state: State) -> Decision:
        """The item, dealt with, and the money out of suspense."""
        before = SuspenseRow(*state.things[self.suspense_id])
        message, caller = self.asked.message, self.asked.caller
        if before.pool_region != caller.subject:
            raise errors.AccessDenied
        after = replace(
            before,
            state=resolved(SuspenseState(before.state)).value,
            payout_reference=message.payout_reference,
            resolved_by=acting_as(caller),
            resolved_at=state.now,
            reason=message.reason,
        )
        target = None
        if not message.payout_reference:
            target = account_to_take(state, before.account_id, before.owner_id, self.target_id)
            check_room(target, before.amount_fen)
            after = replace(after, transfer_to_account_id=target.id)
        # From here on the money moves.
        audited = Audited(
            "suspense", after.id, after.pool_region, _facts(before), _facts(after), after.reason
        )
        return Decision(
            pb.ResolveSuspenseResponse(item=_message(after)).SerializeToString(),
            result_id=after.id,
            journals=(_journal(after, target, state.now),),
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.suspense, after.row()),),
        )


def _journal(item: SuspenseRow, target: AccountRow | None, now: datetime) -> Journal:
    region, amount_fen, memo = item.pool_region, item.amount_fen, item.reason
    lines = [suspense_line(region, item.account_id, -amount_fen)]
    postings = []
    if target is None:
        lines.append(Line(region, Side.PAYOUT, item.payout_reference, amount_fen))
    else:
        memo = memo_of_transfer(memo, item.account_id)
        postings.append(Posting(target.id, target.pool_region, EntryKind.SUSPENSE, amount_fen))
    return Journal(
        journal_id=new_id(region),
        home=region,
        occurred_at=now,
        postings=postings,
        lines=lines,
        source_id=item.id,
        counterparty=region,
        memo=memo,
    )


def _facts(item: SuspenseRow) -> Facts:
    taker = item.transfer_to_account_id
    return {
        "account_id": str(item.account_id),
        "amount_fen": item.amount_fen,
        "state": item.state,
        "transfer_to_account_id": None if taker is None else str(taker),
        "payout_reference": item.payout_reference,
    }


def _message(kept: SuspenseRow) -> pb.SuspenseItem:
    return pb.SuspenseItem(
        suspense_id=str(kept.id),
        account_id=str(kept.account_id),
        region=kept.pool_region,
        amount_fen=kept.amount_fen,
        source_id=_text(kept.source_id),
        state=enum_number(pb.SuspenseState, kept.state),
        recorded_at=timestamp(kept.recorded_at),
        transfer_to_account_id=_text(kept.transfer_to_account_id),
        payout_reference=kept.payout_reference,
        resolved_by=actor(kept.resolved_by) if kept.resolved_by else None,
        resolved_at=None if kept.resolved_at is None else timestamp(kept.resolved_at),
        reason=kept.reason,
    )


def _text(found: UUID | None) -> str:
    return "" if found is None else str(found)


def list_suspense(
    office: Office, caller: Caller, request: pb.ListSuspenseRequest
) -> pb.ListSuspenseResponse:
    """A page of what the agency's region holds for closed accounts, newest first."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    states = frozenset(
        SuspenseState(enum_name(pb.SuspenseState, number)) for number in request.states
    )
    with office.database.reader() as tx:
        place = None if after is None else paging.place_at(after)
        found = list_items(tx, caller.subject, states, place, size + 1)
    page = found[:size]
    response = pb.ListSuspenseResponse(items=[_message(one) for one in page])
    if len(found) > size:
        position = paging.position_of(page[-1].recorded_at, page[-1].id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def read_resolve_suspense(office: Office, asked: Asked) -> ResolveSuspense:
    """The command in a ResolveSuspenseRequest."""
    message = asked.message
    return ResolveSuspense(
        office, asked, id_in(message.suspense_id), parse_id(message.transfer_to_account_id)
    )
