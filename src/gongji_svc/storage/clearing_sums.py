"""What a region owes to whom and has to get, and what its institutions settled, over some days.

Rule: days that are summed already (clearing_days.py) are taken from their sums, the days after them
from the journals and settlements themselves; so what is read does not grow with the window. A
journal's id carries the region that is home in it: of its clearing lines those of the home region
are claims, the others debts. What of either is fund money, the fund's lines of the same journal
tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, ColumnElement, Text, cast, column, func, select
from sqlalchemy import text as sql

from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.policy import NATION
from gongji_svc.domain.position import Position, PositionKind
from gongji_svc.domain.reconciliation import Totals
from gongji_svc.storage import tables

_PROGRESS = tables.clearing_progress.c
_DAYS = tables.clearing_days.c
_TOTALS = tables.clearing_totals.c
_A_DAY = timedelta(days=1)

SUMMED = "SUMMED"
"""The step of `clearing_progress` that says which days have sums."""

# All lines of a journal are recorded at one instant.
_POSITIONS = """
    WITH moved AS MATERIALIZED (
        SELECT region, journal_id, side, counterparty, amount_fen,
               lpad(CAST(CAST(substring(
                   CAST('x' || right(replace(CAST(journal_id AS text), '-', ''), 16) AS bit(64))
                   FROM 3 FOR 20) AS integer) AS text), 6, '0') AS home
        FROM ledger_lines
        WHERE recorded_at >= :since AND recorded_at < :until
            AND side IN ('INSTITUTION_PAYABLE', 'CLEARING', 'FUND')
    ), funds AS (
        SELECT journal_id, region, sum(amount_fen) AS fen
        FROM moved WHERE side = 'FUND' GROUP BY journal_id, region
    ), all_funds AS (
        SELECT journal_id, sum(fen) AS fen FROM funds GROUP BY journal_id
    ), owed AS (
        SELECT m.region, 'INSTITUTION' AS kind, m.counterparty AS code,
               m.amount_fen AS payable_fen, 0 AS receivable_fen, coalesce(f.fen, 0) AS fund_fen
        FROM moved AS m LEFT JOIN all_funds AS f ON f.journal_id = m.journal_id
        WHERE m.side = 'INSTITUTION_PAYABLE'
        UNION ALL
        SELECT m.region, 'REGION', m.counterparty, m.amount_fen, 0, coalesce(f.fen, 0)
        FROM moved AS m
            LEFT JOIN funds AS f ON f.journal_id = m.journal_id AND f.region = m.region
        WHERE m.side = 'CLEARING' AND m.home <> m.region
        UNION ALL
        SELECT m.region, 'REGION', m.counterparty, 0, -m.amount_fen, -coalesce(f.fen, 0)
        FROM moved AS m
            LEFT JOIN funds AS f ON f.journal_id = m.journal_id AND f.region = m.counterparty
        WHERE m.side = 'CLEARING' AND m.home = m.region
    )
    SELECT region, kind, code, CAST(sum(payable_fen) AS bigint) AS payable_fen,
           CAST(sum(receivable_fen) AS bigint) AS receivable_fen,
           CAST(sum(fund_fen) AS bigint) AS fund_fen, count(*) AS journals
    FROM owed WHERE CAST(:region AS text) IS NULL OR region = :region
    GROUP BY region, kind, code
"""
_TOTALS_SQL = """
    WITH counted AS (
        SELECT region, 1 AS settlements, 0 AS refunds, total_fen, fund_pay_fen, account_pay_fen,
               mutual_aid_pay_fen, cash_pay_fen
        FROM settlements
        WHERE recorded_at >= :since AND recorded_at < :until
            AND (CAST(:region AS text) IS NULL OR region = :region)
        UNION ALL
        SELECT region, 0, 1, -total_fen, -fund_fen, -account_fen,
               -(SELECT coalesce(sum(CAST(leg ->> 'amount_fen' AS bigint)), 0)
                 FROM jsonb_array_elements(detail -> 'legs') AS leg
                 WHERE leg ->> 'binding_id' IS NOT NULL), -cash_fen
        FROM refunds
        WHERE recorded_at >= :since AND recorded_at < :until
            AND (CAST(:region AS text) IS NULL OR region = :region)
    )
    SELECT region, sum(settlements) AS settlements, sum(refunds) AS refunds,
           CAST(sum(total_fen) AS bigint) AS total_fen,
           CAST(sum(fund_pay_fen) AS bigint) AS fund_pay_fen,
           CAST(sum(account_pay_fen) AS bigint) AS account_pay_fen,
           CAST(sum(mutual_aid_pay_fen) AS bigint) AS mutual_aid_pay_fen,
           CAST(sum(cash_pay_fen) AS bigint) AS cash_pay_fen
    FROM counted GROUP BY region
"""
_SIGNED = ("payable_fen", "receivable_fen", "fund_fen", "journals")


_SUMMED = Totals.__slots__


POSITIONS = sql(_POSITIONS).columns(
    column("region", Text),
    column("kind", Text),
    column("code", Text),
    *(column(name, BigInteger) for name in _SIGNED),
)
"""The signed sums of what was recorded `since` and before `until`, of `region` or of all."""

TOTALS = sql(_TOTALS_SQL).columns(
    column("region", Text), *(column(name, BigInteger) for name in _SUMMED)
)
"""The sums of settlements less what came back, as above."""


def hold_still(tx: sqlalchemy.Connection) -> None:
    """Let the whole transaction, which has read nothing yet, read one and the same moment."""
    tx.execute(sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def positions_over(
    tx: sqlalchemy.Connection, region: str, first_day: date, last_day: date
) -> Sequence[Position]:
    """A region's positions over some days, both included, in order."""
    summed = _summed_before(tx, first_day)
    kept = (
        select(_DAYS.kind, _DAYS.code, *(_sum(_DAYS[name]) for name in _SIGNED))
        .where(_DAYS.region == region, _DAYS.day.between(first_day, last_day), _DAYS.day < summed)
        .group_by(_DAYS.kind, _DAYS.code)
    )
    rows = [tuple(row) for row in tx.execute(kept)]
    if summed <= last_day:
        live = tx.execute(POSITIONS, _during(region, summed, last_day))
        rows.extend(tuple(row)[1:] for row in live)
    return sorted(_added_up(rows), key=lambda one: one.place)


def totals_over(tx: sqlalchemy.Connection, region: str, first_day: date, last_day: date) -> Totals:
    """What a region's institutions settled over some days, both included."""
    summed = _summed_before(tx, first_day)
    kept = select(*(_sum(_TOTALS[name]) for name in _SUMMED)).where(
        _TOTALS.region == region, _TOTALS.day.between(first_day, last_day), _TOTALS.day < summed
    )
    rows = [tuple(value or 0 for value in tx.execute(kept).one())]
    if summed <= last_day:
        live = tx.execute(TOTALS, _during(region, summed, last_day))
        rows.extend(tuple(row)[1:] for row in live)
    return Totals(*(sum(values) for values in zip(*rows, strict=True)))


def _sum(summed: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(summed), BigInteger)


def _summed_before(tx: sqlalchemy.Connection, first_day: date) -> date:
    """The first day from `first_day` on that has no sums; asked before any sums are read."""
    query = select(_PROGRESS.before).where(_PROGRESS.region == NATION, _PROGRESS.step == SUMMED)
    before: date | None = tx.scalar(query)
    return first_day if before is None else max(first_day, before)


def _during(region: str, first_day: date, last_day: date) -> dict[str, Any]:
    return {"since": start_of(first_day), "until": start_of(last_day + _A_DAY), "region": region}


def _added_up(rows: Iterable[tuple[Any, ...]]) -> Iterator[Position]:
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for kind, code, *signed in rows:
        kept = sums[kind, code]
        kept[:] = (old + new for old, new in zip(kept, signed, strict=True))
    for (kind, code), (payable_fen, receivable_fen, fund_fen, journals) in sums.items():
        summed = Position(PositionKind(kind), code, payable_fen, receivable_fen, fund_fen, journals)
        yield summed.from_zero()
