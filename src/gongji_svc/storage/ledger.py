"""gather and record: every lock in one global order, every write set-based.

Rule: locks are taken stage by stage for the whole batch, within a stage by (region, id): request
keys, then people, then accounts. Nobody takes a lock of an earlier stage after one of a later, so
nobody deadlocks, whatever regions a family spans. `now` is the database's clock, read after the
last lock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from psycopg import Cursor
from sqlalchemy import (
    ARRAY,
    DateTime,
    LargeBinary,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)

from gongji_svc.domain.calendar import start_of
from gongji_svc.storage import claims, packed, tables
from gongji_svc.storage.clearing_days import RECORDING, ended_before
from gongji_svc.storage.database import Database
from gongji_svc.storage.holds import limits_of, open_holds
from gongji_svc.storage.packed import pack, texts
from gongji_svc.storage.risk_history import ask_history, history_of
from gongji_svc.storage.state import (
    AccountRow,
    ClaimKey,
    Decision,
    Keys,
    Lookups,
    State,
    Taken,
    Wanted,
    key_of,
)
from gongji_svc.storage.statements import (
    Change,
    Key,
    Keyed,
    Remove,
    Row,
    Tx,
    Write,
    compiled,
    keyed,
)

_IS_DISTRIBUTED = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
# The clock, and the first day that still takes journals (clearing_days.py).
_CLOCK = compiled(select(func.clock_timestamp(), ended_before()))
# Rows are found by their keys, whatever a table held when its plan was made: a plan of an empty
# table would read all of it later.
_SETTINGS = (
    "SET lock_timeout = '10s'",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET plan_cache_mode = force_generic_plan",
)
_FIND_PEOPLE = compiled(
    select(*tables.person_directory.c).where(
        tables.person_directory.c.hash == any_(bindparam("hashes", type_=ARRAY(LargeBinary)))
    )
)
_FIND_INSTITUTIONS = compiled(
    select(*tables.institutions.c).where(
        tables.institutions.c.institution_code == any_(bindparam("codes", type_=ARRAY(Text)))
    )
)
_OWNED = {
    tables.accounts.name: tables.accounts.c.person_id,
    tables.holds.name: tables.holds.c.owner_id,
    tables.adjustments.name: tables.adjustments.c.owner_id,
    tables.suspense.name: tables.suspense.c.owner_id,
}
_FIND_OWNERS = {
    owner.table.name: Keyed(select(owner.table.c.id, owner), owner.table.c.id)
    for owner in (*_OWNED.values(), tables.premium_payments.c.beneficiary_id)
}
_OWNERLESS = (tables.risk_signals, tables.differences, tables.windows)
_READ_THINGS = {
    table.name: keyed(table.c.id)
    for table in (*(owner.table for owner in _OWNED.values()), *_OWNERLESS)
}
# A comparison holds the differences it removes until it commits: no batch waits for that.
_LOCK_THINGS = _READ_THINGS | {
    table.name: keyed(table.c.id, lock=True, skip_locked=table is tables.differences)
    for table in _OWNERLESS
}
_FIND_PLACES = Keyed(select(tables.holds.c.institution_code), tables.holds.c.id)
_FIND_PARTIES = Keyed(
    select(tables.bindings.c.id, tables.bindings.c.donor_id, tables.bindings.c.beneficiary_id),
    tables.bindings.c.id,
)
_FIND_SETTLED = Keyed(
    select(
        tables.settlements.c.id,
        tables.settlements.c.patient_id,
        tables.settlements.c.region,
        tables.settlements.c.institution_code,
        tables.settlements.c.request_id,
    ),
    tables.settlements.c.id,
)
_READ_SETTLEMENTS = keyed(tables.settlements.c.id)
_READ_REFUNDS = keyed(tables.refunds.c.settlement_id)
_READ_PREMIUMS = keyed(tables.premium_payments.c.beneficiary_id)
_READ_CATALOGUE = keyed(tables.catalog_items.c.catalog_code)
_LOCK_PERSONS = keyed(tables.persons.c.id, lock=True)
_READ_PERSONS = keyed(tables.persons.c.id)
_READ_ENROLMENTS = keyed(tables.enrolments.c.person_id)
_READ_BINDINGS_OF = keyed(tables.bindings.c.beneficiary_id)
_READ_BINDINGS = keyed(tables.bindings.c.id)
_READ_ACCOUNTS = keyed(tables.accounts.c.person_id)
_READ_DOCUMENTS = keyed(tables.documents.c.id)
_READ_DONATIONS = keyed(tables.donor_bindings.c.donor_id)
_READ_CODES = keyed(tables.credential_uses.c.hash)
_LOCK_DOCUMENTS = keyed(tables.documents.c.id, lock=True)
_LOCK_ACCOUNTS = keyed(tables.accounts.c.person_id, lock=True)
_READ_COUNTERS = keyed(
    tables.counters.c.subject_id, where=tables.counters.c.day >= bindparam("first_day")
)
_READ_DUE = keyed(
    tables.holds.c.account_id,
    where=and_(
        tables.holds.c.state == literal_column("'OPEN'"),  # a value would hide the partial index
        tables.holds.c.expires_at <= bindparam("now", type_=DateTime(timezone=True)),
    ),
)
_MOVE = Change(
    tables.accounts, "state", "balance_fen", "held_fen", "frozen_quota_fen", "seq", "recorded_at"
)
_WRITES = {table.name: Write(table) for table in tables.metadata.sorted_tables}
_REPLACES = {table.name: Write(table, replace=True) for table in tables.metadata.sorted_tables}
_REMOVES = {table.name: Remove(table) for table in (tables.person_directory, tables.enrolments)}


def prepare(tx: Tx) -> None:
    """Make a fresh connection fit for the money path."""
    packed.register(tx)
    for setting in _SETTINGS:
        tx.execute(setting)


def open_prepared(database: Database, by_region: bool | None) -> tuple[Tx, bool]:
    """A connection of the caller's own for the money path, and whether statements on it go out
    once a region; `by_region` None: as the database needs it.
    """
    tx = database.connect()
    tx.autocommit = True
    prepare(tx)
    return tx, is_distributed(tx) if by_region is None else by_region


def is_distributed(tx: Tx) -> bool:
    """Whether the database is a Citus cluster, where statements go region by region."""
    return tx.execute(_IS_DISTRIBUTED).fetchone() is not None


def _absorb(state: State, table: Table, cursors: Iterable[Cursor[Row]]) -> None:
    for cursor in cursors:
        state.absorb_all(table, cursor.fetchall())


def look_up(tx: Tx, state: State, lookups: Sequence[Lookups], *, by_region: bool) -> None:
    """Before any lock: the institutions and people, and whose the things are, that requests name
    from outside; of holds and settlements, the institutions too.
    """
    codes = {code for lookup in lookups for code in lookup.institution_codes}
    hashes = {found for lookup in lookups for found in lookup.identities}
    bindings = [key_of(binding) for lookup in lookups for binding in lookup.bindings]
    people = None
    institutions = _find_institutions(tx, codes)
    if hashes:
        packed = pack(LargeBinary(), sorted(hashes))
        people = tx.execute(_FIND_PEOPLE, {"hashes": packed}, binary=True)
    owned = _by_table(thing for lookup in lookups for thing in lookup.owned)
    owners = [
        cursor
        for name, ids in owned.items()
        for cursor in _FIND_OWNERS[name].run(tx, ids, by_region=by_region)
    ]
    parties = _FIND_PARTIES.run(tx, bindings, by_region=by_region)
    places = _FIND_PLACES.run(tx, owned.get(tables.holds.name, ()), by_region=by_region)
    settled = {found for lookup in lookups for found in lookup.settlements}
    find_settled(tx, state, settled, by_region=by_region)
    _absorb(state, tables.institutions, institutions)
    _absorb(state, tables.person_directory, [people] if people else [])
    state.owners.update((thing, owner) for cursor in owners for thing, owner in cursor)
    state.parties.update((found, tuple(people)) for cursor in parties for found, *people in cursor)
    of_things = {code for cursor in places for (code,) in cursor}
    of_things.update(code for _, (_, code, _) in state.settled.values())
    _absorb(state, tables.institutions, _find_institutions(tx, of_things - {"", *codes}))


def find_settled(tx: Tx, state: State, settlements: Iterable[UUID], *, by_region: bool) -> None:
    """Whose settlements these are, and which request made each; neither ever changes."""
    keys = [key_of(found) for found in settlements]
    for cursor in _FIND_SETTLED.run(tx, keys, by_region=by_region):
        state.settled.update(
            (found, (patient, tuple(made_by))) for found, patient, *made_by in cursor
        )


def _find_institutions(tx: Tx, codes: Collection[str]) -> list[Cursor[Row]]:
    if not codes:
        return []
    return [tx.execute(_FIND_INSTITUTIONS, {"codes": texts(sorted(codes))}, binary=True)]


def _by_table(things: Iterable[tuple[Table, UUID]]) -> Mapping[str, Sequence[Key]]:
    found: defaultdict[str, list[Key]] = defaultdict(list)
    for table, thing_id in things:
        found[table.name].append(key_of(thing_id))
    return found


def lock_persons(
    tx: Tx, state: State, keys: Sequence[Keys], *, by_region: bool, lock: bool
) -> None:
    """Stage (b): lock people, then read where they are insured and who may pay for them.

    Of donors, the index of those they pay for is read too, and what their patients' locks keep
    still of settlements and premiums; prices are read beside all this.
    """
    people = [key_of(person) for one in keys for person in one.persons]
    donors = [key_of(donor) for one in keys for donor in one.donors]
    catalogue = [item for one in keys for item in one.catalogue]
    settlements = [key_of(settlement) for one in keys for settlement in one.settlements]
    premiums_of = [key_of(person) for one in keys for person in one.premiums_of]
    persons = (_LOCK_PERSONS if lock else _READ_PERSONS).run(tx, people, by_region=by_region)
    reads = [
        (tables.persons, persons),
        (tables.enrolments, _READ_ENROLMENTS.run(tx, people, by_region=by_region)),
        (tables.bindings, _READ_BINDINGS_OF.run(tx, people, by_region=by_region)),
        (tables.donor_bindings, _READ_DONATIONS.run(tx, donors, by_region=by_region)),
        (tables.catalog_items, _READ_CATALOGUE.run(tx, catalogue, by_region=by_region)),
        (tables.settlements, _READ_SETTLEMENTS.run(tx, settlements, by_region=by_region)),
        (tables.refunds, _READ_REFUNDS.run(tx, settlements, by_region=by_region)),
        (tables.premium_payments, _READ_PREMIUMS.run(tx, premiums_of, by_region=by_region)),
    ]
    for table, cursors in reads:
        _absorb(state, table, cursors)


def lock_accounts(
    tx: Tx, state: State, wanted: Sequence[Wanted], *, by_region: bool, lock: bool
) -> None:
    """Stage (c): lock accounts and documents, then read what only their locks keep still, and the
    clock.
    """
    accounts_of = [key_of(person) for one in wanted for person in one.accounts_of]
    others = [key_of(person) for one in wanted for person in one.persons]
    documents = [key_of(document) for one in wanted for document in one.documents]
    counters = [key_of(subject) for one in wanted for subject, _ in one.counters]
    first_day = min((day for one in wanted for _, day in one.counters), default=date.max)
    codes = [code for one in wanted for code in one.codes]
    donations = [key_of(binding) for index in state.donor_index.values() for binding in index]
    lock_accounts = _LOCK_ACCOUNTS if lock else _READ_ACCOUNTS
    lock_documents = _LOCK_DOCUMENTS if lock else _READ_DOCUMENTS
    reads = [
        (tables.accounts, lock_accounts.run(tx, accounts_of, by_region=by_region)),
        (tables.documents, lock_documents.run(tx, documents, by_region=by_region)),
        (tables.persons, _READ_PERSONS.run(tx, others, by_region=by_region)),
        (tables.enrolments, _READ_ENROLMENTS.run(tx, others, by_region=by_region)),
        (tables.bindings, _READ_BINDINGS.run(tx, donations, by_region=by_region)),
        (tables.credential_uses, _READ_CODES.run(tx, codes, by_region=by_region)),
        (
            tables.counters,
            _READ_COUNTERS.run(tx, counters, by_region=by_region, first_day=first_day),
        ),
    ]
    things = _by_table(thing for one in wanted for thing in one.things)
    for name, keys in things.items():
        read = (_LOCK_THINGS if lock else _READ_THINGS)[name]
        cursors = read.run(tx, keys, by_region=by_region)
        reads.append((tables.metadata.tables[name], cursors))
    history = ask_history(tx, [one.look_back for one in wanted if one.look_back is not None])
    if lock:
        tx.execute(RECORDING)
    clock = tx.execute(_CLOCK, binary=True)
    for table, cursors in reads:
        _absorb(state, table, cursors)
    state.history = history_of(row for cursor in history for row in cursor)
    row = clock.fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    state.now, ended = row
    if ended is not None:
        state.not_before = start_of(ended)


def read_holds(tx: Tx, state: State, *, by_region: bool) -> None:
    """Where a locked account holds money, under the same lock: the holds whose time has passed at
    `state.now`, and what the limits of every open hold count. Nothing is sent where none does.
    """
    holding = [key_of(account.id) for account in state.accounts.values() if account.held_fen]
    if not holding:
        return
    due = _READ_DUE.run(tx, holding, by_region=by_region, now=state.now)
    _absorb(state, tables.holds, due)
    holds = open_holds(state)
    counters = [key_of(subject) for hold in holds for subject, _ in limits_of(hold)]
    first_day = min((hold.counted_on for hold in holds), default=date.max)
    cursors = _READ_COUNTERS.run(tx, counters, by_region=by_region, first_day=first_day)
    _absorb(state, tables.counters, cursors)


def record(
    tx: Tx,
    state: State,
    decisions: Sequence[Decision],
    answered: Mapping[ClaimKey, Taken],
    abandoned: Iterable[ClaimKey],
    *,
    by_region: bool,
) -> None:
    """Write what was decided: rows by table, entries, balances, answers; free abandoned keys."""
    rows = _Rows()
    for decision in decisions:
        rows.take(decision)
    rows.write(tx, by_region=by_region)
    _WRITES["entries"].run(tx, state.entries, by_region=by_region)
    _WRITES["ledger_lines"].run(tx, state.ledger_lines, by_region=by_region)
    _MOVE.run(
        tx, [_moved(state.accounts[found]) for found in sorted(state.touched)], by_region=by_region
    )
    claims.conclude(tx, answered, abandoned, by_region=by_region)


class _Rows:
    """What becomes of rows by table when several decisions are recorded at once.

    Removals run first: a row that a later decision writes again stays, and what a later decision
    removes is not written at all.
    """

    def __init__(self) -> None:
        self._new: defaultdict[str, list[Row]] = defaultdict(list)
        self._replaced: defaultdict[str, dict[Row, Row]] = defaultdict(dict)
        self._removed: defaultdict[str, set[Row]] = defaultdict(set)

    def take(self, decision: Decision) -> None:
        """Add a decision to what the ones before it made."""
        for table, key in decision.removed:
            new = self._new[table.name]
            self._new[table.name] = [row for row in new if row[: len(key)] != key]
            self._replaced[table.name].pop(key, None)
            self._removed[table.name].add(key)
        for table, row in decision.new:
            self._new[table.name].append(row)
        for table, row in decision.replaced:
            self._replaced[table.name][row[: len(table.primary_key.columns)]] = row

    def write(self, tx: Tx, *, by_region: bool) -> None:
        """Write table by table."""
        # Two processes may register the same people: in one order, so that neither deadlocks.
        self._new[tables.person_directory.name].sort()
        for name, remove in _REMOVES.items():
            remove.run(tx, sorted(self._removed[name]), by_region=by_region)
        for name in _WRITES:
            _WRITES[name].run(tx, self._new[name], by_region=by_region)
            changed = self._replaced[name]
            _REPLACES[name].run(tx, [changed[key] for key in sorted(changed)], by_region=by_region)


def _moved(account: AccountRow) -> Row:
    return (
        account.region,
        account.id,
        account.state,
        account.balance_fen,
        account.held_fen,
        account.frozen_quota_fen,
        account.seq,
        account.recorded_at,
    )
