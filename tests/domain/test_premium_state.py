"""The life of a premium payment: every state and event."""

from itertools import product

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.premium_state import LIVE, STATES, PremiumEvent, PremiumState, next_state

SUBMITTED, CONFIRMED, REJECTED, REFUND_REQUESTED, REFUNDED = PremiumState
_LEADS = {
    (SUBMITTED, PremiumEvent.CONFIRM): CONFIRMED,
    (SUBMITTED, PremiumEvent.REJECT): REJECTED,
    (CONFIRMED, PremiumEvent.ASK_REFUND): REFUND_REQUESTED,
    (CONFIRMED, PremiumEvent.REFUND): REFUNDED,
    (REFUND_REQUESTED, PremiumEvent.APPROVE_REFUND): REFUNDED,
    (REFUND_REQUESTED, PremiumEvent.REFUSE_REFUND): CONFIRMED,
}
_REFUSED = {
    PremiumEvent.CONFIRM: errors.PremiumPaymentDecided,
    PremiumEvent.REJECT: errors.PremiumPaymentDecided,
    PremiumEvent.ASK_REFUND: errors.PremiumNotConfirmed,
    PremiumEvent.REFUND: errors.PremiumNotConfirmed,
    PremiumEvent.APPROVE_REFUND: errors.PremiumRefundNotRequested,
    PremiumEvent.REFUSE_REFUND: errors.PremiumRefundNotRequested,
}


@pytest.mark.requirement("PRE-01")
@pytest.mark.parametrize(("state", "event"), list(product(PremiumState, PremiumEvent)))
def test_every_event_leads_on_or_is_refused(state: PremiumState, event: PremiumEvent) -> None:
    if (state, event) in _LEADS:
        assert next_state(state, event) is _LEADS[state, event]
    else:
        with pytest.raises(_REFUSED[event]):
            next_state(state, event)


@pytest.mark.requirement("PRE-02")
def test_a_year_is_free_again_only_after_the_money_went_back() -> None:
    assert set(PremiumState) - LIVE == {REJECTED, REFUNDED}


def test_what_went_back_stays_so() -> None:
    assert not [state for state, _ in STATES if state in (REJECTED, REFUNDED)]
