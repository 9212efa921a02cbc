"""What a batch has gathered: rows by table, under their locks, and what earlier commands of the
batch made of them.

Rule: a gathered row and a decided row have the same shape, a tuple in column order, and enter the
same way, `State.absorb`. So a later command of a batch sees an earlier one's effect as if it had
been read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from gongji_svc.domain.journal import Journal, Line, Posting
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.risk_history import History, LookBack
from gongji_svc.storage.statements import Row

ClaimKey = tuple[str, str, str]
"""(region, caller, request_id), the order in which claims are made."""


CodeKey = tuple[str, bytes]
"""Under what the use of a one-time code is kept: its person's home region, its keyed hash."""


TableRow = tuple[Table, Row]
"""A row, or the primary key of one, and where it belongs."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key and what it is for; `content` is a keyed hash by field number."""

    region: str
    caller: str
    request_id: str
    method: str
    content: Mapping[int, bytes]

    @property
    def key(self) -> ClaimKey:
        """What must be unique."""
        return (self.region, self.caller, self.request_id)


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was answered; without an answer: blocked, so that it never will be."""

    method: str
    content: Mapping[int, bytes]
    answer: bytes | None
    result_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Lookups:
    """What a request names from outside: institution codes, hashes of certificates or cards, and
    things of people who are not named: bindings, settlements, and what has one owner, such as
    accounts.
    """

    institution_codes: tuple[str, ...] = ()
    identities: tuple[bytes, ...] = ()
    owned: tuple[tuple[Table, UUID], ...] = ()
    bindings: tuple[UUID, ...] = ()
    settlements: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """What a command claims and locks first: its idempotency key, and people.

    `original` is the request that this one is about: its key is claimed too, and blocked when
    nobody had made it. The settlements' patients are among the people, and whose premiums are read.
    """

    claim: Claim | None = None
    persons: tuple[UUID, ...] = ()
    donors: tuple[UUID, ...] = ()  # whose bindings as donor are read
    catalogue: tuple[tuple[str, str], ...] = ()  # (region, catalogue code)
    original: ClaimKey | None = None
    settlements: tuple[UUID, ...] = ()  # read with their refunds
    premiums_of: tuple[UUID, ...] = ()  # people whose premium payments are read


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command needs once people are locked: accounts of people, others' data, running sums,
    documents, rows of things that only their owner's account lock keeps still (what has no owner,
    like a risk signal, is locked itself), and uses of one-time codes of the people locked.
    """

    accounts_of: tuple[UUID, ...] = ()
    persons: tuple[UUID, ...] = ()
    counters: tuple[tuple[UUID, date], ...] = ()  # (person or binding, first day)
    documents: tuple[UUID, ...] = ()
    things: tuple[tuple[Table, UUID], ...] = ()
    codes: tuple[CodeKey, ...] = ()
    look_back: LookBack | None = None  # for risk rules that hold or refuse


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command decided: the answer's bytes, what accounts hold more (account, fen; negative:
    less), journals, new or replaced rows by table, and the primary keys of rows that go. `kept` is
    answered to a repeat, where the answer itself names people and must not be kept.
    """

    answer: bytes
    result_id: UUID | None = None
    held: tuple[tuple[UUID, int], ...] = ()
    journals: tuple[Journal, ...] = ()
    new: tuple[TableRow, ...] = ()
    replaced: tuple[TableRow, ...] = ()
    removed: tuple[TableRow, ...] = ()
    kept: bytes = b""


@dataclass(slots=True)
class AccountRow:
    """A locked personal account; amounts in fen."""

    region: str
    id: UUID
    person_id: UUID
    pool_region: str
    kind: str
    state: str
    balance_fen: int
    held_fen: int
    frozen_quota_fen: int
    seq: int
    recorded_at: datetime
    closed_at: datetime | None = None
    state_reason: str = ""

    def row(self) -> Row:
        """The account as a row of `accounts`."""
        return (
            self.region,
            self.id,
            self.person_id,
            self.pool_region,
            self.kind,
            self.state,
            self.balance_fen,
            self.held_fen,
            self.frozen_quota_fen,
            self.seq,
            self.recorded_at,
            self.closed_at,
            self.state_reason,
        )


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class State:
    """Everything a batch knows. Rows are tuples in the column order of their table."""

    now: datetime = _NEVER
    not_before: datetime = _NEVER  # the days before this instant take no journal any more
    directory: dict[bytes, UUID] = field(default_factory=dict)
    institutions: dict[str, Row] = field(default_factory=dict)
    owners: dict[UUID, UUID] = field(default_factory=dict)  # of what is owned; they never change
    parties: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)  # donor and beneficiary
    settled: dict[UUID, tuple[UUID, ClaimKey]] = field(default_factory=dict)  # patient and request
    requests: dict[ClaimKey, Taken] = field(default_factory=dict)  # answered before, or till now
    catalogue: dict[tuple[str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    persons: dict[UUID, Row] = field(default_factory=dict)
    enrolments: dict[UUID, dict[tuple[str, str], Row]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    bindings_of: dict[UUID, dict[UUID, Row]] = field(default_factory=lambda: defaultdict(dict))
    donations_of: dict[UUID, dict[UUID, Row]] = field(default_factory=lambda: defaultdict(dict))
    donor_index: dict[UUID, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    accounts: dict[UUID, AccountRow] = field(default_factory=dict)
    accounts_of: dict[UUID, list[AccountRow]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[tuple[UUID, str], dict[date, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    documents: dict[UUID, Row] = field(default_factory=dict)
    holds: dict[UUID, Row] = field(default_factory=dict)
    settlements: dict[UUID, Row] = field(default_factory=dict)
    refunds: dict[UUID, list[Row]] = field(default_factory=lambda: defaultdict(list))
    premiums_of: dict[UUID, dict[UUID, Row]] = field(default_factory=lambda: defaultdict(dict))
    things: dict[UUID, Row] = field(default_factory=dict)  # adjustments, suspense items, ...
    credential_uses: dict[bytes, Row] = field(default_factory=dict)
    history: History = field(default_factory=History)  # what risk rules look back on
    touched: set[UUID] = field(default_factory=set)
    entries: list[Row] = field(default_factory=list)
    ledger_lines: list[Row] = field(default_factory=list)

    @property
    def recorded_at(self) -> datetime:
        """When what is decided now counts as recorded: now, but on no day that was ended before
        the clock was set back.
        """
        return max(self.now, self.not_before)

    def absorb(self, table: Table, row: Row) -> None:
        """Take in a row, gathered or decided."""
        absorb = _ABSORB.get(table.name)
        if absorb is not None:
            absorb(self, row)

    def absorb_all(self, table: Table, rows: Iterable[Row]) -> None:
        """Take in gathered rows of one table."""
        absorb = _ABSORB[table.name]
        for row in rows:
            absorb(self, row)

    def apply(self, decision: Decision) -> None:
        """Let a decision take effect: what is held, its journals, then its rows.

        Raises ValueError, before anything has changed, for a journal that does not sum to zero, or
        where more would be taken or held than an account has free, or less than nothing held.
        """
        journals = [journal.closed() for journal in decision.journals]
        self._check(decision.held, journals)
        # From here on nothing may fail.
        for account_id, more_fen in decision.held:
            self.accounts[account_id].held_fen += more_fen
            self.touched.add(account_id)
        for journal in journals:
            self._post(journal)
        for table, key in decision.removed:
            _FORGET[table.name](self, key)
        for table, row in (*decision.new, *decision.replaced):
            self.absorb(table, row)

    def _check(self, held: Sequence[tuple[UUID, int]], journals: Sequence[Journal]) -> None:
        free_fen: dict[UUID, int] = {}
        held_fen: dict[UUID, int] = {}
        for account_id, more_fen in held:
            account = self.accounts[account_id]
            before_fen = free_fen.get(account_id, account.balance_fen - account.held_fen)
            free_fen[account_id] = before_fen - more_fen
            held_fen[account_id] = held_fen.get(account_id, account.held_fen) + more_fen
        for journal in journals:
            for posting in journal.postings:
                account = self.accounts[posting.account_id]
                before_fen = free_fen.get(account.id, account.balance_fen - account.held_fen)
                free_fen[account.id] = before_fen + posting.amount_fen
        for account_id, left_fen in free_fen.items():
            if left_fen < 0:
                raise ValueError(f"account {account_id} would be overdrawn by {-left_fen} fen")
        for account_id, left_fen in held_fen.items():
            if left_fen < 0:
                raise ValueError(f"account {account_id} would hold {left_fen} fen")

    def _post(self, journal: Journal) -> None:
        for posting in journal.postings:
            account = self.accounts[posting.account_id]
            account.balance_fen += posting.amount_fen
            account.seq += 1
            account.recorded_at = max(self.now, account.recorded_at)
            self.touched.add(account.id)
            self.entries.append(_entry(journal, posting, account))
        for number, line in enumerate(journal.lines, 1):
            self.ledger_lines.append(_ledger_line(journal, number, line, self.recorded_at))


def _entry(journal: Journal, posting: Posting, account: AccountRow) -> Row:
    return (
        account.region,
        account.id,
        account.seq,
        journal.journal_id,
        posting.kind.value,
        posting.amount_fen,
        account.balance_fen,
        journal.source_id,
        journal.counterparty,
        posting.beneficiary_id,
        posting.binding_id,
        journal.memo,
        journal.occurred_at,
        account.recorded_at,
    )


def _ledger_line(journal: Journal, number: int, line: Line, at: datetime) -> Row:
    return (
        line.region,
        journal.journal_id,
        number,
        line.side.value,
        line.counterparty,
        line.amount_fen,
        at,
    )


def _account(state: State, row: Row) -> None:
    """A new account, or what one is replaced by: whoever has it sees the change."""
    account = AccountRow(*row)
    known = state.accounts.setdefault(account.id, account)
    if known is account:
        state.accounts_of[account.person_id].append(account)
        return
    for name in AccountRow.__slots__:
        setattr(known, name, getattr(account, name))


def _index(table: Table, *names: str) -> Callable[[Row], Any]:
    positions = [table.c.keys().index(name) for name in names]
    if len(positions) == 1:
        return lambda row: row[positions[0]]
    return lambda row: tuple(row[position] for position in positions)


_person_id = _index(tables.persons, "id")
_enrolment_key = _index(tables.enrolments, "insurance", "insured_region")
_binding_id = _index(tables.bindings, "id")
_binding_people = _index(tables.bindings, "beneficiary_id", "donor_id")
_catalogue_key = _index(tables.catalog_items, "region", "catalog_code")
_institution_code = _index(tables.institutions, "institution_code")
_document_id = _index(tables.documents, "id")


def _binding(state: State, row: Row) -> None:
    beneficiary_id, donor_id = _binding_people(row)
    binding_id = _binding_id(row)
    state.bindings_of[beneficiary_id][binding_id] = row
    state.donations_of[donor_id][binding_id] = row


def _donation(state: State, row: Row) -> None:
    _, donor_id, binding_id = row
    if binding_id not in state.donor_index[donor_id]:
        state.donor_index[donor_id].append(binding_id)


def _counter(state: State, row: Row) -> None:
    _, subject_id, kind, day, amount_fen = row
    state.counters[subject_id, kind][day] = amount_fen


def _thing(state: State, row: Row) -> None:
    state.things[row[1]] = row


_ABSORB: dict[str, Callable[[State, Row], None]] = {
    "person_directory": lambda state, row: state.directory.__setitem__(row[0], row[1]),
    "institutions": lambda state, row: state.institutions.__setitem__(_institution_code(row), row),
    "catalog_items": lambda state, row: state.catalogue[_catalogue_key(row)].append(row),
    "persons": lambda state, row: state.persons.__setitem__(_person_id(row), row),
    "enrolments": lambda state, row: state.enrolments[row[1]].__setitem__(_enrolment_key(row), row),
    "bindings": _binding,
    "donor_bindings": _donation,
    "accounts": _account,
    "counters": _counter,
    "documents": lambda state, row: state.documents.__setitem__(_document_id(row), row),
    "holds": lambda state, row: state.holds.__setitem__(row[1], row),
    "settlements": lambda state, row: state.settlements.__setitem__(row[1], row),
    "refunds": lambda state, row: state.refunds[row[1]].append(row),
    "premium_payments": lambda state, row: state.premiums_of[row[2]].__setitem__(row[1], row),
    "adjustments": _thing,
    "suspense": _thing,
    "risk_signals": _thing,
    "differences": _thing,
    "windows": _thing,
    "credential_uses": lambda state, row: state.credential_uses.__setitem__(row[1], row),
}

_FORGET: dict[str, Callable[[State, Row], object]] = {
    "person_directory": lambda state, key: state.directory.pop(key[0], None),
    "enrolments": lambda state, key: state.enrolments[key[1]].pop(key[2:], None),
}


def key_of(object_id: UUID) -> tuple[str, UUID]:
    """The storage key (region, id) of an object."""
    return (region_of(object_id), object_id)
