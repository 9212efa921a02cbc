"""Refusals of PaymentService: premiums paid for a relative (代缴)."""

from gongji_svc.domain.errors.account import InsufficientFunds
from gongji_svc.domain.errors.refusal import Refusal
from gongji_svc.domain.errors.settlement import PreviewOutdated


class PremiumNotOffered(Refusal):
    """The region does not offer premium payment from accounts, or not for this insurance.

    参保地不支持使用共济账户代缴该险种。请通过其他缴费渠道缴纳。
    """


class PremiumYearNotOffered(PremiumNotOffered):
    """The region has no standard or no window for {year}; its first year is {first_year}.

    参保地没有{year}年度的缴费标准或集中缴费期，该年度不能代缴（最早为{first_year}年度）。请核对参保年度，或咨询参保地医保经办机构。
    """

    @property
    def reason(self) -> str:
        """To callers it is the same: nothing of the kind is offered."""
        return "PREMIUM_NOT_OFFERED"


class PremiumInMaintenance(Refusal):
    """Premium payment is under maintenance until {until}.

    因系统升级，共济账户代缴暂停至{until}，未扣款。可选择其他缴费方式：{channels}。
    """


class PremiumWindowClosed(Refusal):
    """Today is outside the collection window {window_from} to {window_to}.

    不在集中缴费期内（{window_from}至{window_to}）。请在缴费期内缴纳，或咨询参保地医保经办机构。
    """


class PremiumAlreadyPaid(Refusal):
    """The premium of {year} is paid or being paid already.

    该参保人{year}年度的保费已缴纳或正在缴纳，无需重复缴费。
    """


class PremiumNothingToPay(Refusal):
    """The premium is fully subsidised.

    该参保人的保费由财政全额资助，无需缴费。
    """


class PremiumBindingMissing(Refusal):
    """No active binding with the PREMIUM use between the two.

    请先完成家庭共济绑定并开通代缴用途，再办理代缴。
    """


class PremiumEnrolmentMissing(Refusal):
    """The beneficiary is not registered in this insurance.

    该家庭成员尚未办理参保登记。请先办理参保登记再缴费。
    """


class OwnBalanceNotZero(Refusal):
    """The beneficiary's own account must be empty first.

    使用人本人账户还有余额。请先使用本人账户余额，余额为零后再由授权人代缴。
    """


class PremiumFundsInsufficient(InsufficientFunds):
    """The shareable amount does not suffice for the whole premium, which is never split.

    授权人的个人账户可用余额不足以支付全部保费，保费不能拆分。请待账户划入、余额足够后再缴，或由其他授权人代缴。
    """

    @property
    def reason(self) -> str:
        """To callers it is the same: the account has too little."""
        return "INSUFFICIENT_FUNDS"


class PremiumOutdated(PreviewOutdated):
    """The premium is {payable_fen} fen, not the expected one; nothing moved.

    应缴金额已变化（现为{payable_yuan}元），未扣款。请重新查询应缴金额，确认后再缴。
    """

    @property
    def reason(self) -> str:
        """To callers it is the same: what was shown before is outdated."""
        return "PREVIEW_OUTDATED"


class PremiumPaymentNotFound(Refusal):
    """No such premium payment.

    未找到该笔代缴记录。请重新查询。
    """


class PremiumPaymentDecided(Refusal):
    """The payment has another answer already: it is {state}.

    该笔代缴已有处理结果（{state_zh}），不能更改。{advice_zh}。
    """


class PremiumNotConfirmed(Refusal):
    """Only a confirmed payment can be refunded; this one is {state}.

    该笔代缴目前为“{state_zh}”，不能申请退费。{advice_zh}。
    """


class PremiumRefundCauseNotAllowed(Refusal):
    """The region gives no refund for the cause {cause}.

    按当地政策，此原因不能退费。请咨询参保地医保经办机构。
    """


class PremiumRefundTooLate(Refusal):
    """The refund deadline {deadline} has passed or the benefit period has begun.

    已超过退费申请期限（{deadline}）。请咨询参保地医保经办机构。
    """


class PremiumRefundNotRequested(Refusal):
    """There is no refund request to decide; the payment is {state}.

    该笔代缴目前为“{state_zh}”，没有待审批的退费申请。{advice_zh}。
    """
