"""Sealed blocks: the texts that are hashed, and the blocks that there are.

Rule: an entry's text is the line that PostgreSQL's COPY writes of it, and a block's text lists the
hashes of its entries, so anybody can compute both again (docs/decisions/seals.md). Who seals and
who verifies take both from here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, cast

import sqlalchemy
from cryptography.hazmat.primitives import hashes
from sqlalchemy import BigInteger, Column, ColumnElement, Table, func, literal_column, select
from sqlalchemy import cast as as_type
from sqlalchemy import text as sql

from gongji_svc.storage import tables
from gongji_svc.storage.statements import Tx

HASH_BYTES = 32
NAMING_BYTES = 8  # of each entry's hash: enough to name the one that was altered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SM3 = hashes.Hash(hashes.SM3())
_OTHER_WAYS = sql(
    """SELECT set_config('enable_seqscan', :allowed, true),
              set_config('enable_hashjoin', :allowed, true),
              set_config('enable_mergejoin', :allowed, true)"""
)
_E, _B = tables.entries.c, tables.blocks.c


def _microseconds(column: Column[object]) -> ColumnElement[int]:
    """An instant as microseconds since 1970, UTC: the same text on every server."""
    return as_type(func.extract("epoch", column) * literal_column("1000000"), BigInteger)


ENTRY_TEXT = (
    _E.region,
    _E.account_id,
    _E.seq,
    _E.journal_id,
    _E.kind,
    _E.amount_fen,
    _E.balance_after_fen,
    _E.source_id,
    _E.counterparty,
    _E.beneficiary_id,
    _E.binding_id,
    _microseconds(_E.occurred_at),
    _microseconds(_E.recorded_at),
)
"""What is sealed of an entry. Its memo is not: what people wrote may have to be erased."""


@dataclass(frozen=True, slots=True)
class Block:
    """A row of `blocks`, by name."""

    region: str
    block_no: int
    previous_hash: bytes
    hash: bytes
    entry_count: int
    sealed_at: datetime

    @classmethod
    def before_the_first(cls, region: str) -> Self:
        """What the first block of a region follows."""
        return cls(region, 0, b"", bytes(HASH_BYTES), 0, _EPOCH)

    def __str__(self) -> str:
        return f"{self.region}/{self.block_no}"


@dataclass(frozen=True, slots=True)
class Listed:
    """The entries of one account in a block: their hashes, in order from `first_seq`."""

    account_id: str
    first_seq: int
    last_seq: int
    digests: Sequence[bytes]

    def line(self) -> bytes:
        """Its line of the block's text."""
        digests = " ".join(digest.hex() for digest in self.digests)
        return f"{self.account_id}\t{self.first_seq}\t{self.last_seq}\t{digests}\n".encode()


def entry_hash(line: bytes) -> bytes:
    """The SM3 hash (32 bytes) of an entry's text, the end of the line included."""
    digest = _SM3.copy()
    digest.update(line)
    return digest.finalize()


def block_hash(block: Block, listing: Iterable[Listed]) -> bytes:
    """The SM3 hash (32 bytes) of a block's text with this listing, accounts ascending."""
    sealed_at = (block.sealed_at - _EPOCH) // _MICROSECOND
    head = (block.region, block.block_no, block.entry_count, sealed_at, block.previous_hash.hex())
    digest = _SM3.copy()
    digest.update("\t".join(map(str, head)).encode() + b"\n")
    for listed in listing:
        digest.update(listed.line())
    return digest.finalize()


def copied(
    tx: sqlalchemy.Connection, statement: str, parameters: Mapping[str, object]
) -> Iterator[bytes]:
    """The rows of a statement as COPY writes them, a line each, read as they come."""
    copying = f"COPY ({statement}) TO STDOUT (ENCODING 'UTF8')".encode()
    with driver(tx).cursor() as cursor, cursor.copy(copying, parameters) as copy:
        for line in copy:  # PostgreSQL sends one message a row
            yield bytes(line)


def driver(tx: sqlalchemy.Connection) -> Tx:
    """The connection below, in the same transaction: COPY is the driver's."""
    return cast(Tx, tx.connection.driver_connection)


def find_by_keys(tx: sqlalchemy.Connection, *, only: bool) -> None:
    """For the rest of the transaction, find rows by their keys only, whatever the tables held when
    they were last counted; or as the database likes.
    """
    tx.execute(_OTHER_WAYS, {"allowed": "off" if only else "on"})


def last_block(tx: sqlalchemy.Connection, region: str) -> Block:
    """The head of a region's chain; what the first block follows where there is none."""
    query = select(*_B).where(_B.region == region).order_by(_B.block_no.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return Block.before_the_first(region) if row is None else Block(*row)


def blocks_after(
    tx: sqlalchemy.Connection, region: str, block_no: int, limit: int
) -> Sequence[Block]:
    """The next `limit` blocks of a region, ascending."""
    query = select(*_B).where(_B.region == region, _B.block_no > block_no)
    return [Block(*row) for row in tx.execute(query.order_by(_B.block_no).limit(limit))]


def next_region(tx: sqlalchemy.Connection, after: str, of: Iterable[Table]) -> str | None:
    """The first region behind `after` that one of the tables has rows of; None behind the last."""
    firsts = (tx.scalar(select(func.min(t.c.region)).where(t.c.region > after)) for t in of)
    return min((region for region in firsts if region is not None), default=None)
