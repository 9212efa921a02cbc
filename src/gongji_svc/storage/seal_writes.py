"""Finds the entries that no block seals yet, and seals them.

Rule: an account is sealed from its first entry on without a gap, whatever was committed late, for
what follows its last sealed entry comes next. A region has one chain: who seals it holds a lock of
the transaction that nobody else knows. Entries and accounts are only read, and never locked.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count, groupby
from uuid import UUID

import sqlalchemy
import structlog
from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy import text as sql

from gongji_svc.storage import tables
from gongji_svc.storage.seals import (
    ENTRY_TEXT,
    NAMING_BYTES,
    Block,
    Listed,
    block_hash,
    copied,
    driver,
    entry_hash,
    find_by_keys,
    last_block,
)
from gongji_svc.storage.statements import compiled

MOST_ENTRIES = 10_000

_log = structlog.get_logger()

_E, _A, _L = tables.entries.c, tables.accounts.c, tables.block_accounts.c
_SEALING = 0x5EA1  # the class of the lock; its object is the region
_WAIT_SHORTLY = sql("SET LOCAL lock_timeout = '5s'")
_CLOCK = sql(
    """SELECT clock_timestamp(), min(xact_start) FROM pg_stat_activity
       WHERE datname = current_database() AND backend_xid IS NOT NULL"""
)
_NEW_LISTING = f"COPY {tables.block_accounts} ({', '.join(_L.keys())}) FROM STDIN".encode()


def read_clock(tx: sqlalchemy.Connection) -> tuple[datetime, datetime]:
    """The database's clock; and when the oldest transaction began that is writing just now.

    What such a transaction books is recorded at that instant or later.
    """
    now, oldest = tx.execute(_CLOCK).one()
    return now, oldest or now


def _last_sealed(region: object, account_id: object) -> Select[tuple[int]]:
    """The last sealed seq of an account, 0 before the first."""
    newest = func.coalesce(func.max(_L.last_seq), literal_column("0")).label("seq")
    return select(newest).where(_L.region == region, _L.account_id == account_id)


def moved_accounts(
    tx: sqlalchemy.Connection, since: datetime, until: datetime
) -> Mapping[str, Sequence[UUID]]:
    """By region, the accounts with entries recorded from `since` to before `until` that no block
    seals.
    """
    moved = (
        select(_E.region, _E.account_id, func.max(_E.seq).label("seq"))
        .where(_E.recorded_at >= since, _E.recorded_at < until)
        .group_by(_E.region, _E.account_id)
        .subquery()
    )
    sealed = _last_sealed(moved.c.region, moved.c.account_id).scalar_subquery()
    query = select(moved.c.region, moved.c.account_id).where(moved.c.seq > sealed)
    find_by_keys(tx, only=True)
    found: defaultdict[str, list[UUID]] = defaultdict(list)
    for region, account_id in tx.execute(query):
        found[region].append(account_id)
    return found


def unsealed_accounts(
    tx: sqlalchemy.Connection, region: str, after: UUID, limit: int
) -> Sequence[UUID]:
    """The first `limit` accounts of a region behind `after` with entries that no block seals."""
    sealed = _last_sealed(region, _A.id).scalar_subquery()
    query = select(_A.id).where(_A.region == region, _A.id > after, _A.seq > sealed)
    find_by_keys(tx, only=True)
    return tx.scalars(query.order_by(_A.id).limit(limit)).all()


def seal(
    tx: sqlalchemy.Connection, region: str, account_ids: Sequence[UUID], at: datetime
) -> Block | None:
    """Seal what is unsealed of these accounts, at most MOST_ENTRIES, in the region's next block;
    None when all of it is sealed.
    """
    tx.execute(_WAIT_SHORTLY)
    tx.execute(select(func.pg_advisory_xact_lock(_SEALING, int(region))))
    find_by_keys(tx, only=True)
    listing = list(_listing(tx, region, account_ids))
    if not listing:
        return None
    previous = last_block(tx, region)
    entry_count = sum(len(listed.digests) for listed in listing)
    unhashed = Block(region, previous.block_no + 1, previous.hash, b"", entry_count, at)
    block = replace(unhashed, hash=block_hash(unhashed, listing))
    tx.execute(insert(tables.blocks), asdict(block))
    _write_listing(tx, block, listing)
    return block


def _unsealed() -> str:
    """The statement: what is unsealed of given accounts, each entry behind the last sealed seq."""
    region = bindparam("region", type_=Text)
    ids = func.unnest(bindparam("account_ids", type_=ARRAY(Uuid)))
    asked = ids.table_valued("account_id").render_derived(name="asked")
    sealed = _last_sealed(region, asked.c.account_id).lateral("sealed")
    its_own = and_(_E.region == region, _E.account_id == asked.c.account_id)
    query = (
        select(sealed.c.seq, *ENTRY_TEXT)
        .select_from(asked)
        .join(sealed, true())
        .join(tables.entries, and_(its_own, _E.seq > sealed.c.seq))
        .order_by(_E.account_id, _E.seq)
        .limit(literal_column(str(MOST_ENTRIES)))
    )
    return compiled(query)


_UNSEALED = _unsealed()


@dataclass(frozen=True, slots=True)
class _Entry:
    """An unsealed entry, and the last sealed one of its account."""

    account_id: str
    seq: int
    sealed_seq: int
    digest: bytes


def _entry(line: bytes) -> _Entry:
    sealed_seq, entry = line.split(b"\t", 1)
    _, account_id, seq, _ = entry.split(b"\t", 3)
    return _Entry(account_id.decode(), int(seq), int(sealed_seq), entry_hash(entry))


def _listing(
    tx: sqlalchemy.Connection, region: str, account_ids: Sequence[UUID]
) -> Iterator[Listed]:
    """What is unsealed of these accounts, up to where an account's entries have a gap."""
    asked = {"region": region, "account_ids": list(account_ids)}
    entries = map(_entry, copied(tx, _UNSEALED, asked))
    for account_id, unsealed in groupby(entries, key=lambda entry: entry.account_id):
        found = list(unsealed)
        first_seq = found[0].sealed_seq + 1
        digests = [
            e.digest for due, e in zip(count(first_seq), found, strict=False) if e.seq == due
        ]
        if len(digests) < len(found):
            _log.error("entries are missing: what follows them is not sealed", account=account_id)
        if digests:
            yield Listed(account_id, first_seq, first_seq + len(digests) - 1, digests)


def _write_listing(tx: sqlalchemy.Connection, block: Block, listing: Sequence[Listed]) -> None:
    with driver(tx).cursor() as cursor, cursor.copy(_NEW_LISTING) as copy:
        for listed in listing:
            names = b"".join(digest[:NAMING_BYTES] for digest in listed.digests)
            seqs = (listed.first_seq, listed.last_seq)
            copy.write_row((block.region, block.block_no, listed.account_id, *seqs, names))
