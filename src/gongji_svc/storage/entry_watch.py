"""What watchers of accounts need of the database: the next entries of many accounts at once, and a
hint when there may be some.

Rule: reading is the truth; a hint only says that it may be worth while, and may get lost. It is
sent behind the transaction that wrote entries, never in it, where it would cost every commit.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import ARRAY, BigInteger, Text, Uuid, and_, bindparam, func, select

from gongji_svc.storage import ledger, tables
from gongji_svc.storage.database import Database, conninfo, unavailable_as_one
from gongji_svc.storage.entry_reads import EntryRow
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.packed import pack, texts, uuids
from gongji_svc.storage.statements import Tx, compiled

_CHANNEL = sql.Identifier("gongji_entries")
_LISTEN = sql.SQL("LISTEN {}").format(_CHANNEL)
# Nobody waits until a hint is durable: a flush for it would hold up those who wait for theirs.
_HINT = sql.SQL("SET LOCAL synchronous_commit = off; NOTIFY {}").format(_CHANNEL)

_ENTRIES = tables.entries.c
_PLACES = (
    func.unnest(
        bindparam("regions", type_=ARRAY(Text)),
        bindparam("accounts", type_=ARRAY(Uuid)),
        bindparam("seqs", type_=ARRAY(BigInteger)),
    )
    .table_valued("region", "account_id", "seq")
    .render_derived()
)
# Seq has no gaps: the next entries of an account, so many at most, are those of the next seqs.
_NEXT = (
    select(_PLACES.c.seq, *_ENTRIES)
    .join_from(
        _PLACES,
        tables.entries,
        and_(
            _ENTRIES.region == _PLACES.c.region,
            _ENTRIES.account_id == _PLACES.c.account_id,
            _ENTRIES.seq > _PLACES.c.seq,
            _ENTRIES.seq <= _PLACES.c.seq + bindparam("each", type_=BigInteger),
        ),
    )
    .limit(bindparam("most", type_=BigInteger))
)
_NEXT_OF_ALL = compiled(_NEXT)
_NEXT_OF_REGION = compiled(_NEXT.where(_ENTRIES.region == bindparam("region", type_=Text)))


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody knows an account: up to the entry with this seq."""

    account_id: UUID
    seq: int


class Follower:
    """Reads what follows given places, on a connection of its own; used by one thread at a time."""

    def __init__(self, database: Database, *, by_region: bool | None = None) -> None:
        """`by_region`: whether a statement goes out once a region; None: as the database needs."""
        self._database = database
        self._wanted_by_region = by_region
        self._by_region = False
        self._connection: Tx | None = None

    def read(
        self, places: Iterable[Place], each: int, most: int
    ) -> Mapping[Place, Sequence[EntryRow]]:
        """The next entries behind each place, in order: at most `each` of one and `most` of all,
        so that some may be left out. DatabaseUnavailable while it is away.
        """
        found: defaultdict[Place, list[EntryRow]] = defaultdict(list)
        with unavailable_as_one():
            tx = self._open()
            statement = _NEXT_OF_REGION if self._by_region else _NEXT_OF_ALL
            for group in self._groups(set(places)):
                asked = {**_packed(group), "each": each, "most": most}
                for known, *row in tx.execute(statement, asked, binary=True):
                    entry = EntryRow(*row)
                    found[Place(entry.account_id, known)].append(entry)
                    most -= 1
        for entries in found.values():
            entries.sort(key=lambda entry: entry.seq)
        return found

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _groups(self, places: Collection[Place]) -> Iterable[Sequence[Place]]:
        """The places that one statement takes; never an empty group."""
        if not self._by_region:
            return [list(places)] if places else []
        groups: defaultdict[str, list[Place]] = defaultdict(list)
        for place in places:
            groups[region_of(place.account_id)].append(place)
        return groups.values()

    def _open(self) -> Tx:
        if self._connection is None or self._connection.closed:
            self._connection, self._by_region = ledger.open_prepared(
                self._database, self._wanted_by_region
            )
        return self._connection


def _packed(places: Sequence[Place]) -> Mapping[str, object]:
    regions = [region_of(place.account_id) for place in places]
    return {
        "regions": texts(regions),
        "accounts": uuids([place.account_id for place in places]),
        "seqs": pack(BigInteger(), [place.seq for place in places]),
        "region": regions[0],
    }


def send_hint(tx: Tx) -> None:
    """Tell whoever listens that there may be new entries."""
    tx.execute(_HINT, prepare=False)


async def hints(url: str) -> AsyncIterator[None]:
    """A hint as soon as they can be heard, since some may have been missed, then each as it comes;
    DatabaseUnavailable when the connection fails.
    """
    with unavailable_as_one():
        connection = await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
        async with connection:
            await connection.execute(_LISTEN)
            yield
            async for _ in connection.notifies():
                yield
