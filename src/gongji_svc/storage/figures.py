"""What waits in the database, in figures: entries to be sealed, messages to be told, differences to
be resolved.

Rule: a figure costs no more than what is behind it, however much the tables hold. Entries that wait
to be sealed are looked for among those of the last minutes, and from the oldest that was found on;
what waits since longer, in accounts that moved no more, is found by `gongji audit`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy
from sqlalchemy import and_, case, func, literal_column, or_, select

from gongji_svc.domain.reconciliation import DifferenceState
from gongji_svc.signals.catalogue import Figure
from gongji_svc.storage import tables
from gongji_svc.storage.seals import find_by_keys, next_region

_E, _L = tables.entries.c, tables.block_accounts.c
_M, _D = tables.tax_messages.c, tables.differences.c
_CLOCK = func.clock_timestamp()
_LOOKED_BACK = timedelta(minutes=10)

Waiting = tuple[int, float]
"""How many wait, and for how many seconds the oldest has."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What waits at one moment."""

    at: datetime
    unsealed: Waiting
    oldest_unsealed: datetime | None
    tax_messages: Waiting
    unresolved_differences: int

    def __iter__(self) -> Iterator[Figure]:
        """As Prometheus sees them."""
        (entries, entry_seconds), (messages, message_seconds) = self.unsealed, self.tax_messages
        yield "gongji_measured_timestamp_seconds", {(): self.at.timestamp()}
        yield "gongji_unsealed_entries", {(): entries}
        yield "gongji_unsealed_age_seconds", {(): entry_seconds}
        yield "gongji_tax_messages_waiting", {(): messages}
        yield "gongji_tax_message_age_seconds", {(): message_seconds}
        yield "gongji_unresolved_differences", {(): self.unresolved_differences}


def measure(
    tx: sqlalchemy.Connection, offset: timedelta, unsealed_since: datetime | None = None
) -> Measured:
    """Measure now, by the database's clock and an offset; `unsealed_since` is where unsealed
    entries were found the last time.
    """
    now = _clock(tx) + offset
    since = min(now - _LOOKED_BACK, unsealed_since or now)
    entries, oldest = _unsealed(tx, since)
    return Measured(
        at=now,
        unsealed=(entries, max(0.0, (now - (oldest or now)).total_seconds())),
        oldest_unsealed=oldest,
        tax_messages=_tax_messages(tx, now),
        unresolved_differences=_unresolved_differences(tx),
    )


def _clock(tx: sqlalchemy.Connection) -> datetime:
    """The database's clock."""
    now: datetime = tx.execute(select(_CLOCK)).scalar_one()
    return now


def _unsealed(tx: sqlalchemy.Connection, since: datetime) -> tuple[int, datetime | None]:
    """The entries that no block seals yet, of accounts that moved since then; and when the oldest
    of them was recorded.
    """
    moved = (
        select(_E.region, _E.account_id, func.max(_E.seq).label("seq"))
        .where(_E.recorded_at >= since)
        .group_by(_E.region, _E.account_id)
        .subquery("moved")
    )
    last = func.coalesce(func.max(_L.last_seq), literal_column("0")).label("seq")
    sealed = (
        select(last)
        .where(_L.region == moved.c.region, _L.account_id == moved.c.account_id)
        .lateral("sealed")
    )
    # Made first, as it stands: joined with the entries it would read those that are sealed too.
    behind = (
        select(moved.c.region, moved.c.account_id, sealed.c.seq)
        .join(sealed, moved.c.seq > sealed.c.seq)
        .cte("behind")
        .prefix_with("MATERIALIZED")
    )
    its_own = and_(_E.region == behind.c.region, _E.account_id == behind.c.account_id)
    waiting = behind.join(tables.entries, and_(its_own, _E.seq > behind.c.seq))
    query = select(func.count(), func.min(_E.recorded_at)).select_from(waiting)
    find_by_keys(tx, only=True)
    count, oldest = tx.execute(query).one()
    return count, oldest


def _tax_messages(tx: sqlalchemy.Connection, now: datetime) -> Waiting:
    """The messages that were due by `now`, or failed, and that the tax authority has not taken.

    One that was tried waits since it was recorded; one that was not, since it is due.
    """
    since = case((_M.attempts > 0, _M.recorded_at), else_=_M.due_at)
    waiting = and_(_M.taken_at.is_(None), or_(_M.last_error != "", _M.due_at <= now))
    count, oldest = tx.execute(select(func.count(), func.min(since)).where(waiting)).one()
    return count, 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _unresolved_differences(tx: sqlalchemy.Connection) -> int:
    """The differences of all regions that nobody has resolved."""
    found, region = 0, next_region(tx, "", (tables.differences,))
    while region is not None:
        is_open = and_(_D.region == region, _D.state == DifferenceState.OPEN.value)
        found += tx.scalar(select(func.count()).select_from(tables.differences).where(is_open)) or 0
        region = next_region(tx, region, (tables.differences,))
    return found
