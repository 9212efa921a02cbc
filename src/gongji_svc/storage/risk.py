"""Risk signals: the rows they are kept in.

Rule: whoever raises or resolves a signal has locked its row, or raises it for the first time under
the lock of the person it is about.
"""

from dataclasses import replace
from uuid import UUID

from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row


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
