"""Computes every sealed block again, and says what is not as it was sealed.

Rule: a chain proves itself up to its head; that the head is the one that was made, only what was
kept outside the database proves. Entries are read in the order of the chain, which is about that of
the disk; nothing is kept in memory but the block at hand, and a byte a block that the file tells.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy import cast as as_type
from sqlalchemy import text as sql

from gongji_svc.domain.calendar import SHANGHAI
from gongji_svc.storage import tables
from gongji_svc.storage.seal_file import Head, read_heads
from gongji_svc.storage.seals import (
    ENTRY_TEXT,
    NAMING_BYTES,
    Block,
    Listed,
    block_hash,
    blocks_after,
    copied,
    entry_hash,
    find_by_keys,
    next_region,
)
from gongji_svc.storage.statements import compiled

_BLOCKS_AT_ONCE = 1000
_HEADS_AT_ONCE = 1000
_NULL = rb"\N"
STREAMED = {"stream_results": True, "yield_per": 1000}
"""Rows are read as they come, however many there are."""

_B, _L, _E = tables.blocks.c, tables.block_accounts.c, tables.entries.c


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be; or, as a note, what one should know."""

    what: str
    is_note: bool = False


class _Line(NamedTuple):
    """An entry of a block, as copied; without a listing or an entry the rest is NULL."""

    block_no: bytes
    account_id: bytes
    first_seq: bytes
    last_seq: bytes
    named: bytes
    entry: bytes


def _content() -> str:
    """The statement: the entries of some blocks of a region, in the order of the chain."""
    region = bindparam("region", type_=Text)
    first, last = (bindparam(name, type_=BigInteger) for name in ("first", "last"))
    in_block = and_(_L.region == region, _L.block_no == _B.block_no)
    is_listed = and_(
        _E.region == region,
        _E.account_id == _L.account_id,
        _E.seq.between(_L.first_seq, _L.last_seq),
    )
    size, place = literal_column(str(NAMING_BYTES), Integer), _E.seq - _L.first_seq
    start = func.least(place * size + literal_column("1"), literal_column(str(2**31 - 1)))
    named = func.substr(_L.hashes, as_type(start, Integer), size)
    named = func.encode(named, literal_column("'hex'"))
    query = (
        select(_B.block_no, _L.account_id, _L.first_seq, _L.last_seq, named, *ENTRY_TEXT)
        .select_from(tables.blocks)
        .outerjoin(tables.block_accounts, in_block)
        .outerjoin(tables.entries, is_listed)
        .where(_B.region == region, _B.block_no.between(first, last))
        .order_by(_B.block_no, _L.account_id, _E.seq)
    )
    return compiled(query)


_CONTENT = _content()


def check_blocks(
    tx: sqlalchemy.Connection, region: str, progress: Callable[[int], None]
) -> Iterator[Finding]:
    """Compute a region's blocks again, from the first on; `progress` gets each one's entries."""
    find_by_keys(tx, only=True)
    last = Block.before_the_first(region)
    while blocks := blocks_after(tx, region, last.block_no, _BLOCKS_AT_ONCE):
        asked = {"region": region, "first": blocks[0].block_no, "last": blocks[-1].block_no}
        lines = (_Line(*line.split(b"\t", 5)) for line in copied(tx, _CONTENT, asked))
        contents = groupby(lines, key=itemgetter(0))
        for (before, block), (_, found) in zip(pairwise([last, *blocks]), contents, strict=True):
            yield from _check_place(before, block)
            yield from _check_content(block, found)
            progress(block.entry_count)
        last = blocks[-1]
    find_by_keys(tx, only=False)
    yield from _check_end(tx, last)
    yield from _check_coverage(tx, region)


def _check_place(before: Block, block: Block) -> Iterator[Finding]:
    """Whether a block follows the one before it."""
    if block.block_no != before.block_no + 1:
        yield _missing_blocks(block.region, before.block_no + 1, block.block_no - 1)
    elif block.previous_hash != before.hash:
        yield Finding(f"block {block} does not follow {before}: the chain is broken there")


def _missing_blocks(region: str, first: int, last: int) -> Finding:
    if first == last:
        return Finding(f"block {region}/{first} is missing")
    return Finding(f"blocks {region}/{first} to {region}/{last} are missing")


def _check_content(block: Block, lines: Iterable[_Line]) -> Iterator[Finding]:
    """Whether a block's entries are those that were sealed."""
    listing: list[Listed] = []
    findings: list[Finding] = []
    for account_id, of_account in groupby(lines, key=itemgetter(1)):
        if account_id != _NULL:
            listing.append(_listed(block, list(of_account), findings))
    if block_hash(block, listing) != block.hash:
        yield from findings or [Finding(f"block {block} is altered: it gives another hash")]
    elif findings:
        yield Finding(f"the listing of block {block} is altered; its entries are not")


def _listed(block: Block, lines: Sequence[_Line], findings: list[Finding]) -> Listed:
    """What the block's text says of an account; adds what is altered, missing or inserted."""
    account_id, last_seq = lines[0].account_id.decode(), int(lines[0].last_seq)
    due = first_seq = int(lines[0].first_seq)
    digests: list[bytes] = []
    for line in lines:
        if line.entry.startswith(_NULL):
            break
        seq, digest = int(line.entry.split(b"\t", 3)[2]), entry_hash(line.entry)
        digests.append(digest)
        if seq > due:
            findings.append(_missing_entries(account_id, due, seq - 1, block))
        if seq < due:
            findings.append(Finding(f"entry {account_id}:{seq} stands twice: one was inserted"))
        elif digest[:NAMING_BYTES].hex().encode() != line.named:
            findings.append(Finding(f"entry {account_id}:{seq} is altered; {block} sealed it"))
        due = seq + 1
    if due <= last_seq:
        findings.append(_missing_entries(account_id, due, last_seq, block))
    return Listed(account_id, first_seq, last_seq, digests)


def _missing_entries(account_id: str, first: int, last: int, block: Block) -> Finding:
    if first == last:
        return Finding(f"entry {account_id}:{first} is missing; {block} sealed it")
    return Finding(f"entries {account_id}:{first} to {last} are missing; {block} sealed them")


def _check_end(tx: sqlalchemy.Connection, last: Block) -> Iterator[Finding]:
    """Whether there is a listing whose block is gone."""
    behind = select(func.min(_L.block_no), func.max(_L.block_no)).where(
        _L.region == last.region, _L.block_no > last.block_no
    )
    first_no, last_no = tx.execute(behind).one()
    if first_no is not None:
        yield _missing_blocks(last.region, first_no, last_no)


_COVERAGE = sql(
    """
    SELECT account_id, min(first_seq) FROM (
        SELECT account_id, first_seq, lag(last_seq, 1, 0) OVER (
            PARTITION BY account_id ORDER BY first_seq) AS sealed_seq
        FROM block_accounts WHERE region = :region) AS listed
    WHERE first_seq <> sealed_seq + 1
    GROUP BY account_id
    """
)


def _check_coverage(tx: sqlalchemy.Connection, region: str) -> Iterator[Finding]:
    """Whether every account is sealed from its first entry on without a gap."""
    for account_id, seq in tx.execute(_COVERAGE, {"region": region}, execution_options=STREAMED):
        yield Finding(f"blocks leave out entries before {account_id}:{seq}, or seal them twice")


# --- what was not sealed, and what was kept outside

_UNSEALED = sql(
    """
    WITH sealed AS (
        SELECT account_id, max(last_seq) AS seq
        FROM block_accounts WHERE region = :region GROUP BY account_id
    ), behind AS (
        SELECT a.id, coalesce(s.seq, 0) AS sealed_seq
        FROM accounts AS a LEFT JOIN sealed AS s ON s.account_id = a.id
        WHERE a.region = :region AND a.seq > coalesce(s.seq, 0)
    )
    SELECT count(*), min(e.recorded_at)
    FROM behind AS b JOIN entries AS e ON e.account_id = b.id AND e.seq > b.sealed_seq
    WHERE e.region = :region AND e.recorded_at < clock_timestamp() - interval '1 minute'
    """
)


def check_unsealed(tx: sqlalchemy.Connection, region: str) -> Iterator[Finding]:
    """Whether sealing keeps up; that it does not is a note only."""
    waiting, since = tx.execute(_UNSEALED, {"region": region}).one()
    if waiting:
        at = since.astimezone(SHANGHAI).isoformat(" ", "seconds")
        what = f"{region}: {waiting} entries are not sealed yet, the first recorded at {at}"
        yield Finding(what, is_note=True)


_LAST_TO_BE_TOLD = sql(
    """
    SELECT block_no FROM blocks
    WHERE region = :region AND sealed_at < now() - interval '1 minute'
    ORDER BY block_no DESC LIMIT 1
    """
)


def check_heads(
    tx: sqlalchemy.Connection,
    path: Path,
    size_bytes: int,
    region: str | None,
    progress: Callable[[int], None],
) -> Iterator[Finding]:
    """Whether the database has what the first `size_bytes` of a file of seals tell, of one region
    or of all; `progress` gets how many lines were compared. A block without a line is a note only:
    the hash of a later one stands for it, and the last ones may have still to be told.
    """
    has_line = dict(_blocks_to_be_told(tx, region))
    lines = read_heads(path, size_bytes)
    while chunk := list(islice(lines, _HEADS_AT_ONCE)):
        for number in (line for line in chunk if isinstance(line, int)):
            yield Finding(f"{path}:{number}: not a line that can be read", is_note=True)
        heads = [h for h in chunk if isinstance(h, Head) and region in (None, h.region)]
        yield from _check_some_heads(tx, path, heads)
        progress(len(heads))
        for head in heads:
            its_region = has_line.get(head.region, bytearray())
            if 0 < head.block_no < len(its_region):
                its_region[head.block_no] = 1
    for name, found in has_line.items():
        if lacking := found.count(0, 1):
            which = f"between {name}/{found.find(0, 1)} and {name}/{found.rfind(0, 1)}"
            yield Finding(f"{path} has no line of {lacking} blocks, {which}", is_note=True)


def _blocks_to_be_told(
    tx: sqlalchemy.Connection, region: str | None
) -> Iterator[tuple[str, bytearray]]:
    """By region, a byte for each block that was sealed more than a minute ago."""
    regions = [region] if region is not None else list(_regions_with_blocks(tx))
    for one in regions:
        last = tx.scalar(_LAST_TO_BE_TOLD, {"region": one})
        yield one, bytearray((last or 0) + 1)


def _regions_with_blocks(tx: sqlalchemy.Connection) -> Iterator[str]:
    region = next_region(tx, "", (tables.blocks,))
    while region is not None:
        yield region
        region = next_region(tx, region, (tables.blocks,))


def _check_some_heads(
    tx: sqlalchemy.Connection, path: Path, heads: Sequence[Head]
) -> Iterator[Finding]:
    key = tuple_(_B.region, _B.block_no)
    asked = [(head.region, head.block_no) for head in heads]
    query = select(_B.region, _B.block_no, _B.hash).where(key.in_(asked))
    hashes = {(of, number): value for of, number, value in tx.execute(query)}
    for head in heads:
        name, found = f"{head.region}/{head.block_no}", hashes.get((head.region, head.block_no))
        if found is None:
            yield Finding(f"block {name} is missing; {path}:{head.line} tells of it")
        elif found != head.hash:
            yield Finding(f"block {name} has another hash than {path}:{head.line} tells")
