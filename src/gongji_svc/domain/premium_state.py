"""The life of a premium payment (代缴): states, events, and which leads where.

Rule: the table below is the whole state machine; what is not in it is refused. Debit and handing
over are one transaction (PRE-03), so CREATED and DEBITED of PRE-01 are no states that anybody sees.
An answer that is not known leaves the payment SUBMITTED.
"""

from enum import StrEnum

from gongji_svc.domain.errors import (
    PremiumNotConfirmed,
    PremiumPaymentDecided,
    PremiumRefundNotRequested,
    Refusal,
)


class PremiumState(StrEnum):
    """Where a payment stands."""

    SUBMITTED = "SUBMITTED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    REFUND_REQUESTED = "REFUND_REQUESTED"
    REFUNDED = "REFUNDED"


class PremiumEvent(StrEnum):
    """What happens to a payment."""

    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    ASK_REFUND = "ASK_REFUND"  # where the agency must approve
    REFUND = "REFUND"  # where nobody must
    APPROVE_REFUND = "APPROVE_REFUND"
    REFUSE_REFUND = "REFUSE_REFUND"


STATES: dict[tuple[PremiumState, PremiumEvent], PremiumState] = {
    (PremiumState.SUBMITTED, PremiumEvent.CONFIRM): PremiumState.CONFIRMED,
    (PremiumState.SUBMITTED, PremiumEvent.REJECT): PremiumState.REJECTED,
    (PremiumState.CONFIRMED, PremiumEvent.ASK_REFUND): PremiumState.REFUND_REQUESTED,
    (PremiumState.CONFIRMED, PremiumEvent.REFUND): PremiumState.REFUNDED,
    (PremiumState.REFUND_REQUESTED, PremiumEvent.APPROVE_REFUND): PremiumState.REFUNDED,
    (PremiumState.REFUND_REQUESTED, PremiumEvent.REFUSE_REFUND): PremiumState.CONFIRMED,
}

LIVE = frozenset({PremiumState.SUBMITTED, PremiumState.CONFIRMED, PremiumState.REFUND_REQUESTED})
"""The states in which the year is paid, or being paid (PRE-02)."""

_REFUSALS: dict[PremiumEvent, type[Refusal]] = {
    PremiumEvent.CONFIRM: PremiumPaymentDecided,
    PremiumEvent.REJECT: PremiumPaymentDecided,
    PremiumEvent.ASK_REFUND: PremiumNotConfirmed,
    PremiumEvent.REFUND: PremiumNotConfirmed,
    PremiumEvent.APPROVE_REFUND: PremiumRefundNotRequested,
    PremiumEvent.REFUSE_REFUND: PremiumRefundNotRequested,
}


def next_state(state: PremiumState, event: PremiumEvent) -> PremiumState:
    """The state after an event; what the event is refused with where it leads nowhere."""
    after = STATES.get((state, event))
    if after is None:
        raise _REFUSALS[event]()
    return after
