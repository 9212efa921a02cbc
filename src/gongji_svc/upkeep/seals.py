"""Seals entries in blocks, a few seconds behind those who book, and tells each block's hash outside
the database: in the log and in the file of seals.

Rule: a round looks at what was recorded since the round before, and at what a transaction that was
under way then may have committed since. The first round of a process, and one a day, looks at every
account, so nothing stays unsealed, whatever clocks did. Any number of processes may seal at once,
the threads of one take turns; one that dies in the middle leaves its entries to the next round.
A file that can't be written ends no sealing: to bring it up to the last block of every region is a
job of its own, which then fails.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog

from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.storage.seal_file import SealFile
from gongji_svc.storage.seal_writes import (
    MOST_ENTRIES,
    moved_accounts,
    read_clock,
    seal,
    unsealed_accounts,
)
from gongji_svc.storage.seals import Block, next_region

_log = structlog.get_logger()

_BEHIND = timedelta(seconds=2)
_BETWEEN_ROUNDS = timedelta(seconds=10)
_BETWEEN_FULL_ROUNDS = timedelta(days=1)
_LOOKED_AT_AGAIN = timedelta(minutes=10)
_ACCOUNTS_AT_ONCE = 1000
_NEVER = datetime.min.replace(tzinfo=UTC)
_FIRST_ID = UUID(int=0)


@dataclass(slots=True)
class _Course:
    """How far this process has come with a database."""

    file: SealFile | None
    since: datetime = _NEVER  # what was recorded before was looked at
    round_at: datetime = _NEVER  # of the last round, and of the last full one
    full_round_at: datetime = _NEVER
    blocks: Iterator[Block] = field(default_factory=lambda: iter(()))  # what the round still seals
    turn: threading.Lock = field(default_factory=threading.Lock)  # one thread goes on with it


_courses: WeakKeyDictionary[Database, _Course] = WeakKeyDictionary()
_finding = threading.Lock()


def seal_entries(office: Office) -> int:
    """Seal one block, when it is time; how many entries."""
    course = _course(office)
    with course.turn:
        block = next(course.blocks, None) or _next_round(office, course)
    return 0 if block is None else block.entry_count


def tell_seals(office: Office) -> int:
    """Tell the file of seals the blocks that it has not, whoever sealed them; how many. OSError
    where it can't be written.
    """
    course = _course(office)
    if course.file is None:
        return 0
    told, of = 0, (tables.blocks,)
    with course.turn, office.database.reader() as tx:
        region = next_region(tx, "", of)
        while region is not None:
            told += course.file.catch_up(tx, region)
            region = next_region(tx, region, of)
    return told


def _course(office: Office) -> _Course:
    with _finding:
        course = _courses.get(office.database)
        if course is None:
            file = None if office.seal_file is None else SealFile(office.seal_file)
            course = _courses.setdefault(office.database, _Course(file))
        return course


def _next_round(office: Office, course: _Course) -> Block | None:
    """Begin a round, unless the last one is too young; its first block."""
    with office.database.reader() as tx:
        now, oldest = (instant + office.clock_offset for instant in read_clock(tx))
    if now - course.round_at < _BETWEEN_ROUNDS:
        return None
    course.round_at = now
    course.blocks = _round(office, course, now, oldest)
    return next(course.blocks, None)


def _round(office: Office, course: _Course, now: datetime, oldest: datetime) -> Iterator[Block]:
    """Seal block after block; only a round that comes to its end is one to build on.

    A region that can't be sealed holds up no other, and is looked at again for a while.
    """
    until = now - _BEHIND
    is_full = now - course.full_round_at >= _BETWEEN_FULL_ROUNDS
    seen = min(oldest, until)
    for region, account_ids in _behind(office) if is_full else _moved(office, course.since, until):
        try:
            yield from _seal_all(office, course.file, region, account_ids)
        except DatabaseUnavailable:
            raise
        except Exception as cause:  # noqa: BLE001 - whatever it is, the other regions go on
            _log.error("a region can't be sealed", region=region, exc_info=cause)
            seen = min(seen, max(course.since, now - _LOOKED_AT_AGAIN))
    course.since = seen
    if is_full:
        course.full_round_at = now


def _moved(
    office: Office, since: datetime, until: datetime
) -> Iterator[tuple[str, Sequence[UUID]]]:
    """The accounts that moved and are not sealed, by region."""
    with office.database.reader() as tx:
        moved = moved_accounts(tx, since, until)
    for region, account_ids in moved.items():
        for start in range(0, len(account_ids), _ACCOUNTS_AT_ONCE):
            yield region, account_ids[start : start + _ACCOUNTS_AT_ONCE]


def _behind(office: Office) -> Iterator[tuple[str, Sequence[UUID]]]:
    """All accounts that are not sealed, by region; every region at least once."""
    region: str | None = ""
    while region is not None:
        with office.database.reader() as tx:
            region = next_region(tx, region, (tables.accounts,))
        account_ids: Sequence[UUID] = [_FIRST_ID]
        while region is not None and account_ids:
            with office.database.reader() as tx:
                last = account_ids[-1]
                account_ids = unsealed_accounts(tx, region, last, _ACCOUNTS_AT_ONCE)
            yield region, account_ids


def _seal_all(
    office: Office, file: SealFile | None, region: str, account_ids: Sequence[UUID]
) -> Iterator[Block]:
    """Seal what is unsealed of some accounts of a region, and tell the blocks that it has."""
    is_full = True
    while is_full:
        block = _seal(office, region, account_ids)
        is_full = block is not None and block.entry_count == MOST_ENTRIES
        _tell(office, file, region)
        if block is not None:
            yield block


def _seal(office: Office, region: str, account_ids: Sequence[UUID]) -> Block | None:
    if not account_ids:
        return None
    with office.database.transaction() as tx:
        block = seal(tx, region, account_ids, office.now())
    if block is not None:
        said = {"region": region, "block_no": block.block_no, "entries": block.entry_count}
        _log.info("a block was sealed", **said, hash=block.hash.hex())
    return block


def _tell(office: Office, file: SealFile | None, region: str) -> None:
    """Bring the file up to the region's last block. Where it can't be written, sealing goes on,
    and `tell_seals` fails.
    """
    if file is None:
        return
    try:
        with office.database.reader() as tx:
            file.catch_up(tx, region)
    except OSError as error:
        _log.error("the file of seals can't be written", path=str(file.path), error=str(error))
