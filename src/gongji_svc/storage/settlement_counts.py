"""What a region settled and gave back, by stretches of time.

Rule: a settlement counts when it was recorded, as first decided, and what was given back when that
was recorded, so a stretch that is over keeps its sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy
from sqlalchemy import Interval, Label, Table, bindparam, func, literal, select, union_all

from gongji_svc.storage import tables

_SUMMED = ("total_fen", "fund_pay_fen", "account_pay_fen", "mutual_aid_pay_fen", "cash_pay_fen")
_COLUMNS = ("settlements", "refunds", *_SUMMED, "refunded_fen")


@dataclass(frozen=True, slots=True)
class Count:
    """One stretch with anything in it; amounts in fen."""

    start: datetime
    settlements: int
    refunds: int
    total_fen: int
    fund_pay_fen: int
    account_pay_fen: int
    mutual_aid_pay_fen: int
    cash_pay_fen: int
    refunded_fen: int


def count_settlements(
    tx: sqlalchemy.Connection, region: str, since: datetime, until: datetime, stretch: timedelta
) -> Sequence[Count]:
    """The stretches from `since` in which anything was recorded before `until`, in any order."""

    def recorded(table: Table, *values: Label[int]) -> sqlalchemy.Select[tuple[object, ...]]:
        at = table.c.recorded_at
        return select(at, *values).where(table.c.region == region, at >= since, at < until)

    settlements, refunds = tables.settlements.c, tables.refunds.c
    both = union_all(
        recorded(
            tables.settlements,
            *_constants(settlements=1, refunds=0),
            *(settlements[name].label(name) for name in _SUMMED),
            *_constants(refunded_fen=0),
        ),
        recorded(
            tables.refunds,
            *_constants(settlements=0, refunds=1),
            *_constants(**dict.fromkeys(_SUMMED, 0)),
            refunds.total_fen.label("refunded_fen"),
        ),
    ).subquery()
    width = bindparam("stretch", stretch, type_=Interval(native=True))
    start = func.date_bin(width, both.c.recorded_at, since).label("start")
    query = select(start, *(func.sum(both.c[name]) for name in _COLUMNS)).group_by(start)
    return [Count(row[0], *(int(value) for value in row[1:])) for row in tx.execute(query)]


def _constants(**values: int) -> list[Label[int]]:
    return [literal(value).label(name) for name, value in values.items()]
