"""The life of a correction: every state and event, and the two people it takes."""

from itertools import product

import pytest

from gongji_svc.domain.adjustment import STATES, AdjustmentEvent, AdjustmentState, decided
from gongji_svc.domain.errors import AdjustmentDecided, SecondActorRequired


@pytest.mark.parametrize(("state", "event"), list(product(AdjustmentState, AdjustmentEvent)))
def test_a_correction_is_decided_once(state: AdjustmentState, event: AdjustmentEvent) -> None:
    if state is AdjustmentState.PROPOSED:
        assert decided(state, event, "a-1", "a-2") is STATES[state, event]
    else:
        with pytest.raises(AdjustmentDecided):
            decided(state, event, "a-1", "a-2")


@pytest.mark.parametrize(("state", "event"), list(product(AdjustmentState, AdjustmentEvent)))
def test_nobody_decides_what_they_proposed(state: AdjustmentState, event: AdjustmentEvent) -> None:
    with pytest.raises(SecondActorRequired):
        decided(state, event, "a-1", "a-1")


@pytest.mark.parametrize("spelling", ["w1", "Ｗ1", "W１", " W1", "w 1", "W\u00a01\u3000"])
def test_another_spelling_is_no_second_person(spelling: str) -> None:
    with pytest.raises(SecondActorRequired):
        decided(AdjustmentState.PROPOSED, AdjustmentEvent.APPROVE, "W1", spelling)
