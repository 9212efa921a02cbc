"""Refusals of BindingService: applying, documents, and the life of a binding."""

from gongji_svc.domain.errors.refusal import Refusal


class ChannelNotOffered(Refusal):
    """Region {region} does not offer binding by channel {channel}.

    该地区不支持通过此渠道办理家庭共济绑定。可用渠道：{channels}。
    """


class CertificatesNotSeen(Refusal):
    """COUNTER: the clerk must have seen both people's certificates.

    窗口办理须核验双方的有效身份证件。请核验后再提交。
    """


class ConfirmationMissing(Refusal):
    """The region asks for a further confirmation: {confirmation}.

    该地区办理绑定还须完成确认（{confirmation_zh}）。请完成后重新提交。
    """


class DonorNotEmployeeInsured(Refusal):
    """The donor has no insurance of a kind that the region admits.

    授权人未参加职工基本医疗保险，不能办理家庭共济。请由参加职工医保的家庭成员授权。
    """


class DonorNotInGoodStanding(Refusal):
    """The donor's insurance is paused, ended or in arrears.

    授权人的职工医保当前不是正常参保状态。请先恢复正常参保后再办理。
    """


class DonorPubliclyFunded(Refusal):
    """The donor is publicly funded and the region excludes such people.

    公费医疗人员不能作为授权人办理家庭共济。请由其他家庭成员授权。
    """


class DonorWithoutAccount(Refusal):
    """The donor has no open personal account of a kind that may pay for relatives.

    授权人没有可用于共济的医保个人账户。请到医保经办机构查询个人账户。
    """


class BeneficiaryNotInsured(Refusal):
    """The beneficiary is not insured, or the insurance is paused or ended.

    使用人未参加基本医疗保险或当前不是正常参保状态。请先办理参保或恢复参保。
    """


class BeneficiaryInsuranceNotAdmitted(Refusal):
    """Region {region} does not admit beneficiaries of this insurance.

    按授权人参保地政策，使用人的参保险种不能办理家庭共济（允许：{insurances}）。请咨询授权人参
    保地医保经办机构。
    """


class BeneficiaryPubliclyFunded(Refusal):
    """The beneficiary is publicly funded and the region excludes such people.

    公费医疗人员不能作为使用人办理家庭共济。请咨询授权人参保地医保经办机构。
    """


class BeneficiaryOutOfArea(Refusal):
    """The beneficiary is insured outside the area the policy allows ({area}).

    使用人的参保地不在授权人参保地政策允许的范围内。请咨询授权人参保地医保经办机构。
    """


class RelationNotAllowed(Refusal):
    """Region {region} does not admit the relation {relation} on that date.

    该地区政策不允许此亲属关系办理家庭共济（允许：{relations}）。请核对与使用人的关系。
    """


class SelfBinding(Refusal):
    """Donor and beneficiary are the same person.

    授权人和使用人不能是同一人。请填写家庭成员的信息。
    """


class BindingOverlaps(Refusal):
    """The two are already bound in part of that period ({effective_from} to {effective_to}).

    双方在该时间段内已存在{what_zh}（{effective_from}至{effective_to_zh}）。{remedy_zh}。
    """


class DonorMembersExceeded(Refusal):
    """The donor has {count} members; {limit} are allowed at once.

    授权人已绑定{count}名家庭成员，最多可绑定{limit}名。请先解除一名成员后再办理。
    """


class RelationMembersExceeded(Refusal):
    """The donor has {count} members of relation {relation}; {limit} are allowed at once.

    授权人已绑定{count}名此类亲属，最多可绑定{limit}名。请先解除一名后再办理。
    """


class LifetimeMembersExceeded(Refusal):
    """The donor has bound {count} different people; {limit} are allowed in a lifetime.

    授权人累计已绑定{count}名不同的家庭成员，累计最多{limit}名。只能与曾绑定过的成员再次绑定。
    """


class BeneficiaryDonorsExceeded(Refusal):
    """The beneficiary has the greatest number of donors allowed at once ({limit}).

    使用人的授权人数已达上限（{limit}名）。请先由使用人或其授权人解除一项共济关系。
    """


class RoleConflict(Refusal):
    """The region lets a person be donor or beneficiary, not both.

    按当地政策，同一人不能既是授权人又是使用人。请先解除另一身份的共济关系。
    """


class RebindingLocked(Refusal):
    """The two may not be bound again before {earliest_date}.

    双方解除共济关系后须间隔一段时间才能再次绑定，最早可于{earliest_date}办理。
    """


class StartDateInPast(Refusal):
    """effective_from lies before today ({today}).

    开始日期不能早于今天（{today}）。请重新选择开始日期。
    """


class EndDateBeforeStart(Refusal):
    """effective_to is not after effective_from.

    结束日期须晚于开始日期。请重新选择结束日期。
    """


class UseNotAllowed(Refusal):
    """The region does not offer the use {use}.

    当地政策不支持此共济用途（允许：{uses}）。请重新选择用途。
    """


class BeneficiaryDetailMissing(Refusal):
    """The region requires a further detail: {detail}.

    请补充填写：{detail_zh}。
    """


class DocumentMissing(Refusal):
    """A document is absent: any of {kinds}, of {of}.

    缺少材料：{of_zh}的{kinds_zh}。请上传后重新提交。
    """


class CommitmentNotAccepted(Refusal):
    """The personal commitment has not been accepted.

    请阅读并签署个人承诺书后再提交。
    """


class CommitmentOutdated(Refusal):
    """Version {version} of the commitment is in force.

    个人承诺书已更新（现行版本：{version}）。请阅读并签署新版本后再提交。
    """


class DocumentNotFound(Refusal):
    """No such document.

    未找到该材料。请重新上传。
    """


class DocumentNotReadable(Refusal):
    """The content is not a JPEG, PNG or PDF.

    材料不是JPEG、PNG或PDF文件。请转换格式后重新上传。
    """


class DocumentTooLarge(Refusal):
    """The document is larger than 10 MiB.

    材料超过10MB。请压缩后重新上传。
    """


class DocumentIncomplete(Refusal):
    """The upload broke off, was empty, or began without its header.

    材料上传不完整。请重新上传。
    """


class DocumentAlreadyAttached(Refusal):
    """The document is attached to another binding.

    该材料已用于其他绑定申请。请重新上传。
    """


class BindingNotFound(Refusal):
    """No such binding.

    未找到该共济关系。请重新查询。
    """


class BindingNotPending(Refusal):
    """The binding is not waiting for review any more (state {state}).

    该申请已审核或已撤回（当前状态：{state_zh}），无需再审核。
    """


class BindingNotActive(Refusal):
    """The binding's state {state} does not allow the change.

    该共济关系当前状态（{state_zh}）不能进行此操作。如需使用，请重新办理绑定。
    """


class UnbindingLocked(Refusal):
    """The binding may not be ended before {earliest_date}.

    绑定后须满规定期限才能解除，最早可于{earliest_date}解除。
    """


class NoticeNotAccepted(Refusal):
    """The notice on ending must be accepted first.

    请阅读并勾选同意告知书后再办理解除。
    """


class NoticeOutdated(Refusal):
    """Version {version} of the notice on ending is in force.

    告知书已更新（现行版本：{version}）。请阅读并勾选同意新版本后再办理解除。
    """


class ApplicationExpired(Refusal):
    """The last day of the application ({effective_to}) has passed.

    该申请的结束日期（{effective_to}）已过，不能审核通过。请审核不通过，由授权人重新申请。
    """


class OrderFixedByPolicy(Refusal):
    """The region fixes the deduction order: {order}.

    当地政策统一规定了扣款顺序（{order_zh}），不能自行调整。各地规定可在政策查询中查看。
    """


class OrderIncomplete(Refusal):
    """The order must name each current binding of the beneficiary exactly once.

    扣款顺序须包含使用人当前全部共济关系，且各出现一次。请刷新后重新设置。
    """
