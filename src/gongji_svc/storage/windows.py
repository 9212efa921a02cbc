"""Clearing windows: the rows of those that were closed, their positions, and the open one.

Rule: the open window has no row. It follows from the last closed one, or from the region's first
journal, and its id from its first day; so whoever closes it writes its row first, and nobody can
twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import Select, func, select, tuple_

from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.position import Position, PositionKind
from gongji_svc.domain.reconciliation import Totals
from gongji_svc.domain.window import WindowState, first_day_after, last_day_from
from gongji_svc.storage import tables
from gongji_svc.storage.ids import id_about, region_of
from gongji_svc.storage.statements import Row

_WINDOWS = tables.windows.c
_POSITIONS = tables.window_positions.c
_LINES = tables.ledger_lines.c
_NAME = hashlib.sha256(b"window").digest()
# The first journals by their ids: several processes' clocks differ by less than these take.
_FIRST_JOURNALS = 100

By = Mapping[str, str]
"""Who did something, as it is kept: {role, subject, actor}; empty: nobody yet."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a region's open window, both included."""

    region: str
    first_day: date
    last_day: date

    @property
    def window_id(self) -> UUID:
        """The id of the window that begins on this day in this region; there is one."""
        return id_about(self.region, start_of(self.first_day), _NAME)

    @property
    def following(self) -> "Days":
        """The days of the window that is open once this one is closed."""
        first_day = first_day_after(self.last_day, first_journal=self.first_day)
        return Days(self.region, first_day, last_day_from(first_day))


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A row of `windows`, by name; amounts in fen."""

    region: str
    id: UUID
    first_day: date
    last_day: date
    state: WindowState
    totals: Totals
    payable_fen: int
    net_fen: int
    closed_at: datetime | None = None
    closed_by: By = field(default_factory=dict)
    confirmed_at: datetime | None = None
    confirmed_by: By = field(default_factory=dict)
    settled_at: datetime | None = None
    settled_by: By = field(default_factory=dict)
    payment_reference: str = ""

    def row(self) -> Row:
        """The values in column order."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values.update(state=self.state.value, totals=asdict(self.totals))
        return tuple(values.values())


def window_from(row: Row) -> WindowRow:
    """A window from its row."""
    window: dict[str, Any] = dict(zip(_WINDOWS.keys(), row, strict=True))
    window.update(state=WindowState(window["state"]), totals=Totals(**window["totals"]))
    return WindowRow(**window)


def position_row(region: str, window_id: UUID, position: Position) -> Row:
    """The row of `window_positions`."""
    return (
        region,
        window_id,
        *position.place,
        position.payable_fen,
        position.receivable_fen,
        position.fund_fen,
        position.journals,
    )


def open_days(tx: sqlalchemy.Connection, region: str) -> Days | None:
    """The days of a region's open window; None where the region has no journal yet."""
    last_closed: date | None = tx.scalar(
        select(func.max(_WINDOWS.last_day)).where(_WINDOWS.region == region)
    )
    first_journal = last_closed or _first_journal_on(tx, region)
    if first_journal is None:
        return None
    first_day = first_day_after(last_closed, first_journal)
    return Days(region, first_day, last_day_from(first_day))


def _first_journal_on(tx: sqlalchemy.Connection, region: str) -> date | None:
    first = (
        select(_LINES.recorded_at)
        .where(_LINES.region == region)
        .order_by(_LINES.journal_id)
        .limit(_FIRST_JOURNALS)
        .subquery()
    )
    recorded_at: datetime | None = tx.scalar(select(func.min(first.c.recorded_at)))
    return None if recorded_at is None else day_of(recorded_at)


def next_region(tx: sqlalchemy.Connection, after: str) -> str | None:
    """The next region with journals; None behind the last."""
    region: str | None = tx.scalar(select(func.min(_LINES.region)).where(_LINES.region > after))
    return region


def find_window(tx: sqlalchemy.Connection, window_id: UUID) -> WindowRow | None:
    """A closed window by its id."""
    return _one(
        tx, _rows().where(_WINDOWS.region == region_of(window_id), _WINDOWS.id == window_id)
    )


def window_on(tx: sqlalchemy.Connection, region: str, day: date) -> WindowRow | None:
    """The closed window that a day is in."""
    begun = _rows().where(_WINDOWS.region == region, _WINDOWS.first_day <= day)
    found = _one(tx, begun.order_by(_WINDOWS.first_day.desc()).limit(1))
    return None if found is None or found.last_day < day else found


def list_windows(
    tx: sqlalchemy.Connection,
    region: str,
    states: frozenset[WindowState],
    before: date | None,
    limit: int,
) -> Sequence[WindowRow]:
    """At most `limit` closed windows of a region, newest first, those that begin before `before`;
    without `states`: in any.
    """
    query = _rows().where(_WINDOWS.region == region)
    if states:
        query = query.where(_WINDOWS.state.in_(sorted(states)))
    if before is not None:
        query = query.where(_WINDOWS.first_day < before)
    query = query.order_by(_WINDOWS.first_day.desc()).limit(limit)
    return [window_from(tuple(row)) for row in tx.execute(query)]


def positions_of(
    tx: sqlalchemy.Connection,
    window_id: UUID,
    kind: PositionKind | None,
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[Position]:
    """At most `limit` positions of a closed window in order, those behind the place `after`."""
    query = select(*(_POSITIONS[one.name] for one in fields(Position))).where(
        _POSITIONS.region == region_of(window_id), _POSITIONS.window_id == window_id
    )
    if kind is not None:
        query = query.where(_POSITIONS.kind == kind.value)
    place = (_POSITIONS.kind.collate("C"), _POSITIONS.code.collate("C"))
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(*after))
    rows = tx.execute(query.order_by(*place).limit(limit))
    return [Position(PositionKind(kind), *values) for kind, *values in rows]


def _rows() -> Select[Any]:
    return select(*_WINDOWS)


def _one(tx: sqlalchemy.Connection, query: Select[Any]) -> WindowRow | None:
    row = tx.execute(query).one_or_none()
    return None if row is None else window_from(tuple(row))
