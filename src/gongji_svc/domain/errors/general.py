"""Refusals of any call, of policy and time, and of the registry."""

from gongji_svc.domain.errors.refusal import Refusal, Violation


class InvalidField(Refusal):
    """Request fields break the contract's rules: {fields}.

    请求内容不符合要求：{fields}。请更正后重新提交。
    """


class MalformedRequest(Refusal):
    """The request bytes cannot be read as the message.

    请求报文无法解析。请检查报文格式和编码（UTF-8）后重新发送。
    """


class PageTokenInvalid(Refusal):
    """The page_token is not one this list gave out, or other parameters changed.

    翻页标记无效。请从第一页重新查询。
    """


class Unauthenticated(Refusal):
    """No token or certificate, or one that is expired or not trusted.

    身份未认证或凭证已过期。请重新登录后再试。
    """


class AccessDenied(Refusal):
    """The caller's role or subject may not do this.

    您没有办理此项业务的权限。请由本人或有权限的人员办理。
    """


class SecondActorRequired(Refusal):
    """The step must be taken by another actor than the one who proposed it.

    提出人不能审批自己提出的事项。请由另一名工作人员办理。
    """


class RequestIdReused(Refusal):
    """The request_id was used with other content: {fields}.

    该请求编号已用于内容不同的请求（不同项：{fields}）。请核对原请求，新业务请使用新的请求编号。
    """


class RequestIdCancelled(Refusal):
    """The request_id was cancelled before the request arrived.

    该请求编号已被撤销，不能再使用。请使用新的请求编号重新提交。
    """


class DeadlinePassed(Refusal):
    """The call's deadline passed before its batch began; nothing was done.

    请求超时，未作任何处理。请使用同一请求编号重试。
    """


class QueueFull(Refusal):
    """Too many requests are waiting.

    系统繁忙，未作任何处理。请稍后使用同一请求编号重试。
    """


class RateLimited(Refusal):
    """This caller exceeded its rate.

    操作过于频繁。请稍后再试。
    """


class ServiceUnavailable(Refusal):
    """The writer or the database is away for a moment.

    服务暂时不可用。请稍后使用同一请求编号重试。
    """


class ConcurrentChange(Refusal):
    """Another change came in between; nothing was written.

    数据刚被他人更改，未作任何处理。请重试。
    """


class NotBuilt(Refusal):
    """This call is in the contract and not served by this release.

    本系统当前版本不提供此项服务。请通过医保经办窗口办理。
    """


class RegionNotServed(Refusal):
    """No rules are loaded for region {region}.

    统筹区{region}尚未接入本系统。请联系当地医保经办机构。
    """


class PolicyNotInForce(Refusal):
    """No rules of region {region} were in force on {day}.

    统筹区{region}在{day}尚无生效的政策。请核对日期，或联系当地医保经办机构。
    """


class OccurredInFuture(Refusal):
    """occurred_at lies more than 5 minutes ahead of the server's clock.

    业务发生时间晚于当前时间。请校准本机时钟后重新提交。
    """

    usual_violations = (Violation("occurred_at", "不能晚于当前时间"),)


class OutOfTime(Refusal):
    """occurred_at lies more than 30 days back.

    业务发生时间已超过30天，不能联机结算。请到医保经办机构办理手工调整。
    """

    usual_violations = (Violation("occurred_at", "不能早于30天前"),)


class PersonNotMatched(Refusal):
    """No person with this certificate (or card) and this name.

    未找到证件号码与姓名相符的参保人。请核对证件号码和姓名后重新提交。
    """


class PersonNotFound(Refusal):
    """No person with this id.

    未找到该参保人。请核对后重新查询。
    """


class PersonDeceased(Refusal):
    """The person died before the day in question.

    该参保人已登记死亡，不能办理。如有误，请到医保经办机构更正。
    """


class CertificateInUse(Refusal):
    """The certificate belongs to another person already registered.

    该证件号码已登记在他人名下。请核对证件号码，或到医保经办机构更正。
    """


class CardInUse(Refusal):
    """The social-security card number belongs to another person already registered.

    该社会保障卡号已登记在他人名下。请核对卡号，或到医保经办机构更正。
    """


class HomeRegionFixed(Refusal):
    """The person's home region is given at first registration and never changes.

    该参保人的登记地自首次登记后不能更改。请只更改参保地。
    """


class InsuredElsewhere(Refusal):
    """Another region has the person insured today: its agency ends that first, or the home region's
    states the insurance here.

    该参保人目前在其他统筹区正常参保。请先由原参保地办理停保，或由其登记地经办机构登记本地参保信息。
    """


class InstitutionNotFound(Refusal):
    """No designated institution with this code.

    未找到该定点医药机构。请核对机构编码。
    """


class InstitutionSuspended(Refusal):
    """The institution's designation is suspended or ended.

    该机构的医保定点已暂停或终止，不能刷医保。请到其他定点医药机构就医购药。
    """


class InstitutionOutOfProvince(Refusal):
    """The institution lies in another province than the patient's insured region.

    该机构不在参保地所在省份，不能在此直接结算。请到参保地经办机构办理。
    """


class EnrolmentAmbiguous(Refusal):
    """Several usable enrolments; name insurance and insured_region: {enrolments}.

    该参保人有多条可用的参保信息（{enrolments_zh}）。请选择险种和参保地后重新提交。
    """


class EnrolmentNotUsable(Refusal):
    """The person has no enrolment, or not the named one, that a settlement could use.

    未找到可用于结算的参保信息。请核对险种和参保地，或到医保经办机构查询参保状态。
    """


class DifferenceNotFound(Refusal):
    """No such reconciliation difference.

    未找到该对账差异。请重新查询。
    """


class DifferenceResolved(Refusal):
    """The difference has been resolved already.

    该对账差异已处理，无需重复处理。
    """


class WindowNotFound(Refusal):
    """No such clearing window.

    未找到该清算期。请核对清算期。
    """


class WindowNotOpen(Refusal):
    """The clearing window is not open any more.

    该清算期已关闭。请在下一清算期办理。
    """


class WindowNotEnded(Refusal):
    """The clearing window's last day is not over.

    该清算期尚未结束。请在{last_day}之后办理。
    """


class WindowHasDifferences(Refusal):
    """Unresolved differences are in the window.

    该清算期内还有未处理的对账差异。请先处理差异。
    """


class WindowStepNotAllowed(Refusal):
    """The window cannot go to that state from {state}.

    该清算期{state_zh}，不能进行此操作。请按关闭、确认、拨付的顺序办理。
    """
