"""The one gate every call passes: identity, access, deadline; errors to google.rpc.Status; the log.

Rule: denied by default, and permission before existence. A call without a deadline gets 30 seconds.
One line a call is logged; it names neither people nor numbers.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import structlog
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import Refusal, ServiceUnavailable, Unauthenticated
from gongji_svc.pipe import Answer
from gongji_svc.services.access import check_role
from gongji_svc.services.contract import Method
from gongji_svc.services.identity import Verifier
from gongji_svc.services.status import code_of, internal, status_of

_log = structlog.get_logger()

_LONGEST_CALL_SECONDS = 30.0
_RETRY_AFTER_SECONDS = 1.0
_CODES: dict[int, StatusCode] = {int(code.value[0]): code for code in StatusCode}
_DETAILS = "grpc-status-details-bin"
_REASON_TYPE = "ErrorInfo"

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the gate; `deadline` in Unix seconds."""

    caller: Caller
    deadline: float


Unary = Callable[[Call, bytes], Awaitable[Answer]]
Stream = Callable[[Call, AsyncIterator[bytes]], Awaitable[Answer]]


class Gate:
    """Wraps handlers; used by every RPC of the contract."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._closed = False

    def close(self) -> None:
        """From now on every new call is told to go elsewhere; those that passed go on."""
        self._closed = True

    def unary(self, method: Method, serve: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """The handler of a method that takes one request and gives one answer."""

        async def handle(body: bytes, context: Context) -> bytes:
            return await self._pass(method, context, lambda call: serve(call, body))

        return handle

    def client_stream(
        self, method: Method, serve: Stream
    ) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
        """The handler of a method that takes a stream of requests and gives one answer."""

        async def handle(bodies: AsyncIterator[bytes], context: Context) -> bytes:
            return await self._pass(method, context, lambda call: serve(call, bodies))

        return handle

    async def _pass(
        self, method: Method, context: Context, serve: Callable[[Call], Awaitable[Answer]]
    ) -> bytes:
        started = time.perf_counter()
        role = "-"
        try:
            call = self._admit(method, context)
            role = call.caller.role.value
            answer = await serve(call)
        except Refusal as refusal:
            answer = Answer(0, int(code_of(refusal).value[0]), _dump(status_of(refusal)))
        except Exception as fault:  # noqa: BLE001 - whatever it is, the caller learns nothing of it
            _log.error("a call failed", method=method.name, exc_info=fault)
            answer = Answer(0, int(StatusCode.INTERNAL.value[0]), _dump(internal()))
        seconds = round(time.perf_counter() - started, 6)
        if answer.code == 0:
            _log.info("call", method=method.name, role=role, code="OK", seconds=seconds)
            return answer.body
        status = Status.FromString(answer.body)
        code = _CODES[answer.code]
        _log.info(
            "call",
            method=method.name,
            role=role,
            code=code.name,
            seconds=seconds,
            reason=_reason(status),
        )
        context.set_trailing_metadata(((_DETAILS, answer.body),))
        return await context.abort(code, status.message)

    def _admit(self, method: Method, context: Context) -> Call:
        if self._closed:
            raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
        caller = self._verifier.caller(_authorization(context))
        check_role(caller, method)
        left_seconds = context.time_remaining()
        if left_seconds is None or left_seconds > _LONGEST_CALL_SECONDS:
            left_seconds = _LONGEST_CALL_SECONDS
        return Call(caller, time.time() + left_seconds)


def _authorization(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            return value
    raise Unauthenticated


def _dump(status: Status) -> bytes:
    return status.SerializeToString()


def _reason(status: Status) -> str:
    for detail in status.details:
        if detail.type_url.endswith(_REASON_TYPE):
            # The reason is the first field of ErrorInfo: tag, length, text.
            return detail.value[2 : 2 + detail.value[1]].decode()
    return ""
