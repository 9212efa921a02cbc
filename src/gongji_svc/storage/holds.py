"""Holds: the rows they are kept in, what they count, and how they are found.

Rule: whoever resolves a hold has the lock of its owner's accounts, which keeps the sums still that
its limits count. What a limit counts of a hold falls away with what is not taken of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import and_, case, func, literal_column, select

from gongji_svc.domain.hold import Hold, HoldState, expired
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.settlements import Counted, counter_row
from gongji_svc.storage.state import Decision, State, TableRow
from gongji_svc.storage.statements import Row

Counts = defaultdict[tuple[UUID, str, date], int]
"""What is counted more, in fen, by subject, kind and day."""

_HOLDS = tables.holds.c
_ACCOUNTS = tables.accounts.c
_STATE = [one.name for one in fields(Hold)].index("state")


def hold_row(hold: Hold) -> Row:
    """The row of `holds`."""
    return (
        region_of(hold.hold_id),
        hold.hold_id,
        hold.account_id,
        hold.owner_id,
        hold.beneficiary_id,
        hold.binding_id,
        hold.institution_code,
        hold.amount_fen,
        hold.captured_fen,
        hold.state.value,
        hold.counted_on,
        hold.household,
        hold.created_at,
        hold.expires_at,
        hold.resolved_at,
        hold.reason,
    )


def hold_from(row: Row) -> Hold:
    """A hold from its row."""
    _, *values = row
    values[_STATE] = HoldState(values[_STATE])
    return Hold(*values)


def hold_in(state: State, hold_id: UUID) -> Hold | None:
    """The gathered hold, None when there is none."""
    row = state.holds.get(hold_id)
    return None if row is None else hold_from(row)


def open_holds(state: State) -> Sequence[Hold]:
    """The gathered holds that are not resolved, due or not."""
    holds = (hold_from(row) for row in state.holds.values())
    return [hold for hold in holds if hold.state is HoldState.OPEN]


def limits_of(hold: Hold) -> Iterator[tuple[UUID, str]]:
    """The sums that a hold counts in, by subject and kind."""
    if hold.binding_id is not None:
        yield hold.binding_id, Counted.MUTUAL_AID.value
    if hold.household:
        yield hold.owner_id, Counted.HOUSEHOLD.value


def count(counts: Counts, hold: Hold, more_fen: int) -> None:
    """Count more of a hold, or less when negative, on the day it was made."""
    for subject_id, kind in limits_of(hold):
        counts[subject_id, kind, hold.counted_on] += more_fen


def counter_rows(state: State, counts: Counts) -> Sequence[TableRow]:
    """The rows of `counters` after all that is counted more."""
    return [
        (tables.counters, counter_row(state, subject, kind, day, more_fen))
        for (subject, kind, day), more_fen in counts.items()
    ]


def resolution(state: State, resolved: Sequence[Hold]) -> Decision:
    """What it means that these holds are resolved, but for the money that moves; no answer."""
    counts: Counts = defaultdict(int)
    for hold in resolved:
        count(counts, hold, hold.captured_fen - hold.amount_fen)
    rows = [(tables.holds, hold_row(hold)) for hold in resolved]
    return Decision(
        answer=b"",
        held=tuple((hold.account_id, -hold.amount_fen) for hold in resolved),
        replaced=(*rows, *counter_rows(state, counts)),
    )


def expiry(state: State) -> Decision | None:
    """What becomes of the gathered holds whose time has passed; None when there are none."""
    due = [expired(hold) for hold in open_holds(state) if hold.is_due(state.now)]
    return resolution(state, due) if due else None


def find_due(tx: sqlalchemy.Connection, now: datetime, limit: int) -> Mapping[UUID, Sequence[UUID]]:
    """The first `limit` holds whose time has passed unnoticed, by owner; without a lock."""
    # Said as the index says it, so that it serves whatever plan is made.
    due = and_(_HOLDS.state == literal_column("'OPEN'"), _HOLDS.expires_at <= now)
    query = select(_HOLDS.owner_id, _HOLDS.id).where(due).order_by(_HOLDS.expires_at).limit(limit)
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for owner_id, hold_id in tx.execute(query):
        found[owner_id].append(hold_id)
    return found


def read_hold(tx: sqlalchemy.Connection, hold_id: UUID) -> tuple[Hold, str] | None:
    """The hold with this id, and the region in whose books its account stands."""
    of_account = and_(_ACCOUNTS.region == _HOLDS.region, _ACCOUNTS.id == _HOLDS.account_id)
    query = (
        select(*_HOLDS, _ACCOUNTS.pool_region)
        .join(tables.accounts, of_account)
        .where(_HOLDS.region == region_of(hold_id), _HOLDS.id == hold_id)
    )
    found = tx.execute(query).one_or_none()
    return None if found is None else (hold_from(tuple(found[:-1])), found[-1])


def list_holds(
    tx: sqlalchemy.Connection,
    account_id: UUID,
    states: Collection[HoldState],
    now: datetime,
    before: UUID | None,
    limit: int,
) -> Sequence[Hold]:
    """At most `limit` holds on an account, newest first, those older than `before`.

    `states` are those at `now`, whether or not an end was noticed; none: all.
    """
    query = (
        select(*_HOLDS)
        .where(_HOLDS.region == region_of(account_id), _HOLDS.account_id == account_id)
        .order_by(_HOLDS.id.desc())
        .limit(limit)
    )
    if states:
        due = and_(_HOLDS.state == HoldState.OPEN.value, _HOLDS.expires_at <= now)
        seen = case((due, HoldState.EXPIRED.value), else_=_HOLDS.state)
        query = query.where(seen.in_(sorted(states)))
    if before is not None:
        query = query.where(_HOLDS.id < before)
    return [hold_from(tuple(row)) for row in tx.execute(query)]


def read_clock(tx: sqlalchemy.Connection) -> datetime:
    """The database's clock, which ends holds."""
    now = tx.scalar(select(func.clock_timestamp()))
    assert isinstance(now, datetime)  # noqa: S101 - a SELECT without FROM has one row
    return now
