"""How a refusal looks on the wire: one table, one translation.

Rule: every error carries exactly one ErrorInfo (domain "gongji", the refusal's reason), a zh-CN
LocalizedMessage, BadRequest violations for bad input and RetryInfo where a retry can help. Anything
that is not a refusal is INTERNAL and says nothing of itself.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal
from gongji_svc.pipe import Answer

_DOMAIN = "gongji"
_LOCALE = "zh-CN"
_INTERNAL_ZH = "系统内部错误，业务未办理。请稍后使用同一请求编号重试；仍不成功请联系医保经办机构。"

# What is not named here is FAILED_PRECONDITION: the request is sound, the rules refuse it today.
_CLASSES: dict[StatusCode, tuple[type[Refusal], ...]] = {
    StatusCode.INVALID_ARGUMENT: (
        errors.AmountMismatch,
        errors.BeneficiaryDetailMissing,
        errors.BreakdownMismatch,
        errors.BreakdownRequired,
        errors.DocumentIncomplete,
        errors.DocumentNotReadable,
        errors.DocumentTooLarge,
        errors.EndDateBeforeStart,
        errors.EnrolmentAmbiguous,
        errors.InvalidField,
        errors.LineNotFound,
        errors.MalformedRequest,
        errors.OrderIncomplete,
        errors.PageTokenInvalid,
        errors.RefundExceedsRest,
        errors.SelfBinding,
        errors.TotalMismatch,
    ),
    StatusCode.NOT_FOUND: (
        errors.AccountNotFound,
        errors.AdjustmentNotFound,
        errors.BindingNotFound,
        errors.DifferenceNotFound,
        errors.DocumentNotFound,
        errors.HoldNotFound,
        errors.InstitutionNotFound,
        errors.PersonNotFound,
        errors.PersonNotMatched,
        errors.PremiumPaymentNotFound,
        errors.RiskSignalNotFound,
        errors.SettlementNotFound,
        errors.SuspenseNotFound,
        errors.WindowNotFound,
    ),
    StatusCode.ALREADY_EXISTS: (
        errors.AccountExists,
        errors.BindingOverlaps,
        errors.CardInUse,
        errors.CertificateInUse,
        errors.PremiumAlreadyPaid,
        errors.RequestIdReused,
    ),
    StatusCode.PERMISSION_DENIED: (
        errors.AccessDenied,
        errors.SecondActorRequired,
    ),
    StatusCode.UNAUTHENTICATED: (errors.Unauthenticated,),
    StatusCode.OUT_OF_RANGE: (
        errors.BalanceTooLarge,
        errors.OccurredInFuture,
        errors.OutOfTime,
        errors.PolicyNotInForce,
    ),
    StatusCode.RESOURCE_EXHAUSTED: (
        errors.QueueFull,
        errors.RateLimited,
    ),
    StatusCode.DEADLINE_EXCEEDED: (errors.DeadlinePassed,),
    StatusCode.UNIMPLEMENTED: (errors.NotBuilt,),
    StatusCode.UNAVAILABLE: (errors.ServiceUnavailable,),
    StatusCode.ABORTED: (errors.ConcurrentChange,),
}
CODES: dict[type[Refusal], StatusCode] = {
    refusal: code for code, refusals in _CLASSES.items() for refusal in refusals
}


def code_of(refusal: Refusal) -> StatusCode:
    """The gRPC code of a refusal."""
    return CODES.get(type(refusal), StatusCode.FAILED_PRECONDITION)


def status_of(refusal: Refusal) -> Status:
    """A refusal as google.rpc.Status."""
    details = [
        _any(ErrorInfo(reason=refusal.reason, domain=_DOMAIN, metadata=refusal.details)),
        _any(LocalizedMessage(locale=_LOCALE, message=refusal.message_zh)),
    ]
    if refusal.violations:
        violations = [
            BadRequest.FieldViolation(field=one.field, description=one.message_zh)
            for one in refusal.violations
        ]
        details.append(_any(BadRequest(field_violations=violations)))
    if refusal.retry_after_seconds is not None:
        delay = Duration()
        delay.FromNanoseconds(round(refusal.retry_after_seconds * 1_000_000_000))
        details.append(_any(RetryInfo(retry_delay=delay)))
    code = Code.Value(code_of(refusal).name)
    return Status(code=code, message=refusal.message, details=details)


def internal() -> Status:
    """An unexpected fault, as the caller sees it."""
    return Status(
        code=Code.Value("INTERNAL"),
        message="Internal error; nothing was done.",
        details=[
            _any(ErrorInfo(reason="INTERNAL", domain=_DOMAIN)),
            _any(LocalizedMessage(locale=_LOCALE, message=_INTERNAL_ZH)),
        ],
    )


def told(status: Status, call: int = 0) -> Answer:
    """A status as the answer to a call."""
    return Answer(call, status.code, status.SerializeToString())


def _any(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
