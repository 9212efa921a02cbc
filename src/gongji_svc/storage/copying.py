"""Whole files into the tables: COPY into temporary tables, then everything at once.

Rule: until the last row of a file is sound nothing is written and nobody is locked. Then people are
locked in the order in which everybody locks them, and rows that others changed since they were read
stop the load: all of a file goes in, or nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from gongji_svc.domain.errors import ConcurrentChange
from gongji_svc.storage import ledger, packed, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.packed import dump_json
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted
from gongji_svc.storage.statements import Row, Tx, compiled

_FRESH, _LINE = "staged_fresh", "staged_line"
_LOADED = (
    tables.person_directory,
    tables.persons,
    tables.enrolments,
    tables.institutions,
    tables.catalog_items,
    tables.binding_checks,
    tables.accounts,
    tables.entries,
    tables.ledger_lines,
    tables.audit_records,
)
_staged = MetaData()


def _temporary(name: str, *columns: Column[Any]) -> Table:
    """A table of one transaction."""
    return Table(name, _staged, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def _copy_of(prefix: str, table: Table, columns: Iterable[Column[Any]]) -> Table:
    copied = (Column(c.name, c.type) for c in columns)
    extra = (Column(_FRESH, Boolean), Column(_LINE, BigInteger))
    return _temporary(f"{prefix}_{table.name}", *copied, *extra)


_ROWS = {table.name: _copy_of("staged", table, table.c) for table in _LOADED}
_GONE = {
    table.name: _copy_of("gone", table, table.primary_key.columns)
    for table in (tables.person_directory, tables.enrolments)
}
_named = _temporary("staged_names", Column("name", LargeBinary), Column(_LINE, BigInteger))
_seen = _temporary(
    "staged_seen",
    Column("region", Text),
    Column("id", Uuid),
    Column("updated_at", DateTime(timezone=True)),
)
_DIALECT = dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
_directory = _ROWS[tables.person_directory.name]
_CREATE = [
    *(str(CreateTable(table).compile(dialect=_DIALECT)) for table in _staged.tables.values()),
    str(CreateIndex(Index(None, _directory.c.hash)).compile(dialect=_DIALECT)),
]
_FIND_STAGED = compiled(
    select(_directory.c.hash, _directory.c.person_id).where(
        _directory.c.hash == any_(bindparam("hashes", type_=ARRAY(LargeBinary)))
    )
)


def _twice(table: Table, key: Column[Any]) -> str:
    """The lines on which a key stands that stands on several."""
    lines = func.array_agg(func.distinct(table.c[_LINE]))
    several = func.count(func.distinct(table.c[_LINE])) > literal_column("1")
    return compiled(select(lines).group_by(key).having(several))


_NAMED_TWICE = _twice(_named, _named.c.name)
_FOUND_TWICE = _twice(_directory, _directory.c.hash)


def _is_seen(table: Table, person_id: Column[Any]) -> Any:
    return and_(table.c.region == _seen.c.region, person_id == _seen.c.id)


_people, _accounts = tables.persons, tables.accounts
_LOCK = [
    compiled(
        select(table.c.id)
        .join(_seen, _is_seen(table, person_id))
        .order_by(table.c.region, table.c.id)
        .with_for_update(of=table)
    )
    for table, person_id in ((_people, _people.c.id), (_accounts, _accounts.c.person_id))
]
_CHANGED_SINCE = compiled(
    select(_people.c.id)
    .join(_seen, _is_seen(_people, _people.c.id))
    .where(_people.c.updated_at != _seen.c.updated_at)
)


def _remove(table: Table) -> str:
    gone = _GONE[table.name]
    same = (c == gone.c[c.name] for c in table.primary_key.columns)
    return compiled(delete(table).where(and_(*same)))


def _insert(table: Table, *, fresh: bool) -> str:
    """Fresh rows are inserted; others take the place of the row with their key."""
    staged = _ROWS[table.name]
    names = [c.name for c in table.c]
    rows: Select[Any] = select(*(staged.c[name] for name in names))
    statement = insert(table).from_select(names, rows.where(staged.c[_FRESH].is_(fresh)))
    if fresh:
        return compiled(statement)
    new = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    key = [c.name for c in table.primary_key.columns]
    return compiled(statement.on_conflict_do_update(index_elements=key, set_=new))


_REPLACED = (tables.persons, tables.enrolments, tables.institutions, tables.catalog_items)
_MERGE = [
    *(_remove(tables.metadata.tables[name]) for name in _GONE),
    *(_insert(table, fresh=True) for table in _LOADED),
    *(_insert(table, fresh=False) for table in _REPLACED),
]


def _copier(table: Table) -> tuple[str, Callable[[Row], Row]]:
    """The COPY statement, and how a row is prepared for it."""
    columns = ", ".join(f'"{c.name}"' for c in table.c)
    jsons = [at for at, c in enumerate(table.c) if isinstance(c.type, JSONB)]

    def prepared(row: Row) -> Row:
        values = list(row)
        for at in jsons:
            values[at] = dump_json(values[at])
        return tuple(values)

    return f"COPY {table.name} ({columns}) FROM STDIN", prepared


_COPIERS = {table.name: _copier(table) for table in _staged.tables.values()}


def _account_id(row: Row) -> UUID:
    account_id: UUID = row[tables.accounts.c.keys().index("id")]
    return account_id


class Staging:
    """One file on its way into the tables: one transaction on a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._tx: Tx = database.connect()
        packed.register(self._tx)
        self._waiting: defaultdict[str, list[Row]] = defaultdict(list)
        self._opened: list[UUID] = []
        for statement in _CREATE:
            self._tx.execute(statement.encode())

    def close(self) -> None:
        """Forget what was not merged."""
        self._tx.close()

    def look_up(self, state: State, lookups: Sequence[Lookups]) -> None:
        """Read what is named from outside."""
        ledger.look_up(self._tx, state, lookups, by_region=False)

    def look_up_staged(self, state: State, hashes: Sequence[bytes]) -> None:
        """Find those of this file too, who are not registered yet."""
        if hashes:
            packed_hashes = packed.pack(LargeBinary(), hashes)
            found = self._tx.execute(_FIND_STAGED.encode(), {"hashes": packed_hashes})
            for row in found:
                state.absorb(tables.person_directory, row)

    def read_people(self, state: State, keys: Sequence[Keys]) -> None:
        """Read people as the engine does, but lock nobody."""
        ledger.lock_persons(self._tx, state, keys, by_region=False, lock=False)

    def read_accounts(self, state: State, wanted: Sequence[Wanted]) -> None:
        """Read accounts as the engine does, but lock none; and the clock."""
        ledger.lock_accounts(self._tx, state, wanted, by_region=False, lock=False)

    def name(self, name: bytes, line: int) -> None:
        """Note what a line is about; two lines about the same are found by `named_twice`."""
        self._waiting[_named.name].append((name, line))

    def seen(self, region: str, person_id: UUID, updated_at: datetime) -> None:
        """Note a person whose record a decision rests on."""
        self._waiting[_seen.name].append((region, person_id, updated_at))

    def stage(self, decision: Decision, line: int) -> None:
        """Take in a decision's rows; accounts wait for `stage_money`, for money may still move."""
        for table, row in decision.new:
            if table is tables.accounts:
                self._opened.append(_account_id(row))
            else:
                self._stage((table, row), fresh=True, line=line)
        for replaced in decision.replaced:
            self._stage(replaced, fresh=False, line=line)
        for table, key in decision.removed:
            self._waiting[_GONE[table.name].name].append((*key, None, line))

    def stage_money(self, state: State) -> None:
        """Take in the accounts that were opened, and all that moved."""
        moved = [
            *((tables.accounts, state.accounts[account_id].row()) for account_id in self._opened),
            *((tables.entries, row) for row in state.entries),
            *((tables.ledger_lines, row) for row in state.ledger_lines),
        ]
        self._opened.clear()
        for row in moved:
            self._stage(row, fresh=True, line=0)

    def _stage(self, row: TableRow, *, fresh: bool, line: int) -> None:
        table, values = row
        self._waiting[_ROWS[table.name].name].append((*values, fresh, line))

    def flush(self) -> None:
        """Send what waits."""
        for name, rows in self._waiting.items():
            statement, prepared = _COPIERS[name]
            with self._tx.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(prepared(row))
        self._waiting.clear()

    def named_twice(self) -> list[list[int]]:
        """The lines that are about the same, ascending."""
        return sorted(sorted(lines) for (lines,) in self._tx.execute(_NAMED_TWICE.encode()))

    def found_twice(self) -> list[list[int]]:
        """The lines of different people under one certificate or card, ascending."""
        return sorted(sorted(lines) for (lines,) in self._tx.execute(_FOUND_TWICE.encode()))

    def merge(self) -> None:
        """Write everything; ConcurrentChange when others wrote the same meanwhile."""
        try:
            for table in _staged.tables:
                self._tx.execute(f"ANALYZE {table}".encode())
            for statement in _LOCK:
                self._tx.execute(statement.encode())
            if self._tx.execute(_CHANGED_SINCE.encode()).fetchone() is not None:
                raise ConcurrentChange
            for statement in _MERGE:
                self._tx.execute(statement.encode())
            self._tx.commit()
        except psycopg.errors.UniqueViolation as taken:
            raise ConcurrentChange from taken
