"""Set-based statements for the money path, built once from the tables and run by psycopg.

Rule: a statement takes its keys and rows as packed arrays, one a column. On plain PostgreSQL the
keys are (region, id) pairs joined by unnest; on Citus, which can't lock rows of several regions in
one statement, the same statement runs once a region with `region = const`. The two `run` methods
decide which, nobody else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, Cursor
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.sql.expression import ClauseElement

from gongji_svc.storage.packed import PackedArray, pack

Tx = Connection[tuple[Any, ...]]
Row = tuple[Any, ...]
Key = tuple[str, Any]

_DIALECT = dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


def compiled(statement: ClauseElement) -> str:
    """The statement as SQL text with psycopg's named parameters."""
    return str(statement.compile(dialect=_DIALECT))


def _array(of: Column[Any], name: str | None = None) -> BindParameter[Any]:
    return bindparam(name or of.name, type_=ARRAY(Text if isinstance(of.type, JSONB) else of.type))


def _unnest(columns: Sequence[Column[Any]]) -> FromClause:
    return (
        func.unnest(*(_array(c) for c in columns))
        .table_valued(*(column(c.name) for c in columns))
        .render_derived()
    )


class Keyed:
    """A SELECT over rows named by (region, key), in ascending key order where it locks.

    With `skip_locked` a row that somebody else has locked is as one that is not there.
    """

    def __init__(
        self, query: Select[Any], key: Column[Any], *, lock: bool = False, skip_locked: bool = False
    ) -> None:
        table = key.table
        region = table.c.region
        pairs = _unnest([region, key])
        by_pairs = query.join(pairs, and_(region == pairs.c.region, key == pairs.c[key.name]))
        by_region = query.where(region == bindparam("region", type_=Text), key == any_(_array(key)))
        if lock:
            ordered = [table.c.region, table.c.id]
            by_pairs = by_pairs.order_by(*ordered).with_for_update(
                of=table, skip_locked=skip_locked
            )
            by_region = by_region.order_by(*ordered).with_for_update(
                of=table, skip_locked=skip_locked
            )
        self._key = key
        self._by_pairs = compiled(by_pairs)
        self._by_region = compiled(by_region)

    def run(
        self, tx: Tx, keys: Iterable[Key], *, by_region: bool, **parameters: object
    ) -> list[Cursor[Row]]:
        """Send the statement for `keys`; a cursor a group, regions ascending. No keys: nothing is
        sent.
        """
        # Where rows are locked the statement itself takes them in order.
        distinct = set(keys)
        if not distinct:
            return []
        if not by_region:
            pairs = {
                "region": pack(Text(), [region for region, _ in distinct]),
                self._key.name: pack(self._key.type, [key for _, key in distinct]),
            }
            return [tx.execute(self._by_pairs, {**parameters, **pairs}, binary=True)]
        groups: defaultdict[str, list[Any]] = defaultdict(list)
        for region, key in distinct:
            groups[region].append(key)
        return [
            tx.execute(
                self._by_region,
                {**parameters, "region": region, self._key.name: pack(self._key.type, ids)},
                binary=True,
            )
            for region, ids in sorted(groups.items())
        ]


def keyed(
    key: Column[Any],
    *,
    lock: bool = False,
    skip_locked: bool = False,
    where: ClauseElement | None = None,
) -> Keyed:
    """All columns of the key's table, for given (region, key) pairs."""
    query = select(*key.table.c)
    if where is not None:
        query = query.where(where)  # type: ignore[arg-type]  # any condition
    return Keyed(query, key, lock=lock, skip_locked=skip_locked)


class _RowStatement:
    """A statement over rows packed by column; subclasses say what it does with them."""

    def __init__(self, columns: Sequence[Column[Any]], statement: Any, table: Table) -> None:
        self._columns = columns
        self._together = compiled(statement)
        self._one_region = self._together
        if not isinstance(statement, Insert) and "region" in table.c:
            self._one_region = compiled(
                statement.where(table.c.region == bindparam("one_region", type_=Text))
            )

    def run(self, tx: Tx, rows: Sequence[Row], *, by_region: bool) -> list[Cursor[Row]]:
        """Send `rows` (values in column order, a region first); a cursor a group, regions
        ascending.
        """
        if not rows:
            return []
        if not by_region:
            return [tx.execute(self._together, self._pack(rows), binary=True)]
        groups: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            groups[row[0]].append(row)
        return [
            tx.execute(
                self._one_region, {**self._pack(groups[region]), "one_region": region}, binary=True
            )
            for region in sorted(groups)
        ]

    def _pack(self, rows: Sequence[Row]) -> dict[str, PackedArray]:
        columns = zip(self._columns, zip(*rows, strict=True), strict=True)
        return {c.name: pack(c.type, values) for c, values in columns}


class Write(_RowStatement):
    """INSERT rows; with `replace`, a row of the same key is overwritten."""

    def __init__(self, table: Table, *, replace: bool = False) -> None:
        source = _unnest(list(table.c))
        statement = insert(table).from_select(
            [c.name for c in table.c], select(*_typed(source, table.c))
        )
        if replace:
            new = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
            key = [c.name for c in table.primary_key.columns]
            statement = (
                statement.on_conflict_do_update(index_elements=key, set_=new)
                if new
                else statement.on_conflict_do_nothing()
            )
        super().__init__(list(table.c), statement, table)


class Claiming(_RowStatement):
    """INSERT rows whose key is free, in the order given; returns the keys that were."""

    def __init__(self, table: Table) -> None:
        source = _unnest(list(table.c))
        statement = (
            insert(table)
            .from_select([c.name for c in table.c], select(*_typed(source, table.c)))
            .on_conflict_do_nothing()
            .returning(*table.primary_key.columns)
        )
        super().__init__(list(table.c), statement, table)


class Change(_RowStatement):
    """UPDATE columns of the rows with given primary keys; rows are (key ..., new values ...)."""

    def __init__(self, table: Table, *names: str) -> None:
        columns = [*table.primary_key.columns, *(table.c[name] for name in names)]
        source = _unnest(columns)
        new = dict(zip(names, _typed(source, [table.c[name] for name in names]), strict=True))
        super().__init__(columns, update(table).values(new).where(_same_key(table, source)), table)


class Remove(_RowStatement):
    """DELETE the rows with given primary keys."""

    def __init__(self, table: Table) -> None:
        columns = list(table.primary_key.columns)
        source = _unnest(columns)
        super().__init__(columns, delete(table).where(_same_key(table, source)), table)


class Lookup(_RowStatement):
    """SELECT the rows with given primary keys."""

    def __init__(self, table: Table) -> None:
        columns = list(table.primary_key.columns)
        source = _unnest(columns)
        super().__init__(columns, select(*table.c).join(source, _same_key(table, source)), table)


def _typed(source: FromClause, columns: Iterable[Column[Any]]) -> list[ColumnElement[Any]]:
    return [
        cast(source.c[c.name], JSONB) if isinstance(c.type, JSONB) else source.c[c.name]
        for c in columns
    ]


def _same_key(table: Table, source: FromClause) -> ColumnElement[bool]:
    return and_(*(c == source.c[c.name] for c in table.primary_key.columns))
