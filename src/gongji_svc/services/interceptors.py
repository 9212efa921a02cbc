"""The one gate every call passes: identity, access, deadline; errors to google.rpc.Status; the log.

Rule: denied by default, and permission before existence. A call without a deadline gets 30 seconds;
what watches goes on. One line a call is logged; it names neither people nor numbers. Nothing
touches a call once its handler has ended: gRPC frees it then.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

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
_ALL_SENT = Answer(0, 0, b"")

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the gate; `deadline` in Unix seconds."""

    caller: Caller
    deadline: float


Unary = Callable[[Call, bytes], Awaitable[Answer]]
ClientStream = Callable[[Call, AsyncIterator[bytes]], Awaitable[Answer]]
Write = Callable[[bytes], Awaitable[None]]
ServerStream = Callable[[Call, bytes, Write], Awaitable[None]]


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
        self, method: Method, serve: ClientStream
    ) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
        """The handler of a method that takes a stream of requests and gives one answer."""

        async def handle(bodies: AsyncIterator[bytes], context: Context) -> bytes:
            whole = _whole(bodies, context)
            return await self._pass(method, context, lambda call: serve(call, whole))

        return handle

    def server_stream(
        self, method: Method, serve: ServerStream
    ) -> Callable[[bytes, Context], Awaitable[None]]:
        """The handler of a method that takes one request and gives a stream of answers: `serve`
        writes each when it has it, and waits while the client is slow.
        """

        async def handle(body: bytes, context: Context) -> None:
            async def send(call: Call) -> Answer:
                writer = _Writer(context)
                try:
                    await serve(call, body, writer.write)
                finally:
                    await writer.end()
                return _ALL_SENT

            await self._pass(method, context, send)

        return handle

    async def _pass(
        self, method: Method, context: Context, serve: Callable[[Call], Awaitable[Answer]]
    ) -> bytes:
        started = time.perf_counter()
        role = "-"
        try:
            call = await self._admit(method, context)
            role = call.caller.role.value
            answer = await serve(call)
        except Refusal as refusal:
            answer = Answer(0, int(code_of(refusal).value[0]), _dump(status_of(refusal)))
        except (asyncio.CancelledError, grpc.aio.InternalError) as gone:
            seconds = round(time.perf_counter() - started, 6)
            _log.info("call", method=method.name, role=role, code="CANCELLED", seconds=seconds)
            raise asyncio.CancelledError from gone  # nobody is there to hear more
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

    async def _admit(self, method: Method, context: Context) -> Call:
        if self._closed:
            raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
        certificate = _certificate(context) if self._verifier.asks_certificates else b""
        caller = await self._verifier.caller(_authorization(context), certificate)
        check_role(caller, method)
        caller = replace(caller, origin=_origin(context))
        left_seconds = context.time_remaining()
        if left_seconds is None or left_seconds > _LONGEST_CALL_SECONDS:
            left_seconds = _LONGEST_CALL_SECONDS
        return Call(caller, time.time() + left_seconds)


class _Writer:
    """Writes answers to one call.

    gRPC takes no status while it still has an answer to send: a write that has begun is left to
    end, also when nobody waits for it any more.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._writing: asyncio.Task[None] | None = None

    async def write(self, answer: bytes) -> None:
        """Write one answer, as soon as the client has room for it."""
        self._writing = asyncio.create_task(self._context.write(answer))
        await asyncio.shield(self._writing)

    async def end(self) -> None:
        """Wait until the client has what was begun, or is gone."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)


async def _whole(bodies: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """The messages of a stream; an error at its end when the client has broken off.

    gRPC ends the messages of a broken call like those of a finished one. What tells them apart is
    that to a broken one nothing can be sent.
    """
    async for body in bodies:
        yield body
    await context.send_initial_metadata(())


def _authorization(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            return value
    return ""


def _certificate(context: Context) -> bytes:
    """The caller's certificate in PEM, whose key TLS has seen it hold."""
    found = context.auth_context().get("x509_pem_cert")
    if not found:
        raise Unauthenticated
    return bytes(next(iter(found)))


def _origin(context: Context) -> str:
    """The caller's network address without its port: "ipv4:10.0.0.7:5000" -> "10.0.0.7"."""
    kind, _, address = unquote(context.peer()).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else kind


def _dump(status: Status) -> bytes:
    return status.SerializeToString()


def _reason(status: Status) -> str:
    for detail in status.details:
        if detail.type_url.endswith(_REASON_TYPE):
            # The reason is the first field of ErrorInfo: tag, length, text.
            return detail.value[2 : 2 + detail.value[1]].decode()
    return ""
