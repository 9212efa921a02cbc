"""Refusals of PaymentService: premiums paid for a relative (代缴)."""

from gongji_svc.domain.errors.refusal import Refusal
from gongji_svc.domain.errors.settlement import PreviewOutdated


class PremiumNotOffered(Refusal):
    """The region does not offer premium payment from accounts, or not for this insurance.

    参保地不支持使用共济账户代缴该险种。请通过其他缴费渠道缴纳。
    """


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
    """The payment has been confirmed or rejected already.

    该笔代缴已有处理结果，不能更改。
    """


class PremiumNotConfirmed(Refusal):
    """Only a confirmed payment can be refunded.

    该笔代缴尚未确认成功，不能申请退费。请待税务部门确认后再试。
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
    """There is no refund request to decide.

    该笔代缴没有待审批的退费申请。
    """
