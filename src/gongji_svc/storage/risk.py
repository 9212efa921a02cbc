"""Risk signals: the rows they are kept in, and a page of a region's, newest first.

Rule: whoever resolves a signal has locked its row; whoever raises one for the first time holds the
lock of the person it is about, or writes it only where there is none. A page is in the order
(recorded_at, id), falling: new signals stand before the first page.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row

_SIGNALS = tables.risk_signals.c
_NEWEST_FIRST = (_SIGNALS.recorded_at.desc(), _SIGNALS.id.desc())

Place = tuple[datetime, UUID]
"""Where a signal stands in the list: (recorded_at, id)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which signals of a region are listed; what is None or empty is any."""

    region: str
    states: frozenset[str] = frozenset()
    kind: str = ""
    person_id: UUID | None = None
    institution_code: str = ""
    raised_from: datetime | None = None
    raised_to: datetime | None = None


def signal_row(signal: Signal) -> Row:
    """The row of `risk_signals`."""
    return (
        region_of(signal.signal_id),
        signal.signal_id,
        signal.kind.value,
        signal.action.value,
        signal.state.value,
        signal.institution_code,
        signal.person_id,
        signal.other_id,
        signal.settlement_id,
        signal.threshold,
        signal.measured,
        list(signal.evidence),
        signal.recorded_at,
        signal.resolved_by,
        signal.resolved_at,
        signal.reason,
        signal.released_until,
    )


def signal_from(row: Row) -> Signal:
    """A signal from its row."""
    _, signal_id, kind, action, state, *rest = row
    named = (signal_id, RiskKind(kind), RiskAction(action), SignalState(state))
    signal = Signal(*named, *rest)
    return replace(signal, evidence=tuple(signal.evidence))


def signal_in(state: State, signal_id: UUID) -> Signal | None:
    """The gathered signal, None when there is none."""
    row = state.things.get(signal_id)
    return None if row is None else signal_from(row)


def add_signals(tx: sqlalchemy.Connection, signals: Iterable[Signal]) -> None:
    """Write the signals that there are not yet; one that there is stays as it is."""
    rows = [dict(zip(_SIGNALS.keys(), signal_row(signal), strict=True)) for signal in signals]
    if rows:
        tx.execute(insert(tables.risk_signals).on_conflict_do_nothing(), rows)


def list_signals(
    tx: sqlalchemy.Connection, choice: Choice, before: Place | None, limit: int
) -> Sequence[Signal]:
    """At most `limit` of the chosen signals, those raised before `before`."""
    query = select(*_SIGNALS).where(*_conditions(choice)).order_by(*_NEWEST_FIRST).limit(limit)
    if before is not None:
        query = query.where(tuple_(_SIGNALS.recorded_at, _SIGNALS.id) < tuple_(*before))
    return [signal_from(tuple(row)) for row in tx.execute(query)]


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield _SIGNALS.region == choice.region
    if choice.states:
        yield _SIGNALS.state.in_(sorted(choice.states))
    if choice.kind:
        yield _SIGNALS.kind == choice.kind
    if choice.person_id is not None:
        yield _SIGNALS.person_id == choice.person_id
    if choice.institution_code:
        yield _SIGNALS.institution_code == choice.institution_code
    if choice.raised_from is not None:
        yield _SIGNALS.recorded_at >= choice.raised_from
    if choice.raised_to is not None:
        yield _SIGNALS.recorded_at < choice.raised_to
