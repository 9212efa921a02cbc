"""The life of a correction (更正).

Rule: the table below is the whole state machine; what is not in it is refused. Whoever proposed a
correction does not decide it.
"""

from enum import StrEnum

from gongji_svc.domain.access import same_actor
from gongji_svc.domain.errors import AdjustmentDecided, SecondActorRequired


class AdjustmentState(StrEnum):
    """Where a correction stands."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class AdjustmentEvent(StrEnum):
    """What a second person decides."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


STATES: dict[tuple[AdjustmentState, AdjustmentEvent], AdjustmentState] = {
    (AdjustmentState.PROPOSED, AdjustmentEvent.APPROVE): AdjustmentState.APPROVED,
    (AdjustmentState.PROPOSED, AdjustmentEvent.REJECT): AdjustmentState.REJECTED,
}


def decided(
    state: AdjustmentState, event: AdjustmentEvent, proposer: str, decider: str
) -> AdjustmentState:
    """The state after a decision by the actor `decider`; SecondActorRequired when that is the
    proposer, AdjustmentDecided for the second decision.
    """
    if same_actor(decider, proposer):
        raise SecondActorRequired
    after = STATES.get((state, event))
    if after is None:
        raise AdjustmentDecided
    return after
