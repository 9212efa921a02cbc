"""Errors as `application/problem+json` (RFC 9457): reason, what to do next in Chinese, and fields.

Rule: what the core said is passed on as it is; of what it did not say, and of faults here, nothing
is told but the class of the error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from starlette.responses import JSONResponse

_DETAILS = "grpc-status-details-bin"
MEDIA_TYPE = "application/problem+json"

# google.rpc.Code's own mapping to HTTP.
_HTTP: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_UNAVAILABLE = 503
_TRY_AGAIN_SECONDS = 1
_TITLES = {
    400: "业务未办理",
    401: "请先登录",
    403: "无权办理",
    404: "没有找到",
    405: "不支持这种请求方法",
    408: "请求没有收全",
    409: "与已有记录冲突",
    413: "内容过大",
    415: "内容类型不支持",
    429: "请求过于频繁",
    501: "尚未开通",
    503: "服务暂时不可用",
    504: "处理超时",
}
_FAULT = "系统错误"
_FAULT_TEXT = ("系统内部错误。请稍后使用同一请求编号重试。", "Internal error.")
_AWAY = (
    "服务暂时不可用，业务结果未知。请稍后使用同一请求编号重试。",
    "The service is away; what became of the call is not known. Send the same request_id again.",
)


@dataclass(slots=True, eq=False)
class Problem(Exception):
    """An error as the client is to see it."""

    status: int
    reason: str = ""
    detail: str = ""
    detail_en: str = ""
    fields: list[dict[str, str]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after_seconds: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members of the JSON object."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": _TITLES.get(self.status, _FAULT),
            "status": self.status,
            "detail": self.detail,
            "detail_en": self.detail_en,
            "reason": self.reason,
            "fields": self.fields,
            "metadata": self.metadata,
        }
        if self.retry_after_seconds is not None:
            members["retry_after_seconds"] = self.retry_after_seconds
        return members

    def response(self) -> JSONResponse:
        """The answer; it tells by header when to come again."""
        headers = {"cache-control": "no-store", **self.headers}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(self.retry_after_seconds)
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers, media_type=MEDIA_TYPE)


class BadField(Problem):
    """Something in the request cannot be read; `name` is empty when it is the whole."""

    def __init__(self, name: str, description: str) -> None:
        where = f"{name}：" if name else ""
        fields = [{"field": name, "description": description}] if name else []
        detail = f"{where}{description}。请更正后重试。"
        super().__init__(400, "MALFORMED_REQUEST", detail, "The request can't be read.", fields)


def fault() -> Problem:
    """What a client is told of a fault of ours."""
    return Problem(500, "INTERNAL", *_FAULT_TEXT)


def of_call(error: grpc.aio.AioRpcError) -> Problem:
    """What the core, or the way to it, answered instead of a result."""
    status = _HTTP.get(error.code(), 500)
    detail, detail_en = _AWAY if status >= _UNAVAILABLE else _FAULT_TEXT
    problem = Problem(status, detail=detail, detail_en=detail_en)  # where nobody says it better
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            _tell(problem, Status.FromString(value))
    if status == _UNAVAILABLE and problem.retry_after_seconds is None:
        problem.retry_after_seconds = _TRY_AGAIN_SECONDS
    return problem


def _tell(problem: Problem, status: Status) -> None:
    problem.detail_en = status.message
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        text = error_details_pb2.LocalizedMessage()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            problem.reason = info.reason
            problem.metadata = dict(info.metadata)
        elif detail.Unpack(text):
            problem.detail = text.message
        elif detail.Unpack(bad):
            problem.fields = [
                {"field": one.field, "description": one.description} for one in bad.field_violations
            ]
        elif detail.Unpack(retry):
            problem.retry_after_seconds = max(1, -(-retry.retry_delay.ToMilliseconds() // 1000))
