"""The life of a settlement: every state and event."""

from itertools import product

import pytest

from gongji_svc.domain.errors import SettlementCancelled, SettlementRefunded
from gongji_svc.domain.settlement_state import (
    STATES,
    SettlementEvent,
    SettlementState,
    next_state,
)


@pytest.mark.parametrize(("state", "event"), list(product(SettlementState, SettlementEvent)))
def test_each_state_takes_just_the_events_of_the_table(
    state: SettlementState, event: SettlementEvent
) -> None:
    if (state, event) in STATES:
        assert next_state(state, event) is STATES[state, event]
    else:
        with pytest.raises((SettlementCancelled, SettlementRefunded)):
            next_state(state, event)


def test_nothing_follows_a_complete_refund_or_a_cancellation() -> None:
    left = {state for state, _ in STATES}
    assert left == {SettlementState.SETTLED, SettlementState.PARTLY_REFUNDED}
