"""The life of a premium payment (代缴): states, events, and which leads where.

Rule: the table below is the whole state machine; what is not in it is refused. Debit and handing
over are one transaction (PRE-03), so CREATED and DEBITED of PRE-01 are no states that anybody sees.
An answer that is not known leaves the payment SUBMITTED.
What was paid elsewhere begins as CONFIRMED, and the tax authority alone can take it back.
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
    WITHDRAW = "WITHDRAW"  # only of what was paid elsewhere: it was recorded by mistake


STATES: dict[tuple[PremiumState, PremiumEvent], PremiumState] = {
    (PremiumState.SUBMITTED, PremiumEvent.CONFIRM): PremiumState.CONFIRMED,
    (PremiumState.SUBMITTED, PremiumEvent.REJECT): PremiumState.REJECTED,
    (PremiumState.CONFIRMED, PremiumEvent.ASK_REFUND): PremiumState.REFUND_REQUESTED,
    (PremiumState.CONFIRMED, PremiumEvent.REFUND): PremiumState.REFUNDED,
    (PremiumState.REFUND_REQUESTED, PremiumEvent.APPROVE_REFUND): PremiumState.REFUNDED,
    (PremiumState.REFUND_REQUESTED, PremiumEvent.REFUSE_REFUND): PremiumState.CONFIRMED,
    (PremiumState.CONFIRMED, PremiumEvent.WITHDRAW): PremiumState.REJECTED,
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
    PremiumEvent.WITHDRAW: PremiumPaymentDecided,
}

_STATE_ZH: dict[PremiumState, str] = {
    PremiumState.SUBMITTED: "已扣款、待税务确认",
    PremiumState.CONFIRMED: "缴费成功",
    PremiumState.REJECTED: "已由税务部门退回",
    PremiumState.REFUND_REQUESTED: "退费待审批",
    PremiumState.REFUNDED: "已退费",
}
_NO_REFUND_ZH: dict[PremiumState, str] = {
    PremiumState.SUBMITTED: "请待税务部门确认后再申请；未获确认的，所扣款项自动退回",
    PremiumState.REJECTED: "所扣款项已退回，无需申请退费；如需参保，请重新缴费",
    PremiumState.REFUND_REQUESTED: "无需重复申请，请等待医保经办机构审批",
    PremiumState.REFUNDED: "退费已办结，无需再次申请",
}
_NO_ANSWER_ZH: dict[PremiumState, str] = {
    PremiumState.SUBMITTED: "请先确认或退回",
    PremiumState.CONFIRMED: "答复有误的，请与参保地医保经办机构联系，由代缴人申请退费",
    PremiumState.REJECTED: "实际已征收的，请按其他渠道缴费填报",
    PremiumState.REFUND_REQUESTED: "请等待医保经办机构审批退费",
    PremiumState.REFUNDED: "实际应缴的，请代缴人重新缴费",
}
_NOT_REQUESTED_ZH: dict[PremiumState, str] = {
    PremiumState.SUBMITTED: "税务部门尚未确认，不能申请退费",
    PremiumState.CONFIRMED: "如需退费，请代缴人先提出申请",
    PremiumState.REJECTED: "所扣款项已退回，无需审批",
    PremiumState.REFUNDED: "退费已办结，无需再次审批",
}
_ADVICE_ZH: dict[type[Refusal], dict[PremiumState, str]] = {
    PremiumNotConfirmed: _NO_REFUND_ZH,
    PremiumPaymentDecided: _NO_ANSWER_ZH,
    PremiumRefundNotRequested: _NOT_REQUESTED_ZH,
}
"""What to do next, by what is refused and where the payment stands."""


def next_state(state: PremiumState, event: PremiumEvent) -> PremiumState:
    """The state after an event; what the event is refused with where it leads nowhere."""
    after = STATES.get((state, event))
    if after is None:
        refusal = _REFUSALS[event]
        advice = _ADVICE_ZH[refusal][state]
        raise refusal(state=state.value, state_zh=_STATE_ZH[state], advice_zh=advice)
    return after
