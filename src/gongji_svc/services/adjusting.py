"""ProposeAdjustment, DecideAdjustment, ListAdjustments: corrections of accounts (更正).

Rule: one person of the agency proposes, another decides, once; only an approval moves money, never
more than is free. A frozen account is corrected like an open one, a closed one is not.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.adjustment import AdjustmentEvent, AdjustmentState, decided
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.terms import AccountState
from gongji_svc.services import paging
from gongji_svc.services.account_changes import (
    account_in_books,
    agency_claim,
    audit_row,
    check_occurred,
    check_room,
    id_in,
    occurred_at_in,
    owner_of,
)
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts
from gongji_svc.services.binding_view import actor
from gongji_svc.services.days import timestamp
from gongji_svc.services.entry_view import entry_message, next_entry
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage import tables
from gongji_svc.storage.adjustments import AdjustmentRow, Choice, entries_of, list_adjustments
from gongji_svc.storage.entry_reads import EntryRow, Names
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class ProposeAdjustment(AskedCommand):
    """A correction that one person of the agency asks for."""

    account_id: UUID
    occurred_at: datetime | None

    def lookups(self) -> Lookups:
        """Whose account it is."""
        return Lookups(owned=((tables.accounts, self.account_id),))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        owner_of(state, self.account_id)
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:
        """The owner's accounts."""
        return Wanted(accounts_of=(owner_of(state, self.account_id),))

    def decide(self, state: State) -> Decision:
        """The correction, waiting for a second person; nothing moves."""
        account = account_in_books(state, self.asked, self.account_id)
        if account.state == AccountState.CLOSED:
            raise errors.AccountClosed
        check_occurred(account, self.occurred_at, state.now)
        message = self.asked.message
        proposed = AdjustmentRow(
            region=account.region,
            id=new_id(account.region),
            account_id=account.id,
            owner_id=account.person_id,
            pool_region=account.pool_region,
            amount_fen=message.amount_fen,
            reason=message.reason,
            source_id=UUID(message.source_id) if message.source_id else None,
            occurred_at=self.occurred_at,
            state=AdjustmentState.PROPOSED.value,
            proposed_by=acting_as(self.asked.caller),
            proposed_at=state.now,
            decided_by={},
        )
        answer = pb.ProposeAdjustmentResponse(adjustment=_message(self.office, proposed))
        return Decision(
            answer.SerializeToString(),
            result_id=proposed.id,
            new=(
                (tables.adjustments, proposed.row()),
                audit_row(self.asked, _audited({}, proposed, message.reason), state),
            ),
        )


@dataclass(slots=True)
class DecideAdjustment(AskedCommand):
    """What a second person of the agency decides."""

    adjustment_id: UUID

    def lookups(self) -> Lookups:
        """Whose account it corrects."""
        return Lookups(owned=((tables.adjustments, self.adjustment_id),))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        owner_of(state, self.adjustment_id)
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:
        """The owner's accounts, and the correction."""
        owner_id = owner_of(state, self.adjustment_id)
        return Wanted(accounts_of=(owner_id,), things=((tables.adjustments, self.adjustment_id),))

    def decide(self, state: State) -> Decision:
        """The correction as decided; approved, with the entry that books it."""
        before = AdjustmentRow(*state.things[self.adjustment_id])
        account = account_in_books(state, self.asked, before.account_id)
        message, caller = self.asked.message, self.asked.caller
        event = AdjustmentEvent(enum_name(pb.AdjustmentDecision, message.decision))
        after = replace(
            before,
            state=decided(
                AdjustmentState(before.state), event, before.proposed_by["actor"], caller.actor
            ).value,
            decided_by=acting_as(caller),
            decided_at=state.now,
            decision_reason=message.reason,
        )
        if event is AdjustmentEvent.REJECT:
            return self._decision(state, before, after)
        _check_possible(account, before.amount_fen)
        # From here on the money moves.
        journal = _journal(before, state.now)
        entry = next_entry(journal, journal.postings[0], account, state.now)
        decision = self._decision(state, before, replace(after, seq=entry.seq), entry)
        return replace(decision, journals=(journal,))

    def _decision(
        self,
        state: State,
        before: AdjustmentRow,
        after: AdjustmentRow,
        entry: EntryRow | None = None,
    ) -> Decision:
        audited = _audited(_facts(before), after, after.decision_reason)
        answer = pb.DecideAdjustmentResponse(adjustment=_message(self.office, after, entry))
        return Decision(
            answer.SerializeToString(),
            result_id=after.id,
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.adjustments, after.row()),),
        )


def _check_possible(account: AccountRow, amount_fen: int) -> None:
    """A correction counts on the whole balance but what is held or quota, also of one frozen."""
    check_room(account, amount_fen)
    free_fen = account.balance_fen - account.held_fen - account.frozen_quota_fen
    if amount_fen < 0 and free_fen + amount_fen < 0:
        raise errors.InsufficientFunds


def _journal(adjustment: AdjustmentRow, now: datetime) -> Journal:
    region, amount_fen = adjustment.pool_region, adjustment.amount_fen
    return Journal(
        journal_id=new_id(region),
        home=region,
        occurred_at=adjustment.occurred_at or now,
        postings=(Posting(adjustment.account_id, region, EntryKind.ADJUSTMENT, amount_fen),),
        lines=(Line(region, Side.ADJUSTMENT, region, -amount_fen),),
        source_id=adjustment.id,
        counterparty=region,
        memo=adjustment.reason,
    )


def _audited(before: Facts, after: AdjustmentRow, reason: str) -> Audited:
    return Audited("adjustment", after.id, after.pool_region, before, _facts(after), reason)


def _facts(adjustment: AdjustmentRow) -> Facts:
    occurred_at, source_id = adjustment.occurred_at, adjustment.source_id
    return {
        "account_id": str(adjustment.account_id),
        "amount_fen": adjustment.amount_fen,
        "source_id": None if source_id is None else str(source_id),
        "occurred_at": None if occurred_at is None else occurred_at.isoformat(),
        "state": adjustment.state,
    }


def _message(office: Office, kept: AdjustmentRow, entry: EntryRow | None = None) -> pb.Adjustment:
    return pb.Adjustment(
        adjustment_id=str(kept.id),
        account_id=str(kept.account_id),
        amount_fen=kept.amount_fen,
        reason=kept.reason,
        source_id="" if kept.source_id is None else str(kept.source_id),
        state=enum_number(pb.AdjustmentState, kept.state),
        proposed_by=actor(kept.proposed_by),
        proposed_at=timestamp(kept.proposed_at),
        decided_by=actor(kept.decided_by) if kept.decided_by else None,
        decided_at=None if kept.decided_at is None else timestamp(kept.decided_at),
        decision_reason=kept.decision_reason,
        entry=None if entry is None else entry_message(office, entry, kept.owner_id, Names()),
    )


def list_of_adjustments(
    office: Office, caller: Caller, request: pb.ListAdjustmentsRequest
) -> pb.ListAdjustmentsResponse:
    """A page of the corrections of the agency's region, newest first."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    with office.database.reader() as tx:
        place = None if after is None else paging.place_at(after)
        found = list_adjustments(tx, _choice(caller, request), place, size + 1)
        page = found[:size]
        entries = entries_of(tx, page)
    response = pb.ListAdjustmentsResponse(
        adjustments=[_message(office, one, entries.get(one.id)) for one in page]
    )
    if len(found) > size:
        position = paging.position_of(page[-1].proposed_at, page[-1].id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def _choice(caller: Caller, request: Any) -> Choice:
    return Choice(
        pool_region=caller.subject,
        states=frozenset(
            AdjustmentState(enum_name(pb.AdjustmentState, number)) for number in request.states
        ),
        account_id=UUID(request.account_id) if request.account_id else None,
    )


def read_propose_adjustment(office: Office, asked: Asked) -> ProposeAdjustment:
    """The command in a ProposeAdjustmentRequest."""
    message = asked.message
    return ProposeAdjustment(office, asked, id_in(message.account_id), occurred_at_in(message))


def read_decide_adjustment(office: Office, asked: Asked) -> DecideAdjustment:
    """The command in a DecideAdjustmentRequest."""
    return DecideAdjustment(office, asked, id_in(asked.message.adjustment_id))
