"""Refusals of SettlementService: the bill, the credential, refunds and risk."""

from gongji_svc.domain.errors.refusal import Refusal


class AmountMismatch(Refusal):
    """Line {line_no}: amount_fen differs from price times quantity by more than 1 fen.

    第{line_no}行的金额与单价乘数量不符（应为{expected_fen}分）。请核对后重新提交。
    """


class TotalMismatch(Refusal):
    """total_fen is not the sum of the lines ({expected_fen}).

    总金额与各行金额之和不符（应为{expected_fen}分）。请核对后重新提交。
    """


class BreakdownMismatch(Refusal):
    """given_breakdown does not fulfil its identities: {identity}.

    给定的费用构成不平衡（{identity_zh}）。请核对后重新提交。
    """


class BreakdownRequired(Refusal):
    """An INPATIENT settlement needs given_breakdown.

    住院结算须给出费用构成。请补充后重新提交。
    """


class PreviewOutdated(Refusal):
    """The cash share is {cash_pay_fen} fen, not the expected one; nothing moved.

    现金自付金额已变化（现为{cash_pay_yuan}元），未扣款。请重新试算并与患者确认。
    """


class VisitTypeNotServed(Refusal):
    """This visit type cannot be settled so: {visit_type}.

    此就诊类型不能这样结算。请核对就诊类型。
    """


class ChronicDiseaseNotRegistered(Refusal):
    """A CHRONIC visit needs a registered chronic disease of the patient.

    患者未登记该慢特病病种。请按普通门诊结算，或先办理慢特病登记。
    """


class CredentialNotAccepted(Refusal):
    """The region does not accept this type of credential at the till: {type}.

    参保地不支持使用此类凭证结算（允许：{types}）。请出示患者本人的其他医保凭证。
    """


class CredentialInvalid(Refusal):
    """The one-time code is not one of this service, or damaged.

    医保码无效。请刷新后重新出示。
    """


class CredentialExpired(Refusal):
    """The one-time code's time has passed.

    医保码已过期。请刷新后重新出示。
    """


class CredentialUsed(Refusal):
    """The one-time code was used up already.

    医保码已使用。请刷新后重新出示。
    """


class CredentialBoundElsewhere(Refusal):
    """The one-time code was shown at another institution first.

    医保码已在其他机构出示。请刷新后重新出示。
    """


class CredentialMisused(Refusal):
    """The credential is another person's than the patient's.

    就医购药须使用患者本人的医保凭证，冒用他人凭证属于欺诈骗保。请出示患者本人的凭证。
    """


class PrincipalCertificateNotSeen(Refusal):
    """Proxy buying: the principal's certificate must have been seen.

    代他人购药须出示委托人和受托人的身份证明。请核验后重新提交。
    """


class ChosenBindingNotUsable(Refusal):
    """chosen_binding_id is not a usable binding of the patient.

    所选的共济关系当前不可用。请另选授权人，或不使用共济。
    """


class HeldForReview(Refusal):
    """A risk rule holds mutual aid for the agency's review; nothing moved.

    本次共济支付需医保部门核实，未扣款。可改用本人账户或现金支付，或待核实后再试。
    """


class RefusedByRiskRule(Refusal):
    """A risk rule of the region refuses this settlement or hold.

    本次结算不符合当地监管规则，已拒绝。请联系当地医保经办机构。
    """


class SettlementNotFound(Refusal):
    """No such settlement.

    未找到该笔结算。请核对后重新查询。
    """


class SettlementCancelled(Refusal):
    """The settlement was cancelled.

    该笔结算已撤销，没有可退的金额。
    """


class SettlementRefunded(Refusal):
    """The settlement was refunded completely.

    该笔结算已全部退费，没有可退的金额。
    """


class LineNotFound(Refusal):
    """The settlement has no line {line_no}.

    原结算没有第{line_no}行。请核对行号。
    """


class RefundExceedsRest(Refusal):
    """Line {line_no}: more is to be returned than the {rest} that is left.

    第{line_no}行退货数量超过剩余数量（{rest}）。请减少退货数量。
    """


class RiskSignalNotFound(Refusal):
    """No such risk signal.

    未找到该风险提示。请重新查询。
    """


class RiskSignalResolved(Refusal):
    """The risk signal has been resolved already.

    该风险提示已处理，不能重复处理。
    """
