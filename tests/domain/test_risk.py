"""The life of a risk signal."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from gongji_svc.domain.errors import RiskSignalResolved
from gongji_svc.domain.risk import (
    STATES,
    Raised,
    Resolution,
    RiskAction,
    RiskKind,
    Signal,
    SignalState,
)

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
HOURS = timedelta(hours=1)
DONOR = UUID(int=7)
BY = {"role": "agency", "subject": "150100", "actor": "a-1"}


def signal(state: SignalState = SignalState.OPEN) -> Signal:
    return Signal(
        signal_id=UUID(int=1),
        kind=RiskKind.DRAINED_DONOR,
        action=RiskAction.HOLD,
        state=state,
        institution_code="P1",
        person_id=UUID(int=2),
        other_id=DONOR,
        settlement_id=None,
        threshold=5,
        measured=5,
        evidence=(),
        recorded_at=NOW,
    )


@pytest.mark.parametrize(("state", "resolution"), list(product(SignalState, Resolution)))
def test_a_signal_moves_as_the_table_says_and_no_other_way(
    state: SignalState, resolution: Resolution
) -> None:
    if (state, resolution) not in STATES:
        with pytest.raises(RiskSignalResolved):
            signal(state).resolved(resolution, BY, "核实", NOW)
        return
    after = signal(state).resolved(resolution, BY, "核实", NOW)
    assert after.state is STATES[state, resolution]
    assert (after.resolved_by, after.resolved_at, after.reason) == (BY, NOW, "核实")


def test_only_an_open_signal_can_be_decided() -> None:
    assert {state for state, _ in STATES} == {SignalState.OPEN}


def test_a_release_passes_for_a_day_and_a_confirmation_not_at_all() -> None:
    released = signal().resolved(Resolution.RELEASE, BY, "核实", NOW)
    assert released.released_until == NOW + 24 * HOURS
    confirmed = signal().resolved(Resolution.CONFIRM, BY, "核实", NOW)
    assert confirmed.released_until is None


def test_the_same_passes_until_the_day_is_over_and_nothing_else_does() -> None:
    until = NOW + 24 * HOURS
    raised = Raised(UUID(int=1), RiskKind.DRAINED_DONOR, DONOR, "P1", until)
    kind = RiskKind.DRAINED_DONOR
    assert raised.lets_pass(kind, DONOR, "P1", until - HOURS)
    assert not raised.lets_pass(kind, DONOR, "P1", until)
    assert not raised.lets_pass(kind, DONOR, "P2", NOW)
    assert not raised.lets_pass(kind, None, "P1", NOW)
    assert not raised.lets_pass(RiskKind.FAR_CITIES, DONOR, "P1", NOW)
    open_still = Raised(UUID(int=1), kind, DONOR, "P1", None)
    assert not open_still.lets_pass(kind, DONOR, "P1", NOW)
