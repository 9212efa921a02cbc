"""A refusal as a client reads it, and what every refusal must carry."""

from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from grpc_status import rpc_status

from gongji.v1 import errors_pb2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a status says: its code, the reason, and the fields that are wrong."""

    code: grpc.StatusCode
    reason: str
    fields: list[str]
    message_zh: str
    retry_after_seconds: float | None = None


def refusal_of(error: grpc.RpcError) -> Refusal:
    """Read an error; assert that it is one of ours and whole."""
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()}: {error.details()}: no google.rpc.Status"

    def carried(kind: type[M]) -> list[M]:
        found = []
        for detail in status.details:
            message = kind()
            if detail.Unpack(message):
                found.append(message)
        return found

    (info,) = carried(ErrorInfo)
    assert info.domain == "gongji"
    assert f"ERROR_REASON_{info.reason}" in errors_pb2.ErrorReason.keys()  # noqa: SIM118  # an enum's wrapper is no dict
    (localized,) = carried(LocalizedMessage)
    assert localized.locale == "zh-CN"
    assert any("\u4e00" <= sign <= "\u9fff" for sign in localized.message)
    assert status.message
    fields = [one.field for bad in carried(BadRequest) for one in bad.field_violations]
    waits = [one.retry_delay.ToTimedelta().total_seconds() for one in carried(RetryInfo)]
    wait = waits[0] if waits else None
    return Refusal(error.code(), info.reason, fields, localized.message, wait)
