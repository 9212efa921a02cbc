"""Credit: money that an agency puts into an account of its region.

Rule: the contributions of the region give what the account gets. A frozen account is credited, a
closed one is not. An account of another region is answered like one that does not exist.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.terms import AccountState
from gongji_svc.services.account_view import region_name
from gongji_svc.services.asked import Asked
from gongji_svc.services.days import CLOCKS_DIFFER, instant
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted

_GREATEST_BALANCE_FEN = 10**15


@dataclass(slots=True)
class Credit:
    """An amount to be put into an account."""

    office: Office
    asked: Asked
    account_id: UUID
    occurred_at: datetime | None
    owner_id: UUID | None = None

    @property
    def deadline(self) -> float:
        """Unix seconds."""
        return self.asked.deadline

    def field_name(self, number: int) -> str:
        """The contract's name of a field."""
        return self.asked.field_name(number)

    def lookups(self) -> Lookups:
        """Whose account it is."""
        return Lookups(accounts=(self.account_id,))

    def keys(self, state: State) -> Keys:
        """The request key in the agency's region."""
        self.owner_id = state.owners.get(self.account_id)
        if self.owner_id is None:
            raise errors.AccessDenied
        region = self.asked.caller.subject
        return Keys(self.asked.claim(region, region, self.office.sealer))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The owner's accounts."""
        return Wanted(accounts_of=() if self.owner_id is None else (self.owner_id,))

    def decide(self, state: State) -> Decision:
        """The entry, and the balance after it."""
        account = state.accounts.get(self.account_id)
        if account is None or account.pool_region != self.asked.caller.subject:
            raise errors.AccessDenied
        if account.state == AccountState.CLOSED:
            raise errors.AccountClosed
        occurred_at = state.now if self.occurred_at is None else self.occurred_at
        if occurred_at > state.now + CLOCKS_DIFFER:
            raise errors.OccurredInFuture
        if account.balance_fen + self.asked.message.amount_fen > _GREATEST_BALANCE_FEN:
            raise errors.BalanceTooLarge
        # From here on the money moves.
        journal = self._journal(account, occurred_at)
        entry = self._entry(account, journal, state.now)
        return Decision(
            answer=pb.CreditResponse(entry=entry).SerializeToString(),
            result_id=journal.journal_id,
            journals=(journal,),
        )

    def _journal(self, account: AccountRow, occurred_at: datetime) -> Journal:
        message, region = self.asked.message, account.pool_region
        kind = EntryKind(enum_name(pb.CreditKind, message.kind))
        return Journal(
            journal_id=new_id(region),
            home=region,
            occurred_at=occurred_at,
            postings=(Posting(account.id, region, kind, message.amount_fen),),
            lines=(Line(region, Side.CONTRIBUTION, region, -message.amount_fen),),
            counterparty=region,
            memo=message.memo or None,
        )

    def _entry(self, account: AccountRow, journal: Journal, now: datetime) -> pb.Entry:
        """The entry as the ledger will write it."""
        posting = journal.postings[0]
        seq = account.seq + 1
        entry = pb.Entry(
            entry_id=f"{account.id}:{seq}",
            seq=seq,
            journal_id=str(journal.journal_id),
            kind=enum_number(pb.EntryKind, posting.kind),
            amount_fen=posting.amount_fen,
            balance_after_fen=account.balance_fen + posting.amount_fen,
            counterparty=region_name(self.office, account.pool_region, day_of(now)),
            memo=self.asked.message.memo,
            account_id=str(account.id),
        )
        entry.occurred_at.FromDatetime(journal.occurred_at)
        entry.recorded_at.FromDatetime(max(now, account.recorded_at))
        return entry


def read_credit(office: Office, asked: Asked) -> Credit:
    """The command in a CreditRequest."""
    message = asked.message
    account_id = parse_id(message.account_id)
    if account_id is None:
        raise errors.AccessDenied
    occurred_at = None
    if message.HasField("occurred_at"):
        occurred_at = instant("occurred_at", message.occurred_at)
    return Credit(office, asked, account_id, occurred_at)
