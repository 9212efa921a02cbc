"""The life of a settlement.

Rule: the table below is the whole state machine; what is not in it is refused.
"""

from enum import StrEnum

from gongji_svc.domain.errors import SettlementCancelled, SettlementRefunded


class SettlementState(StrEnum):
    """Where a settlement stands."""

    SETTLED = "SETTLED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    CANCELLED = "CANCELLED"


class SettlementEvent(StrEnum):
    """What happens to a settlement; CANCEL reverses what is left."""

    REFUND_PART = "REFUND_PART"
    REFUND_REST = "REFUND_REST"
    CANCEL = "CANCEL"


STATES: dict[tuple[SettlementState, SettlementEvent], SettlementState] = {
    (SettlementState.SETTLED, SettlementEvent.REFUND_PART): SettlementState.PARTLY_REFUNDED,
    (SettlementState.SETTLED, SettlementEvent.REFUND_REST): SettlementState.REFUNDED,
    (SettlementState.SETTLED, SettlementEvent.CANCEL): SettlementState.CANCELLED,
    (SettlementState.PARTLY_REFUNDED, SettlementEvent.REFUND_PART): (
        SettlementState.PARTLY_REFUNDED
    ),
    (SettlementState.PARTLY_REFUNDED, SettlementEvent.REFUND_REST): SettlementState.REFUNDED,
    (SettlementState.PARTLY_REFUNDED, SettlementEvent.CANCEL): SettlementState.CANCELLED,
}


def next_state(state: SettlementState, event: SettlementEvent) -> SettlementState:
    """The state after an event; SettlementCancelled or SettlementRefunded at an end."""
    after = STATES.get((state, event))
    if after is not None:
        return after
    if state is SettlementState.CANCELLED:
        raise SettlementCancelled()
    raise SettlementRefunded()
