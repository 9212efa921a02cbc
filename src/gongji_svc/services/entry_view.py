"""An entry as the owner of the account reads it: whose purchase, where, when, how much.

Rule: a relative's name is masked, and the owner's own purchases name nobody. The other side is told
by its name, by its code where no name is known; of a premium it is the region's tax bureau.
"""

from datetime import datetime
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.journal import EntryKind, Journal, Posting
from gongji_svc.domain.masking import masked_name
from gongji_svc.services.account_view import region_name
from gongji_svc.services.days import timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.entry_reads import EntryRow, Names
from gongji_svc.storage.state import AccountRow

_AT_INSTITUTIONS = {
    EntryKind.SETTLEMENT_OWN,
    EntryKind.SETTLEMENT_MUTUAL_AID,
    EntryKind.REFUND_OWN,
    EntryKind.REFUND_MUTUAL_AID,
}
_PREMIUMS = {EntryKind.PREMIUM, EntryKind.PREMIUM_REFUND}
_TAX_BUREAU_ZH = "税务局"


def entry_message(office: Office, entry: EntryRow, owner_id: UUID, names: Names) -> pb.Entry:
    """An entry of an account of `owner_id`; a name that is not in `names` is not known."""
    relative_id = None if entry.beneficiary_id == owner_id else entry.beneficiary_id
    return pb.Entry(
        entry_id=f"{entry.account_id}:{entry.seq}",
        seq=entry.seq,
        journal_id=str(entry.journal_id),
        kind=enum_number(pb.EntryKind, entry.kind),
        amount_fen=entry.amount_fen,
        balance_after_fen=entry.balance_after_fen,
        occurred_at=timestamp(entry.occurred_at),
        recorded_at=timestamp(entry.recorded_at),
        counterparty=_counterparty(office, entry, names),
        beneficiary="" if relative_id is None else masked_name(names.people.get(relative_id, "")),
        beneficiary_id=_text(relative_id),
        binding_id=_text(entry.binding_id),
        source_id=_text(entry.source_id),
        memo=entry.memo or "",
        account_id=str(entry.account_id),
    )


def next_entry(journal: Journal, posting: Posting, account: AccountRow, now: datetime) -> EntryRow:
    """The entry that the ledger will write for the account's next posting."""
    return EntryRow(
        region=account.region,
        account_id=account.id,
        seq=account.seq + 1,
        journal_id=journal.journal_id,
        kind=posting.kind,
        amount_fen=posting.amount_fen,
        balance_after_fen=account.balance_fen + posting.amount_fen,
        source_id=journal.source_id,
        counterparty=journal.counterparty,
        beneficiary_id=posting.beneficiary_id,
        binding_id=posting.binding_id,
        memo=journal.memo,
        occurred_at=journal.occurred_at,
        recorded_at=max(now, account.recorded_at),
    )


def _counterparty(office: Office, entry: EntryRow, names: Names) -> str:
    code = entry.counterparty or ""
    if entry.kind in _AT_INSTITUTIONS:
        return names.institutions.get(code, code)
    name = region_name(office, code, day_of(entry.recorded_at)) if code else ""
    return f"{name}{_TAX_BUREAU_ZH}" if entry.kind in _PREMIUMS else name


def _text(found: UUID | None) -> str:
    return "" if found is None else str(found)
