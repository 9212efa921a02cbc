"""FreezeAccount, UnfreezeAccount, CloseAccount: what an agency makes of an account of its region.

Rule: an account is closed for good, without holds and empty; what is left in it moves in the same
decision, by a journal of two transfers, to another account of the same owner.
"""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.account_state import AccountEvent, next_state
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.journal import EntryKind, Journal, Posting
from gongji_svc.domain.terms import AccountState
from gongji_svc.services.account_changes import (
    account_in_books,
    account_to_take,
    agency_claim,
    audit_row,
    check_room,
    id_in,
    known_owners,
    memo_of_transfer,
    owner_of,
)
from gongji_svc.services.account_view import account_message
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts
from gongji_svc.services.entry_view import entry_message, next_entry
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.entry_reads import EntryRow, Names
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class ChangeState(AskedCommand):
    """An account to be frozen, or to be used again."""

    account_id: UUID
    event: AccountEvent
    owners: tuple[UUID, ...] = field(default=(), init=False)

    def lookups(self) -> Lookups:
        """Whose account it is."""
        return Lookups(owned=((tables.accounts, self.account_id),))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        self.owners = (owner_of(state, self.account_id),)
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The accounts of all who are concerned."""
        return Wanted(accounts_of=self.owners)

    def decide(self, state: State) -> Decision:
        """The account in its new state, and the reason."""
        before, after = self.changed(state)
        return self.decision(state, before, after, {"state": after.state})

    def changed(self, state: State) -> tuple[AccountRow, AccountRow]:
        """The account as it is and with its new state, or the first refusal that applies."""
        account = account_in_books(state, self.asked, self.account_id)
        after = next_state(AccountState(account.state), self.event)
        return account, replace(account, state=after.value, state_reason=self.asked.message.reason)

    def decision(
        self, state: State, before: AccountRow, after: AccountRow, facts: Facts, **more: Any
    ) -> Decision:
        """The account as it now stands, with its audit record; `more` is of the answer."""
        owned = [after if one.id == after.id else one for one in state.accounts_of[after.person_id]]
        account = account_message(self.office, after, owned, day_of(state.now))
        audited = Audited(
            "account",
            after.id,
            after.pool_region,
            {name: getattr(before, name) for name in ("state", "balance_fen") if name in facts},
            facts,
            self.asked.message.reason,
        )
        return Decision(
            self.asked.method.response(account=account, **more).SerializeToString(),
            result_id=after.id,
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.accounts, after.row()),),
        )


@dataclass(slots=True)
class CloseAccount(ChangeState):
    """An account to be closed, and perhaps the one that takes the rest."""

    target_id: UUID | None = None

    def lookups(self) -> Lookups:
        """Whose accounts they are."""
        named = [one for one in (self.account_id, self.target_id) if one is not None]
        return Lookups(owned=tuple((tables.accounts, one) for one in named))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        keys = ChangeState.keys(self, state)
        self.owners += known_owners(state, [self.target_id])
        return keys

    def decide(self, state: State) -> Decision:
        """The account, closed, and the transfer of what was in it."""
        account, closed = self.changed(state)
        closed = replace(closed, frozen_quota_fen=0, closed_at=state.now)
        if account.held_fen:
            raise errors.AccountHasHolds
        target = self._target(state, account)
        facts = {"state": closed.state, "balance_fen": 0}
        if account.balance_fen == 0:
            return self.decision(state, account, closed, facts)
        if target is None:
            raise errors.AccountNotEmpty
        check_room(target, account.balance_fen)
        # From here on the money moves.
        journal = self._journal(account, target, state)
        entry = next_entry(journal, journal.postings[0], account, state.now)
        decision = self.decision(
            state,
            account,
            _after(entry, closed),
            {**facts, "transfer_to_account_id": str(target.id)},
            transfer=entry_message(self.office, entry, account.person_id, Names()),
        )
        return replace(decision, journals=(journal,))

    def _target(self, state: State, account: AccountRow) -> AccountRow | None:
        if not self.asked.message.transfer_to_account_id:
            return None
        return account_to_take(state, account.id, account.person_id, self.target_id)

    def _journal(self, account: AccountRow, target: AccountRow, state: State) -> Journal:
        rest_fen, kind = account.balance_fen, EntryKind.TRANSFER
        return Journal(
            journal_id=new_id(account.pool_region),
            home=account.pool_region,
            occurred_at=state.now,
            postings=(
                Posting(account.id, account.pool_region, kind, -rest_fen),
                Posting(target.id, target.pool_region, kind, rest_fen),
            ),
            lines=(),
            counterparty=account.pool_region,
            memo=memo_of_transfer(self.asked.message.reason, account.id),
        )


def _after(entry: EntryRow, account: AccountRow) -> AccountRow:
    """The account as its last entry leaves it."""
    return replace(
        account,
        balance_fen=entry.balance_after_fen,
        seq=entry.seq,
        recorded_at=entry.recorded_at,
    )


def read_freeze_account(office: Office, asked: Asked) -> ChangeState:
    """The command in a FreezeAccountRequest."""
    return ChangeState(office, asked, id_in(asked.message.account_id), AccountEvent.FREEZE)


def read_unfreeze_account(office: Office, asked: Asked) -> ChangeState:
    """The command in an UnfreezeAccountRequest."""
    return ChangeState(office, asked, id_in(asked.message.account_id), AccountEvent.UNFREEZE)


def read_close_account(office: Office, asked: Asked) -> CloseAccount:
    """The command in a CloseAccountRequest."""
    message = asked.message
    target_id = parse_id(message.transfer_to_account_id)
    return CloseAccount(
        office, asked, id_in(message.account_id), AccountEvent.CLOSE, target_id=target_id
    )
