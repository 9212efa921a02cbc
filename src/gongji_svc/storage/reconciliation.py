"""An institution's day as it stands here, and what a comparison makes of its differences.

Rule: a day's rows are what was recorded between two midnights in Asia/Shanghai, by the database's
clock: settlements as first decided, refunds and cancellations as negative rows of their own day.
Who compares in detail holds the lock of institution and day until commit, so that comparisons of
one day follow each other; a difference that is found again is the same difference.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, cast
from uuid import UUID

import psycopg
import sqlalchemy
import sqlalchemy.exc
from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    column,
    delete,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.reconciliation import Difference, DifferenceState, Row, Totals
from gongji_svc.storage import claims, ledger, packed, tables
from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.storage.differences import difference_row
from gongji_svc.storage.state import Claim, State, Taken
from gongji_svc.storage.statements import Tx, Write

_SETTLEMENTS = tables.settlements.c
_REFUNDS = tables.refunds.c
_DIFFERENCES = tables.differences.c
_ADD = Write(tables.differences)
_AT_ONCE = 5_000
_WAIT = sqlalchemy.text("SET LOCAL lock_timeout = '20s'")
_LOCK = sqlalchemy.text(
    "SELECT pg_advisory_xact_lock('differences'::regclass::oid::int, hashtext(:day))"
)

Transaction = sqlalchemy.Connection
"""In which a comparison reads and writes."""


@contextlib.contextmanager
def comparing(database: Database) -> Iterator[sqlalchemy.Connection]:
    """A transaction that waits for others; DatabaseUnavailable where that takes too long."""
    try:
        with database.transaction() as tx:
            tx.execute(_WAIT)
            packed.register(_raw(tx))
            yield tx
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as busy:
        raise DatabaseUnavailable("the day is being compared by somebody else") from busy


def claim(tx: sqlalchemy.Connection, wanted: Claim) -> Taken | None:
    """Claim a request key; what it was answered before, None where it is new."""
    state = State()
    raw = _raw(tx)
    claims.claim(raw, state, [wanted.key], by_region=ledger.is_distributed(raw))
    return state.requests.get(wanted.key)


def conclude(tx: sqlalchemy.Connection, wanted: Claim, answer: bytes) -> None:
    """Keep the answer to a claimed request."""
    raw = _raw(tx)
    taken = Taken(wanted.method, wanted.content, answer)
    claims.conclude(raw, {wanted.key: taken}, [], by_region=ledger.is_distributed(raw))


def lock_day(tx: sqlalchemy.Connection, code: str, day: date) -> None:
    """Let comparisons of an institution's day follow each other."""
    tx.execute(_LOCK, {"day": f"{code} {day}"})


def totals_of(
    tx: sqlalchemy.Connection, region: str, code: str, day: date, insurance: str = ""
) -> Totals:
    """The sums of an institution's day, of one insurance where one is named."""
    rows = _rows(region, code, day, insurance).subquery().c
    sums = (func.coalesce(func.sum(rows[name]), 0) for name in Totals.__slots__[2:])
    query = select(
        func.count().filter(rows.refund.is_(False)), func.count().filter(rows.refund), *sums
    )
    return Totals(*(int(value) for value in tx.execute(query).one()))


class Books:
    """An institution's day as this service has it, read once, row by row."""

    def __init__(self, tx: sqlalchemy.Connection, region: str, code: str, day: date) -> None:
        query = _rows(region, code, day, "").execution_options(yield_per=_AT_ONCE)
        self._found: Iterable[Any] = tx.execute(query)
        self._sums = [0] * len(Totals.__slots__)

    def __iter__(self) -> Iterator[Row]:
        for settlement_id, request_id, refund, *sums_fen in self._found:
            for place, value in enumerate((not refund, refund, *sums_fen)):
                self._sums[place] += value
            yield Row(settlement_id, request_id, refund, *sums_fen[:3])

    @property
    def totals(self) -> Totals:
        """The sums of what was read."""
        return Totals(*self._sums)


def known_settlements(
    tx: sqlalchemy.Connection, region: str, code: str, ids: Iterable[UUID]
) -> set[UUID]:
    """Which of these the institution has settled here, on whatever day."""
    query = select(_SETTLEMENTS.id).where(
        _SETTLEMENTS.region == region,
        _SETTLEMENTS.id.in_(list(ids)),
        _SETTLEMENTS.institution_code == code,
    )
    return set(tx.scalars(query))


def contents_of(
    tx: sqlalchemy.Connection, region: str, code: str, day: date
) -> Mapping[bytes, UUID | None]:
    """The differences of a day by content; the id of those that are open."""
    query = select(_DIFFERENCES.content, _DIFFERENCES.id, _DIFFERENCES.state).where(
        _DIFFERENCES.region == region,
        _DIFFERENCES.institution_code == code,
        _DIFFERENCES.day == day,
    )
    rows = tx.execute(query.execution_options(yield_per=_AT_ONCE))
    return {row.content: row.id if row.state == DifferenceState.OPEN else None for row in rows}


def add_differences(tx: sqlalchemy.Connection, found: Sequence[Difference]) -> None:
    """Write differences that are new."""
    raw = _raw(tx)
    rows = [difference_row(one) for one in found]
    _ADD.run(raw, rows, by_region=ledger.is_distributed(raw))


def remove_open(tx: sqlalchemy.Connection, region: str, ids: Iterable[UUID]) -> int:
    """Remove differences that were not found again, unless they were resolved meanwhile; how many.

    Their locks are taken in the order in which everybody takes them.
    """
    removed = 0
    ordered = iter(sorted(ids))
    while some := list(islice(ordered, _AT_ONCE)):
        locked = (
            select(_DIFFERENCES.id)
            .where(
                _DIFFERENCES.region == region,
                _DIFFERENCES.id.in_(some),
                _DIFFERENCES.state == DifferenceState.OPEN.value,
            )
            .order_by(_DIFFERENCES.id)
            .with_for_update()
        )
        gone = list(tx.scalars(locked))
        tx.execute(
            delete(tables.differences).where(
                _DIFFERENCES.region == region, _DIFFERENCES.id.in_(gone)
            )
        )
        removed += len(gone)
    return removed


def _rows(region: str, code: str, day: date, insurance: str) -> Select[tuple[object, ...]]:
    """The rows of an institution's day, settlements first, each in a fixed order."""
    since, until = start_of(day), start_of(day + timedelta(days=1))
    of_place = [_SETTLEMENTS.region == region, _SETTLEMENTS.institution_code == code]
    if insurance:
        of_place.append(_SETTLEMENTS.insurance == insurance)
    settled = select(
        _SETTLEMENTS.id.label("settlement_id"),
        _SETTLEMENTS.request_id,
        literal(False).label("refund"),
        *(_SETTLEMENTS[name] for name in Totals.__slots__[2:]),
        _SETTLEMENTS.recorded_at,
    ).where(*of_place, _SETTLEMENTS.recorded_at >= since, _SETTLEMENTS.recorded_at < until)
    legs = func.jsonb_array_elements(_REFUNDS.detail["legs"])
    leg = legs.table_valued(column("value", JSONB)).c.value
    mutual_aid_fen = (
        select(func.coalesce(func.sum(sqlalchemy.cast(leg["amount_fen"].astext, BigInteger)), 0))
        .where(leg["binding_id"].astext.is_not(None))
        .scalar_subquery()
    )
    given_back = (
        select(
            _REFUNDS.settlement_id,
            _REFUNDS.request_id,
            literal(True),
            -_REFUNDS.total_fen,
            -_REFUNDS.fund_fen,
            -_REFUNDS.account_fen,
            -sqlalchemy.cast(mutual_aid_fen, BigInteger),
            -_REFUNDS.cash_fen,
            _REFUNDS.recorded_at,
        )
        .join(
            tables.settlements,
            and_(_SETTLEMENTS.region == _REFUNDS.region, _SETTLEMENTS.id == _REFUNDS.settlement_id),
        )
        .where(
            *of_place,
            _REFUNDS.region == region,
            _REFUNDS.recorded_at >= since,
            _REFUNDS.recorded_at < until,
        )
    )
    both = union_all(settled, given_back).subquery().c
    return select(
        both.settlement_id,
        both.request_id,
        both.refund,
        *(both[name] for name in Totals.__slots__[2:]),
    ).order_by(both.refund, both.recorded_at, both.request_id)


def _raw(tx: sqlalchemy.Connection) -> Tx:
    """The driver's connection, for statements of the money path in the same transaction."""
    return cast(Tx, tx.connection.driver_connection)
