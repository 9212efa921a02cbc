"""Credit: money that an agency puts into an account of its region.

Rule: the contributions of the region give what the account gets. A frozen account is credited, a
closed one is not. An account of another region is answered like one that does not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.engine import Answered, Outcome
from gongji_svc.services import messages
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
from gongji_svc.services.audit import Audited
from gongji_svc.services.batching import Batch, Item, error_of, read_items
from gongji_svc.services.contract import method_of
from gongji_svc.services.entry_view import entry_message, next_entry
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.entry_reads import Names
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted

_CREDIT = method_of("AccountService", "Credit")


@dataclass(slots=True)
class Credit(AskedCommand):
    """An amount to be put into an account."""

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
        """The entry, and the balance after it."""
        account = account_in_books(state, self.asked, self.account_id)
        check_room(account, self.asked.message.amount_fen)
        check_occurred(account, self.occurred_at, state.now)
        # From here on the money moves.
        journal = self._journal(account, self.occurred_at or state.now)
        entry = next_entry(journal, journal.postings[0], account, state.now)
        message = entry_message(self.office, entry, account.person_id, Names())
        return Decision(
            answer=pb.CreditResponse(entry=message).SerializeToString(),
            result_id=journal.journal_id,
            journals=(journal,),
            new=(audit_row(self.asked, _audited(account, message), state),),
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


def _audited(account: AccountRow, entry: pb.Entry) -> Audited:
    before = {"balance_fen": account.balance_fen, "seq": account.seq}
    after = {"balance_fen": entry.balance_after_fen, "seq": entry.seq}
    return Audited("account", account.id, account.pool_region, before, after)


def read_credit(office: Office, asked: Asked) -> Credit:
    """The command in a CreditRequest; InvalidField for OTHER that says nothing of itself."""
    message = asked.message
    if message.kind == pb.CREDIT_KIND_OTHER and not message.memo.strip():
        raise messages.invalid(Violation("memo", "其他类别须在备注中说明"))
    return Credit(office, asked, id_in(message.account_id), occurred_at_in(message))


def _read_batch(office: Office, asked: Asked) -> Sequence[Item]:
    return read_items(office, asked, _CREDIT, asked.message.credits, read_credit)


def _batch_answer(outcomes: Sequence[Outcome]) -> pb.BatchCreditResponse:
    return pb.BatchCreditResponse(
        results=[_result(index, outcome) for index, outcome in enumerate(outcomes)]
    )


def _result(index: int, outcome: Outcome) -> pb.BatchCreditResult:
    if not isinstance(outcome, Answered):
        return pb.BatchCreditResult(index=index, error=error_of(outcome))
    entry = pb.CreditResponse.FromString(outcome.answer).entry
    return pb.BatchCreditResult(index=index, entry=entry, replayed=outcome.replayed)


BATCH_CREDIT = Batch(_read_batch, _batch_answer)
"""Credits of one call, booked in their order."""
