"""Seals anew, with the current data key, what is sealed with others, while everybody works on.

Rule: a batch of rows is locked, opened, sealed and written in one transaction, so that a value is
there with one key or with the other whenever this is stopped. Nobody is waited for with a lock
held: a row that somebody has locked is left for the next pass. A row that does not open stays as
it is, and its key in use.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
    text,
    tuple_,
    update,
)

from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.documents import chunk_place
from gongji_svc.storage.sealing import SealBroken, Sealer, place

_PAGE_ROWS = 10_000
_PAUSE_SECONDS = 0.2
# The rows are found along the primary key, whatever the planner knows of their key ids: a page that
# read and sorted the whole table would do so once a page.
_ALONG_THE_KEY = tuple(
    text(f"SET LOCAL enable_{way} = off") for way in ("seqscan", "bitmapscan", "sort")
)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Sealed values of a table: with which key (NULL: none) a row's are sealed, what of it is
    read, and what is then written.
    """

    table: Table
    key_id: ColumnElement[int]
    sealed: Mapping[str, ColumnElement[Any]]
    anew: Callable[[RowMapping, Sealer], dict[str, Any]]
    written: Mapping[str, ColumnElement[Any]]
    rows_at_once: int = 100  # locked together: a settlement waits for a few milliseconds

    @property
    def primary_key(self) -> tuple[Column[Any], ...]:
        """Beginning with the region."""
        return tuple(self.table.primary_key.columns)


def _resealed(sealer: Sealer, sealed: bytes, key_id: int, where: bytes) -> bytes:
    return sealer.seal_bytes(sealer.open_bytes(sealed, key_id, where), where)


def _columns(table: Table, *names: str) -> _Kind:
    """Columns that are each bound to the row's id and the column's name."""

    def anew(row: RowMapping, sealer: Sealer) -> dict[str, Any]:
        return {
            name: _resealed(sealer, row[name], row["key_id"], place(row["id"], name))
            if row[name] is not None
            else None
            for name in names
        } | {"key_id": sealer.key_id}

    columns = {name: table.c[name] for name in names}
    return _Kind(table, table.c.key_id, columns, anew, _new(table, *names, "key_id"))


def _new(table: Table, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}


def _chunk_anew(row: RowMapping, sealer: Sealer) -> dict[str, Any]:
    where = chunk_place(row["document_id"], row["chunk_no"])
    content = _resealed(sealer, row["content"], row["key_id"], where)
    return {"content": content, "key_id": sealer.key_id}


def _agent_anew(row: RowMapping, sealer: Sealer) -> dict[str, Any]:
    """Who bought for the patient: "key id:hexadecimal", bound to the settlement's id."""
    sealed = bytes.fromhex(row["agent"].partition(":")[2])
    again = _resealed(sealer, sealed, row["key_id"], row["id"].bytes)
    return {"detail": f"{sealer.key_id}:{again.hex()}"}


_DETAIL = tables.settlements.c.detail
_AGENT = _DETAIL["agent"].astext
_CHUNKS = tables.document_chunks
_KINDS = (
    _columns(tables.persons, "name", "certificate_number", "card_no", "phone"),
    _columns(tables.bindings, "beneficiary_phone"),
    _Kind(
        _CHUNKS,
        _CHUNKS.c.key_id,
        {"content": _CHUNKS.c.content},
        _chunk_anew,
        _new(_CHUNKS, "content", "key_id"),
        rows_at_once=8,  # of half a megabyte
    ),
    _Kind(
        tables.settlements,
        cast(func.split_part(_AGENT, ":", 1), SmallInteger),
        {"agent": _AGENT},
        _agent_anew,
        {
            "detail": func.jsonb_set(
                _DETAIL, ["agent"], func.to_jsonb(cast(bindparam("new_detail"), Text))
            )
        },
    ),
)
SEALED_TABLES = tuple(kind.table.name for kind in _KINDS)


@dataclass(frozen=True, slots=True)
class Used:
    """So many rows of a region in a table are sealed with a data key."""

    table: str
    region: str
    key_id: int
    rows: int


def used(tx: Connection) -> list[Used]:
    """How many rows are sealed with which data key; reads the whole tables."""
    found: list[Used] = []
    for kind in _KINDS:
        key_id = kind.key_id.label("key_id")
        counted = select(kind.table.c.region, key_id, func.count())
        rows = tx.execute(counted.where(kind.key_id.is_not(None)).group_by("region", "key_id"))
        found.extend(Used(kind.table.name, *row) for row in rows)
    return sorted(found, key=lambda one: (one.key_id, one.table, one.region))


@dataclass(slots=True)
class Resealed:
    """What came of rows that were to be sealed anew."""

    rows: int = 0
    broken: list[str] = field(default_factory=list)  # which do not open, and why


def reseal(
    database: Database, sealer: Sealer, stale: Iterable[Used], told: Callable[[int], None]
) -> Resealed:
    """Seal anew what is not sealed with the current key where it is said to be; `told` hears of
    rows as they are done. Any number may do so at once.
    """
    done = Resealed()
    where = {(one.table, one.region) for one in stale}
    for kind in _KINDS:
        for region in sorted(region for table, region in where if table == kind.table.name):
            rows = _Rows(database, kind, region, sealer, told, done)
            left: list[Key] = []
            for page in rows.pages():
                left += rows.reseal(page)
            while left:
                time.sleep(_PAUSE_SECONDS)
                left = rows.reseal(left)
    return done


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one kind in one region: where regions are on several servers, only a statement on
    one of them can lock. Keys are without the region.
    """

    database: Database
    kind: _Kind
    region: str
    sealer: Sealer
    told: Callable[[int], None]
    done: Resealed

    def pages(self) -> Iterator[Sequence[Key]]:
        """The keys of the rows that are to be sealed anew, in order, as far as they are now."""
        key = self.kind.primary_key[1:]
        query = self._stale(select(*key)).order_by(*key).limit(_PAGE_ROWS)
        page: Sequence[Key] = ()
        while True:
            with self.database.reader() as tx:
                for setting in _ALONG_THE_KEY:
                    tx.execute(setting)
                further = query.where(tuple_(*key) > page[-1]) if page else query
                page = [tuple(row) for row in tx.execute(further)]
            yield page
            if len(page) < _PAGE_ROWS:
                return

    def reseal(self, keys: Sequence[Key]) -> list[Key]:
        """Seal these rows anew; those that others have locked are returned."""
        left: list[Key] = []
        for start in range(0, len(keys), self.kind.rows_at_once):
            left += self._reseal(keys[start : start + self.kind.rows_at_once])
        return left

    def _reseal(self, keys: Sequence[Key]) -> list[Key]:
        """Lock, open, seal and write."""
        kind, key = self.kind, self.kind.primary_key
        read = (c.label(name) for name, c in kind.sealed.items())
        these = tuple_(*key[1:]).in_(keys)
        query = self._stale(select(*key, kind.key_id.label("key_id"), *read)).where(these)
        same = and_(*(c == bindparam(f"its_{c.name}") for c in key))
        change = update(kind.table).where(same).values(dict(kind.written))
        with self.database.transaction() as tx:
            rows = tx.execute(query.with_for_update(skip_locked=True)).mappings().all()
            changes = [new for row in rows if (new := self._anew(row)) is not None]
            if changes:
                tx.execute(change, changes)
        self.done.rows += len(changes)
        self.told(len(changes))
        seen = {tuple(row[c.name] for c in key[1:]) for row in rows}
        missed = [one for one in keys if one not in seen]
        if not missed:
            return []
        with self.database.reader() as tx:
            still = self._stale(select(*key[1:])).where(tuple_(*key[1:]).in_(missed))
            return [tuple(row) for row in tx.execute(still)]

    def _stale(self, query: Select[Any]) -> Select[Any]:
        kind = self.kind
        stale = kind.key_id != self.sealer.key_id
        return query.where(kind.table.c.region == self.region, stale)

    def _anew(self, row: RowMapping) -> dict[str, Any] | None:
        """The parameters of the change; None for a row that does not open."""
        its_key = {f"its_{c.name}": row[c.name] for c in self.kind.primary_key}
        try:
            new = self.kind.anew(row, self.sealer)
        except SealBroken as broken:
            which = " ".join(str(one) for one in its_key.values())
            self.done.broken.append(f"{self.kind.table.name} {which}: {broken}")
            return None
        return its_key | {f"new_{name}": value for name, value in new.items()}


def wait_for_writers(database: Database) -> None:
    """Wait until all that wrote before now have ended: a key that was closed before is used by
    none of them.
    """
    with database.transaction() as tx:
        mine = int(tx.scalar(text("SELECT pg_current_xact_id()::text")) or 0)
    oldest = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    while True:
        with database.reader() as tx:
            if int(tx.scalar(oldest) or 0) > mine:
                return
        time.sleep(_PAUSE_SECONDS)
