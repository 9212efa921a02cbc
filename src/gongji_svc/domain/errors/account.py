"""Refusals of AccountService: accounts, adjustments, holds and suspense."""

from gongji_svc.domain.errors.refusal import Refusal


class AccountNotFound(Refusal):
    """No such account.

    未找到该个人账户。请核对后重新查询。
    """


class AccountExists(Refusal):
    """The person has an account that is open or frozen, in the books of some region, beside which
    this one cannot stand. On a move that region takes the balance by a correction
    (ProposeAdjustment, DecideAdjustment) and closes it first (CloseAccount).

    该参保人名下已有个人账户，不能重复开立。在本地的，请使用原账户；在外地的（转移接续），请原参保地先由两名工作人员
    以更正转出余额并注销原账户，再在本地开立，并以更正记入转来的余额。
    """


class AccountKindNotAllowed(Refusal):
    """The region does not keep accounts of this kind.

    当地不设此类个人账户。请核对账户类别。
    """


class AccountFrozen(Refusal):
    """The account is frozen.

    该个人账户已冻结。请到医保经办机构办理解冻。
    """


class AccountNotFrozen(Refusal):
    """The account is not frozen.

    该个人账户未冻结，无需解冻。
    """


class AccountClosed(Refusal):
    """The account is closed.

    该个人账户已注销。请使用参保人的其他账户。
    """


class AccountNotEmpty(Refusal):
    """The account has a balance; name transfer_to_account_id, or where the person has no other
    account take the balance by a correction first (ProposeAdjustment, DecideAdjustment).

    该个人账户还有余额。参保人另有其他类别的账户的，请指定转入账户；没有的（如转往外地、由他人继承），请先由两名工作
    人员分别提出、复核更正，转出余额后再注销。
    """


class AccountHasHolds(Refusal):
    """The account has open holds.

    该个人账户还有未处理的预留金额。请先处理预留。
    """


class TransferAccountUnsuitable(Refusal):
    """The account to transfer to is not another open account of the same person; for a move to
    another region, and for anybody else, such as an heir, two officials book corrections
    (ProposeAdjustment, DecideAdjustment).

    转入账户须是同一参保人名下另一个状态正常的账户。转往外地新账户、转给他人（如继承人）的，请由两名工作人员分别
    提出、复核更正，转出余额后再注销。
    """


class InsufficientFunds(Refusal):
    """The spendable or shareable amount does not suffice.

    账户可用余额不足。请减少金额，或待账户划入后再办理。
    """


class BalanceTooLarge(Refusal):
    """The balance would exceed the greatest amount an account can hold.

    入账后余额超出账户允许的最大值。请核对金额。
    """


class AdjustmentNotFound(Refusal):
    """No such proposed adjustment.

    未找到该调整申请。请重新查询。
    """


class AdjustmentDecided(Refusal):
    """The adjustment has been decided already.

    该调整申请已审批，不能重复审批。
    """


class MutualAidNotUsable(Refusal):
    """This donor may not pay for this beneficiary now: {reasons}.

    当前不能使用该授权人的共济资金：{reasons_zh}。请按提示处理后再试。
    """


class LimitExceeded(Refusal):
    """A limit of the donor or a cap of the policy would be exceeded ({limit}).

    超出{limit_zh}。请减少金额，或由授权人调整自己设置的限额。
    """


class HoldNotFound(Refusal):
    """No such hold.

    未找到该笔预留。请核对后重新查询。
    """


class HoldExpired(Refusal):
    """The hold's time has passed.

    该笔预留已超时失效，金额已退回可用余额。请重新预留。
    """


class HoldCaptured(Refusal):
    """The hold was captured already.

    该笔预留已扣款，不能重复处理。
    """


class HoldReleased(Refusal):
    """The hold was released already.

    该笔预留已解除。如需使用，请重新预留。
    """


class HoldAmountExceeded(Refusal):
    """More than the held amount cannot be captured.

    扣款金额超过预留金额。请减少扣款金额。
    """


class HoldNotApplicable(Refusal):
    """The hold is not one for this patient, this institution or this way of paying; one that names
    no institution is captured by a till only, an agency can release it.

    该笔预留不适用于本次业务。请核对患者和机构，或不使用预留；未指定机构的预留只能由定点机构扣款，经办机构只能释放。
    """


class SuspenseNotFound(Refusal):
    """No such suspense item.

    未找到该笔挂账。请重新查询。
    """


class SuspenseResolved(Refusal):
    """The suspense item has been resolved already.

    该笔挂账已处理，不能重复处理。
    """
