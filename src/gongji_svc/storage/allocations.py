"""A file of allocations on its way into the accounts: arranged once, then booked chunk by chunk.

Rule: what the engine does for one credit happens here for a chunk of rows at once, and in its order
of locks: first the file's row (as a request key), then accounts by (region, id), then the clock.
Entries, balances, the other side and how far the file has come are one transaction, so a file that
was broken off goes on behind its last chunk. Rows are booked in an order that follows from the file
alone, those of one account beside each other: their account is then locked and changed once.
One file of a province at a time begins: whether another has booked the same month is then certain.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from gongji_svc.storage import ledger
from gongji_svc.storage.database import Database, DatabaseUnavailable, conninfo, unavailable_as_one
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.statements import Tx

CHUNK_ROWS = 5000
"""Booked at once: locks are held for a tenth of a second, a commit costs little beside it."""

# Accounts that lie beside each other are changed in four turns: their pages then have room for the
# new versions, and no index grows. As part of the order it never changes.
_SHARES = 4
_ROOM_TO_SORT = "SET work_mem = '64MB'"
_ARRANGED = """CREATE TEMPORARY TABLE arranged (
    ordinal bigint, line bigint, named_by text, found bigint, closed boolean, pool_region text,
    region text, account_id uuid, amount_fen bigint, kind text, month text, memo text,
    said bigint)"""


def region_in(column: str) -> str:
    """The region in an id, as `ids.region_of` reads it."""
    byte = f"get_byte(uuid_send({column}), %s)"
    high, middle, low = (byte % at for at in (8, 9, 10))
    bits = f"(({high} & 63) << 14) | ({middle} << 6) | ({low} >> 2)"
    return f"lpad(({bits})::text, 6, '0')"


# What is generated is reckoned while the file is still being read.
_STAGED = f"""CREATE TEMPORARY TABLE staged (
    line bigint, account_id uuid, certificate bytea, account_kind text, amount_fen bigint,
    kind text, month text, memo text,
    said bigint GENERATED ALWAYS AS (hashtextextended(
        memo, hashtextextended(month, hashtextextended(kind, 0)))) STORED,
    region text GENERATED ALWAYS AS ({region_in("account_id")}) STORED,
    share int GENERATED ALWAYS AS (get_byte(uuid_send(account_id), 15) & {_SHARES - 1}) STORED)"""
_COPY = """COPY staged
    (line, account_id, certificate, account_kind, amount_fen, kind, month, memo) FROM STDIN"""
# A file that was broken off goes on by this order, maybe in a later release: it never changes.
_ARRANGE = f"""
    INSERT INTO arranged
    SELECT row_number() OVER (
               ORDER BY share, named_id, certificate, account_kind COLLATE "C", line
           ), line, named_by, found, closed, pool_region,
           region, account_id, amount_fen, kind, month, memo, uuid_hash_extended(account_id, said)
    FROM (
        SELECT s.share, s.account_id AS named_id, s.certificate, s.account_kind, s.line,
               'account_id' AS named_by, (a.id IS NOT NULL)::int AS found,
               a.state = 'CLOSED' AS closed, a.pool_region,
               a.region, a.id AS account_id, s.amount_fen, s.kind, s.month, s.memo, s.said
        FROM staged AS s LEFT JOIN accounts AS a
            ON a.region = s.region AND a.id = s.account_id AND a.pool_region LIKE %(province)s
        WHERE s.account_id IS NOT NULL
        UNION ALL
        SELECT s.share, s.account_id, s.certificate, s.account_kind, s.line,
               'certificate_number', a.found, false, a.pool_region,
               a.region, a.id, s.amount_fen, s.kind, s.month, s.memo, s.said
        FROM staged AS s LEFT JOIN person_directory AS d ON d.hash = s.certificate
            CROSS JOIN LATERAL (
                SELECT count(*) AS found, min(region) AS region, (array_agg(id))[1] AS id,
                       coalesce(min(pool_region) FILTER (WHERE pool_region LIKE %(books)s),
                                min(pool_region)) AS pool_region
                FROM accounts
                WHERE region = {region_in("d.person_id")} AND person_id = d.person_id
                    AND pool_region LIKE %(province)s AND state <> 'CLOSED'
                    AND s.account_kind IN ('', kind)
            ) AS a
        WHERE s.certificate IS NOT NULL
    ) AS named"""  # noqa: S608  (our own expression)  # nosec B608
_FINISH = (
    "DROP TABLE staged",
    "CREATE INDEX ON arranged (ordinal)",
    "ANALYZE arranged",
)
_HAS_REPEATS = "SELECT count(said) > count(DISTINCT said) FROM arranged"
_BOOKS = """
    SELECT coalesce(jsonb_agg(of_one), '[]') FROM (
        SELECT pool_region AS region, month, kind, count(*) AS rows FROM arranged
        WHERE found = 1 GROUP BY pool_region, month, kind ORDER BY pool_region, month, kind
    ) AS of_one"""
_PROBLEMS = """
    SELECT line, named_by, CASE WHEN pool_region NOT LIKE %(books)s THEN 0 ELSE found END::int
               AS found, closed IS TRUE AS closed, 0 AS repeats
    FROM arranged
    WHERE pool_region NOT LIKE %(books)s OR NOT %(begun)s AND (found <> 1 OR closed)
    UNION ALL
    SELECT line, named_by, 1, false, first_line FROM (
        SELECT line, named_by,
               min(line) OVER (PARTITION BY account_id, kind, month, memo) AS first_line
        FROM arranged
        WHERE %(repeats)s AND found = 1 AND NOT closed AND pool_region LIKE %(books)s AND said IN
            (SELECT said FROM arranged WHERE found = 1 GROUP BY said HAVING count(*) > 1)
    ) AS alike WHERE line > first_line
    ORDER BY line"""

_ONE_BEGINS = """
    SELECT pg_advisory_xact_lock('allocation_files'::regclass::oid::int, %(region)s::int)"""
_BEGIN_FILE = """
    INSERT INTO allocation_files
        (region, sha256, name, rows_booked, rows_refused, booked_fen, done, books,
         started_at, updated_at)
    VALUES (%(region)s, %(sha256)s, %(name)s, 0, 0, 0, false, %(books)s, %(now)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING region"""
_EARLIER = """
    SELECT month, kind, array_agg(b.region ORDER BY b.region) AS regions,
           name, sha256, rows_booked, updated_at
    FROM allocation_files AS f
        CROSS JOIN LATERAL jsonb_to_recordset(books) AS b (region text, month text, kind text)
        JOIN jsonb_to_recordset(%(books)s) AS o (region text, month text, kind text)
            USING (month, kind)
    WHERE f.region = %(region)s AND sha256 <> %(sha256)s AND (rows_booked > 0 OR NOT done)
        AND o.region = b.region
    GROUP BY month, kind, f.region, sha256 ORDER BY month, kind, started_at"""
_READ_FILE = """
    SELECT rows_booked, rows_refused, booked_fen, done, updated_at,
           ARRAY(SELECT DISTINCT region FROM jsonb_to_recordset(books) AS b (region text)
                 ORDER BY region) AS regions
    FROM allocation_files WHERE region = %(region)s AND sha256 = %(sha256)s"""
_LOCK_FILE = f"{_READ_FILE} FOR UPDATE"
_LOCK_ACCOUNTS = """
    SELECT DISTINCT pool_region FROM (
        SELECT a.pool_region FROM accounts AS a JOIN (
            SELECT DISTINCT region, account_id FROM arranged
            WHERE ordinal > %(after)s AND ordinal <= %(until)s
        ) AS n ON a.region = n.region AND a.id = n.account_id
        ORDER BY a.region, a.id FOR UPDATE OF a
    ) AS locked ORDER BY pool_region"""
_CLOCK = "SELECT clock_timestamp()"
# Amounts are above zero: of an account's rows that do not fit, none comes before one that does, so
# its last entry has the greatest seq and balance.
_BOOK = """
    WITH taken AS (
        SELECT n.line, n.named_by, n.found, n.amount_fen, n.kind, n.memo,
               a.region, a.id, a.pool_region, a.state = 'CLOSED' IS TRUE AS closed,
               (a.balance_fen + sum(n.amount_fen) OVER so_far)::bigint AS balance_fen,
               a.seq + row_number() OVER so_far AS seq,
               greatest(a.recorded_at, %(now)s) AS recorded_at
        FROM arranged AS n LEFT JOIN accounts AS a
            ON a.region = n.region AND a.id = n.account_id AND n.found = 1
        WHERE n.ordinal > %(after)s AND n.ordinal <= %(until)s
        WINDOW so_far AS (
            PARTITION BY n.account_id ORDER BY n.ordinal ROWS UNBOUNDED PRECEDING
        )
    ), judged AS MATERIALIZED (
        SELECT *, id IS NOT NULL AND NOT closed AND balance_fen <= %(greatest_fen)s AS fits,
               (%(journals)s::uuid[])[array_position(%(regions)s::text[], pool_region)]
                   AS journal_id
        FROM taken
    ), booked AS NOT MATERIALIZED (
        SELECT * FROM judged WHERE fits
    ), entered AS (
        INSERT INTO entries (region, account_id, seq, journal_id, kind, amount_fen,
            balance_after_fen, counterparty, memo, occurred_at, recorded_at)
        SELECT region, id, seq, journal_id, kind, amount_fen,
            balance_fen, pool_region, memo, %(now)s, recorded_at
        FROM booked
    ), lined AS (
        INSERT INTO ledger_lines
            (region, journal_id, line_no, side, counterparty, amount_fen, recorded_at)
        SELECT pool_region, journal_id, 1, 'CONTRIBUTION', pool_region, -sum(amount_fen), %(now)s
        FROM booked GROUP BY pool_region, journal_id
    ), moved AS (
        UPDATE accounts AS a
        SET balance_fen = b.balance_fen, seq = b.seq, recorded_at = b.recorded_at
        FROM (
            SELECT region, id, max(balance_fen) AS balance_fen, max(seq) AS seq,
                   max(recorded_at) AS recorded_at
            FROM booked GROUP BY region, id
        ) AS b
        WHERE a.region = b.region AND a.id = b.id
    ), refused AS (
        INSERT INTO allocation_refusals (region, sha256, line, named_by, found, closed)
        SELECT %(region)s, %(sha256)s, line, named_by, found, closed FROM judged WHERE NOT fits
    )
    SELECT count(*) FILTER (WHERE fits), count(*) FILTER (WHERE NOT fits),
           coalesce(sum(amount_fen) FILTER (WHERE fits), 0)::bigint
    FROM judged"""
_REFUSED = """
    SELECT line, named_by, found, closed, 0 AS repeats FROM allocation_refusals
    WHERE region = %(region)s AND sha256 = %(sha256)s ORDER BY line"""
_ADVANCE = """
    UPDATE allocation_files
    SET rows_booked = rows_booked + %(rows)s, rows_refused = rows_refused + %(refused)s,
        booked_fen = booked_fen + %(fen)s, done = %(until)s >= %(total)s, updated_at = %(now)s
    WHERE region = %(region)s AND sha256 = %(sha256)s"""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file's identity: its bytes, and the province whose books it may touch."""

    region: str
    sha256: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has been booked."""

    rows_booked: int = 0
    rows_refused: int = 0
    booked_fen: int = 0
    done: bool = False
    updated_at: datetime = _NEVER
    regions: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Of its rows in their order, those that are behind us."""
        return self.rows_booked + self.rows_refused


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that can't be booked, by the column that names its account: not one account was found
    by it, or it is closed, or it repeats the row of another line, or else would hold too much.
    """

    line: int
    named_by: str
    found: int
    closed: bool
    repeats: int


@dataclass(frozen=True, slots=True)
class Booked:
    """What came of a chunk; `rows` of the file are behind us with it."""

    rows: int
    booked_rows: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """Another file that booked the same kind of money for the same month in the same regions."""

    month: str
    kind: str
    regions: Sequence[str]
    name: str
    sha256: bytes
    rows_booked: int
    updated_at: datetime


class AlreadyBooked(Exception):
    """Other files booked what this one would; of this one nothing was booked."""

    def __init__(self, earlier: Sequence[Earlier]) -> None:
        super().__init__(f"{len(earlier)} months and kinds were booked by other files")
        self.earlier = earlier


class Allocations:
    """The rows of one file, on a connection of its own, which must be no pooler's."""

    def __init__(self, database: Database, clock_offset: timedelta) -> None:
        with unavailable_as_one():
            self._tx: Tx = psycopg.connect(conninfo(database.direct_url), autocommit=True)
            for statement in (_ROOM_TO_SORT, _STAGED, _ARRANGED):
                self._tx.execute(statement)
        self._clock_offset = clock_offset
        self.total = 0  # rows of the file
        self._has_repeats = False
        self._books = Jsonb([])

    def close(self) -> None:
        """Forget the rows; what is booked stays."""
        self._tx.close()

    def progress(self, key: FileKey) -> Progress:
        """How far the file has been booked."""
        with unavailable_as_one(), self._tx.cursor(row_factory=class_row(Progress)) as cursor:
            return cursor.execute(_READ_FILE, _named(key)).fetchone() or Progress()

    def stage(self, blocks: Iterable[str]) -> None:
        """Take in the rows of the file, as COPY reads them."""
        with unavailable_as_one(), self._tx.cursor() as cursor:
            with cursor.copy(_COPY) as copy:
                for block in blocks:
                    copy.write(block)
            self.total = cursor.rowcount

    def arrange(self, books: str, province: str) -> None:
        """Find the accounts that the rows name and put the rows into their order.

        `books` and `province` are LIKE patterns of pooling regions: those whose accounts may be
        named, and those in which they are looked for.
        """
        with unavailable_as_one():
            self._tx.execute(_ARRANGE, {"books": books, "province": province})
            for statement in _FINISH:
                self._tx.execute(statement)
            self._has_repeats = bool(self._one(_HAS_REPEATS))
            self._books = Jsonb(self._one(_BOOKS))
            ledger.prepare(self._tx)

    def problems(self, books: str, *, begun: bool) -> Iterator[Problem]:
        """The rows that can't be booked as things are, by line; of a file that has begun those that
        never could: an account stays in the books it stands in.
        """
        asked = {"books": books, "begun": begun, "repeats": self._has_repeats and not begun}
        with unavailable_as_one(), self._tx.cursor(row_factory=class_row(Problem)) as cursor:
            yield from cursor.stream(_PROBLEMS, asked)

    def refused(self, key: FileKey) -> Iterator[Problem]:
        """The rows that were left out when the others were booked, by line."""
        with unavailable_as_one(), self._tx.cursor(row_factory=class_row(Problem)) as cursor:
            yield from cursor.stream(_REFUSED, _named(key))

    def book(self, key: FileKey, greatest_fen: int, *, supplement: bool) -> Iterator[Booked]:
        """Book chunk after chunk, whoever books the same file beside us, until none is left.

        No account may hold more than `greatest_fen`. AlreadyBooked when it is to begin, is no
        `supplement` and others booked its months. DatabaseUnavailable when others hold an account
        too long; the chunk is then not booked.
        """
        try:
            with unavailable_as_one():
                while (booked := self._book_chunk(key, greatest_fen, supplement)) is not None:
                    yield booked
        except psycopg.errors.LockNotAvailable as held:
            raise DatabaseUnavailable("others hold accounts of the file for too long") from held

    def _book_chunk(self, key: FileKey, greatest_fen: int, supplement: bool) -> Booked | None:
        tx = self._tx
        with tx.transaction():
            before = self._locked(key) or self._begun(key, supplement)
            if before.done:
                return None
            until = min(before.rows + CHUNK_ROWS, self.total)
            chunk = {"after": before.rows, "until": until}
            regions = [str(region) for (region,) in tx.execute(_LOCK_ACCOUNTS, chunk)]
            now = self._now()
            booking = {
                **_named(key),
                **chunk,
                "now": now,
                "greatest_fen": greatest_fen,
                "regions": regions,
                "journals": [new_id(region) for region in regions],
            }
            row = tx.execute(_BOOK, booking).fetchone()
            assert row is not None  # noqa: S101  (an aggregate has one row)
            rows, refused, fen = row
            said = {"rows": rows, "refused": refused, "fen": fen, "total": self.total}
            tx.execute(_ADVANCE, {**_named(key), **said, "until": until, "now": now})
        return Booked(until, rows)

    def _locked(self, key: FileKey) -> Progress | None:
        with self._tx.cursor(row_factory=class_row(Progress)) as cursor:
            return cursor.execute(_LOCK_FILE, _named(key)).fetchone()

    def _begun(self, key: FileKey, supplement: bool) -> Progress:
        """Begin the file, unless another has just begun the same."""
        self._tx.execute(_ONE_BEGINS, _named(key))
        asked = {**_named(key), "books": self._books, "now": self._now()}
        is_new = self._tx.execute(_BEGIN_FILE, asked).fetchone() is not None
        if is_new and not supplement:
            with self._tx.cursor(row_factory=class_row(Earlier)) as cursor:
                if earlier := cursor.execute(_EARLIER, asked).fetchall():
                    raise AlreadyBooked(earlier)
        return self._locked(key) or Progress()

    def _now(self) -> datetime:
        now = self._one(_CLOCK)
        assert isinstance(now, datetime)  # noqa: S101  (a timestamptz)
        return now + self._clock_offset

    def _one(self, query: LiteralString) -> object:
        row = self._tx.execute(query).fetchone()
        assert row is not None  # noqa: S101  (the query has one row)
        return row[0]


def _named(key: FileKey) -> dict[str, object]:
    return {"region": key.region, "sha256": key.sha256, "name": key.name}
