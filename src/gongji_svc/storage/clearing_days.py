"""Days of clearing: ended, so that no journal falls into them any more, and summed once.

Rule: a batch that books holds a shared lock from before it reads the clock until it commits. Who
ends days holds that lock alone for a moment: who read the clock before has committed, who reads it
later finds the days ended, and books on no ended day, whatever the clock says. So what is summed of
an ended day is all there ever is, for every process.
"""

from datetime import UTC, date, datetime, timedelta

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy import (
    ColumnElement,
    Date,
    ScalarSelect,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert

from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.domain.policy import NATION
from gongji_svc.storage import tables
from gongji_svc.storage.clearing_sums import POSITIONS, SUMMED, TOTALS
from gongji_svc.storage.database import Database

_PROGRESS = tables.clearing_progress.c
_ENDED = "ENDED"
_LOCK = 0xC1EA  # the class of the lock; it has one object
_RETRY_AFTER_SECONDS = 1.0
_A_DAY = timedelta(days=1)

RECORDING = f"SELECT pg_advisory_xact_lock_shared({_LOCK}, 0)"
"""What a batch asks before it reads the clock."""

_ALONE = sql(f"SELECT pg_advisory_xact_lock({_LOCK}, 0)")
_WAIT_SHORTLY = sql("SET LOCAL lock_timeout = '5s'")
_DAY = bindparam("day", type_=Date)
_SUMS = ((tables.clearing_days, POSITIONS), (tables.clearing_totals, TOTALS))
_FIRST_RECORDED = sql(
    """SELECT least((SELECT min(recorded_at) FROM ledger_lines WHERE recorded_at >= :since),
                    (SELECT min(recorded_at) FROM settlements WHERE recorded_at >= :since),
                    (SELECT min(recorded_at) FROM refunds WHERE recorded_at >= :since))"""
)


def ended_before() -> ScalarSelect[date]:
    """The first day that is not ended; nothing before the first time that days were."""
    step: ColumnElement[str] = literal_column(f"'{_ENDED}'")
    region: ColumnElement[str] = literal_column(f"'{NATION}'")
    query = select(_PROGRESS.before).where(_PROGRESS.region == region, _PROGRESS.step == step)
    return query.scalar_subquery()


def days_ended(tx: sqlalchemy.Connection, ahead: timedelta) -> tuple[date, bool]:
    """Today by the database's clock, that much ahead; and whether all days before it are ended."""
    now, before = tx.execute(select(func.clock_timestamp(), ended_before())).one()
    today = day_of(now + ahead)
    return today, before is not None and before >= today


def end_days(database: Database, ahead: timedelta) -> date:
    """End all days before today, by the database's clock that much ahead; today.

    Waits for the batches that are under way, 5 seconds at most, then ServiceUnavailable.
    """
    with database.transaction() as tx:
        tx.execute(_WAIT_SHORTLY)
        try:
            tx.execute(_ALONE)
        except sqlalchemy.exc.OperationalError as busy:
            raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS) from busy
        today, ended = days_ended(tx, ahead)
        if not ended:
            new = insert(tables.clearing_progress).values(region=NATION, step=_ENDED, before=today)
            key = [_PROGRESS.region, _PROGRESS.step]
            tx.execute(new.on_conflict_do_update(index_elements=key, set_={"before": today}))
    return today


def sum_next_day(tx: sqlalchemy.Connection) -> date | None:
    """Sum the first ended day that is not summed; None when there is none, or while another does
    it.
    """
    of_all = (_PROGRESS.region == NATION, _PROGRESS.step == SUMMED)
    mark = select(_PROGRESS.before).where(*of_all)
    ended: date | None = tx.scalar(select(ended_before()))
    if ended is not None and tx.scalar(mark) is None:
        first = insert(tables.clearing_progress).values(
            region=NATION, step=SUMMED, before=_first_recorded(tx, date.min) or ended
        )
        tx.execute(first.on_conflict_do_nothing())
    day: date | None = tx.scalar(mark.with_for_update(skip_locked=True))
    if day is None or ended is None or day >= ended:
        return None
    after = day + _A_DAY
    if not _sum_day(tx, day):  # nor need those be looked at that follow it and are empty too
        after = min(_first_recorded(tx, after) or ended, ended)
    tx.execute(update(tables.clearing_progress).where(*of_all).values(before=after))
    return day


def _sum_day(tx: sqlalchemy.Connection, day: date) -> bool:
    """Write the sums of a day; whether there are any."""
    during = {"day": day, "since": start_of(day), "until": start_of(day + _A_DAY), "region": None}
    written = 0
    for table, query in _SUMS:
        columns = query.subquery("sums").c
        names = [one.name for one in table.c]
        sums = select(*(columns.get(name, _DAY) for name in names))
        new = table.insert().from_select(names, sums).execution_options(preserve_rowcount=True)
        written += tx.execute(new, during).rowcount
    return written > 0


def _first_recorded(tx: sqlalchemy.Connection, since: date) -> date | None:
    """The first day from `since` on, on which anything was recorded."""
    start = datetime.min.replace(tzinfo=UTC) if since == date.min else start_of(since)
    first: datetime | None = tx.scalar(_FIRST_RECORDED, {"since": start})
    return None if first is None else day_of(first)
