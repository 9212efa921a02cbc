"""An audit: every check of the books and of their seals, beside the service that goes on booking.

Rule: all is read in one transaction that sees one moment, so what is booked meanwhile is no
difference. It only reads, so it may read a standby and spare the database that books.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy import text as sql

from gongji_svc.storage import migrate, tables
from gongji_svc.storage.book_checks import check_accounts, check_journals, check_suspense
from gongji_svc.storage.database import Database
from gongji_svc.storage.seal_checks import Finding, check_blocks, check_heads, check_unsealed
from gongji_svc.storage.seals import next_region

_MOST_TOLD = 20
_COUNTS = sql(
    """SELECT (SELECT count(*) FROM accounts WHERE region = :region) AS accounts,
              (SELECT count(*) FROM entries WHERE region = :region) AS entries,
              (SELECT count(*) FROM blocks WHERE region = :region) AS blocks"""
)
# Room to sort in memory, and plans for whoever reads all that a statement gives.
_FOR_LARGE_READS = sql(
    """SELECT set_config('work_mem', '64MB', true),
              set_config('cursor_tuple_fraction', '1', true)"""
)


class Watcher(Protocol):
    """Who watches an audit."""

    def begin(self, part: str, entries: int | None) -> None:
        """A part has begun; of how many entries, where that is known."""

    def advance(self, entries: int) -> None:
        """So many entries of it are done."""


@dataclass(slots=True)
class Audit:
    """What is to be checked, and how much was.

    No `region`: all. `heads` is a file of seals; what is appended to it from now on is not read.
    """

    database: Database
    watcher: Watcher
    region: str | None = None
    heads: Path | None = None
    checked: Counter[str] = field(default_factory=Counter)
    _heads_bytes: int = 0

    def __post_init__(self) -> None:
        self._heads_bytes = 0 if self.heads is None else self.heads.stat().st_size

    def run(self) -> Iterator[Finding]:
        """Check everything; what does not fit, the first ones of each kind."""
        with self.database.reader() as tx:
            tx.execution_options(isolation_level="REPEATABLE READ")
            tx.execute(_FOR_LARGE_READS)
            migrate.check_schema(tx)
            for region in _regions(tx) if self.region is None else (self.region,):
                yield from self._check_region(tx, region)
            self.watcher.begin("journals", None)
            count = self._counting("journals by region")
            yield from _first(check_journals(tx, self.region, count))
            yield from _first(check_suspense(tx, self.region))
            yield from _first(self._check_heads(tx))

    def _check_region(self, tx: sqlalchemy.Connection, region: str) -> Iterator[Finding]:
        counts = tx.execute(_COUNTS, {"region": region}).one()
        self.checked.update(regions=1, **counts._mapping)
        self.watcher.begin(region, counts.entries)
        yield from _first(check_accounts(tx, region))
        yield from _first(check_blocks(tx, region, self.watcher.advance))
        yield from check_unsealed(tx, region)

    def _check_heads(self, tx: sqlalchemy.Connection) -> Iterator[Finding]:
        if self.heads is None:
            yield Finding("no file of seals: a chain rewritten as a whole stays unseen", True)
            return
        self.watcher.begin(self.heads.name, None)
        count = self._counting(f"lines of {self.heads}")
        yield from check_heads(tx, self.heads, self._heads_bytes, self.region, count)

    def _counting(self, what: str) -> Callable[[int], None]:
        return lambda number: self.checked.update({what: number})


_WITH_REGIONS = (tables.accounts, tables.entries, tables.blocks)


def _regions(tx: sqlalchemy.Connection) -> Iterator[str]:
    """The regions that have accounts, entries or blocks, ascending."""
    region = next_region(tx, "", _WITH_REGIONS)
    while region is not None:
        yield region
        region = next_region(tx, region, _WITH_REGIONS)


def _first(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The notes, the first differences, and how many more there are."""
    differences = 0
    for finding in findings:
        differences += not finding.is_note
        if finding.is_note or differences <= _MOST_TOLD:
            yield finding
    if differences > _MOST_TOLD:
        yield Finding(f"and {differences - _MOST_TOLD} more of this kind")
