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
    (CONFIRMED, PremiumEvent.WITHDRAW): REJECTED,
}
_REFUSED = {
    PremiumEvent.CONFIRM: errors.PremiumPaymentDecided,
    PremiumEvent.REJECT: errors.PremiumPaymentDecided,
    PremiumEvent.ASK_REFUND: errors.PremiumNotConfirmed,
    PremiumEvent.REFUND: errors.PremiumNotConfirmed,
    PremiumEvent.APPROVE_REFUND: errors.PremiumRefundNotRequested,
    PremiumEvent.REFUSE_REFUND: errors.PremiumRefundNotRequested,
    PremiumEvent.WITHDRAW: errors.PremiumPaymentDecided,
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


@pytest.mark.parametrize(
    ("event", "state", "says"),
    [
        (PremiumEvent.ASK_REFUND, SUBMITTED, ["待税务确认", "请待税务部门确认后再申请"]),
        (PremiumEvent.ASK_REFUND, REJECTED, ["退回", "无需申请退费"]),
        (PremiumEvent.ASK_REFUND, REFUND_REQUESTED, ["退费待审批", "无需重复申请"]),
        (PremiumEvent.REFUND, REFUNDED, ["已退费", "退费已办结"]),
        (PremiumEvent.REJECT, CONFIRMED, ["缴费成功", "申请退费"]),
        (PremiumEvent.CONFIRM, REJECTED, ["退回", "按其他渠道缴费填报"]),
        (PremiumEvent.CONFIRM, REFUNDED, ["已退费", "重新缴费"]),
        (PremiumEvent.APPROVE_REFUND, CONFIRMED, ["缴费成功", "先提出申请"]),
    ],
)
def test_a_refusal_tells_where_the_payment_stands_and_what_to_do(
    event: PremiumEvent, state: PremiumState, says: list[str]
) -> None:
    with pytest.raises(errors.Refusal) as refused:
        next_state(state, event)
    assert [one for one in says if one not in refused.value.message_zh] == []
    assert refused.value.details["state"] == state


@pytest.mark.parametrize(("state", "event"), list(product(PremiumState, PremiumEvent)))
def test_no_text_of_a_refusal_has_a_gap(state: PremiumState, event: PremiumEvent) -> None:
    if (state, event) not in _LEADS:
        with pytest.raises(errors.Refusal) as refused:
            next_state(state, event)
        assert "—" not in refused.value.message_zh
