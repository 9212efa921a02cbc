"""Differences between institutions' books and these: the rows they are kept in, and lists of them.

Rule: the order is that of (day, id), oldest first. Each state and kind is searched by itself, in
that order, so no filter makes a list or a count read more than it shows. Whoever resolves a
difference has locked its row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, func, select, tuple_, union_all

from gongji_svc.domain.reconciliation import (
    Difference,
    DifferenceKind,
    DifferenceResolution,
    DifferenceState,
)
from gongji_svc.domain.reconciliation import Row as BookRow
from gongji_svc.storage import tables
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row

_DIFFERENCES = tables.differences.c
_OLDEST_FIRST = ("day", "id")

Place = tuple[date, UUID]
"""Where a difference stands in the list: (day, id)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which differences of a region are listed; what is None or empty is any."""

    region: str
    institution_code: str = ""
    first_day: date | None = None
    last_day: date | None = None
    states: frozenset[DifferenceState] = frozenset()
    kinds: frozenset[DifferenceKind] = frozenset()


def difference_row(difference: Difference) -> Row:
    """The row of `differences`."""
    resolution = difference.resolution
    return (
        difference.region,
        difference.difference_id,
        difference.institution_code,
        difference.day,
        difference.content,
        difference.kind.value,
        difference.settlement_id,
        difference.request_id,
        difference.refund,
        kept(difference.there),
        kept(difference.here),
        difference.state.value,
        "" if resolution is None else resolution.value,
        difference.note,
        difference.found_at,
        difference.resolved_at,
        difference.resolved_by,
    )


def difference_in(state: State, difference_id: UUID) -> Difference | None:
    """The gathered difference, None when there is none."""
    row = state.things.get(difference_id)
    return None if row is None else _difference(row)


def kept(row: BookRow | None) -> dict[str, Any]:
    """A row of either side as plain values; {} for none."""
    return {} if row is None else row._asdict()


def list_differences(
    tx: sqlalchemy.Connection, choice: Choice, after: Place | None, limit: int
) -> Sequence[Difference]:
    """At most `limit` of the chosen differences, those behind `after`."""
    conditions = list(_conditions(choice))
    if after is not None:
        conditions.append(tuple_(_DIFFERENCES.day, _DIFFERENCES.id) > tuple_(*after))
    order = [_DIFFERENCES[name] for name in _OLDEST_FIRST]
    pages = [
        select(*_DIFFERENCES).where(*conditions, *way).order_by(*order).limit(limit).subquery()
        for way in _ways(choice)
    ]
    together = union_all(*(select(page) for page in pages)).subquery().c
    query = select(*together).order_by(*(together[name] for name in _OLDEST_FIRST)).limit(limit)
    return [_difference(tuple(row)) for row in tx.execute(query)]


def find_differences(
    tx: sqlalchemy.Connection, region: str, code: str, day: date, contents: Iterable[bytes]
) -> Sequence[Difference]:
    """The differences of an institution's day with these contents, in the order of a list."""
    query = (
        select(*_DIFFERENCES)
        .where(
            _DIFFERENCES.region == region,
            _DIFFERENCES.institution_code == code,
            _DIFFERENCES.day == day,
            _DIFFERENCES.content.in_(list(contents)),
        )
        .order_by(_DIFFERENCES.id)
    )
    return [_difference(tuple(row)) for row in tx.execute(query)]


def open_differences(
    tx: sqlalchemy.Connection, region: str, first_day: date, last_day: date
) -> int:
    """How many differences of a region's institutions, of days from the first to the last, are not
    put right; reads no more rows than it counts.
    """
    query = select(func.count()).where(
        _DIFFERENCES.region == region,
        _DIFFERENCES.state == DifferenceState.OPEN.value,
        _DIFFERENCES.kind.in_([kind.value for kind in DifferenceKind]),
        _DIFFERENCES.day.between(first_day, last_day),
    )
    return int(tx.scalar(query) or 0)


def _ways(choice: Choice) -> Iterator[list[ColumnElement[bool]]]:
    """Each state with each kind; together they name every chosen difference once."""
    states, kinds = choice.states or DifferenceState, choice.kinds or DifferenceKind
    for state, kind in sorted(product(states, kinds)):
        yield [_DIFFERENCES.state == state.value, _DIFFERENCES.kind == kind.value]


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield _DIFFERENCES.region == choice.region
    if choice.institution_code:
        yield _DIFFERENCES.institution_code == choice.institution_code
    if choice.first_day is not None:
        yield _DIFFERENCES.day >= choice.first_day
    if choice.last_day is not None:
        yield _DIFFERENCES.day <= choice.last_day


def _difference(row: Row) -> Difference:
    named = dict(zip(_DIFFERENCES.keys(), row, strict=True))
    resolution = named["resolution"]
    return Difference(
        **{name: named[name] for name in Difference.__slots__ if name in named}
        | {
            "difference_id": named["id"],
            "kind": DifferenceKind(named["kind"]),
            "there": _book_row(named["there"]),
            "here": _book_row(named["here"]),
            "state": DifferenceState(named["state"]),
            "resolution": DifferenceResolution(resolution) if resolution else None,
        }
    )


def _book_row(values: dict[str, Any]) -> BookRow | None:
    if not values:
        return None
    settlement_id = values["settlement_id"]
    named = None if settlement_id is None else UUID(settlement_id)
    return BookRow(**{**values, "settlement_id": named})
