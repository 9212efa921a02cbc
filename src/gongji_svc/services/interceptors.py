"""The one gate every call passes: identity, access, deadline; errors to google.rpc.Status; the log.

Rule: denied by default, and permission before existence. A call has 30 seconds at most, an upload
ten times as many; what watches goes on, as long as its caller is believed. A call counts as its
caller's until its client has the answer, and one that is too many is told so after a pause, so that
who does not wait gains nothing. One line a call is logged; it names neither people nor numbers.
Nothing touches a call once its handler has ended: gRPC frees it then.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
import structlog
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import (
    DeadlinePassed,
    RateLimited,
    Refusal,
    ServiceUnavailable,
    Unauthenticated,
)
from gongji_svc.pipe import Answer
from gongji_svc.services.access import check_role
from gongji_svc.services.contract import Method
from gongji_svc.services.denials import Denials
from gongji_svc.services.identity import Verifier
from gongji_svc.services.limits import Limiter, count_answer, count_guesses
from gongji_svc.services.status import code_of, internal, status_of, told
from gongji_svc.services.weights import is_batch
from gongji_svc.signals.calls import Begun, Calls
from gongji_svc.signals.trace import trace_id

_log = structlog.get_logger()

_LONGEST_CALL_SECONDS = 30.0
_LONGEST_UPLOAD_SECONDS = 300.0
_RETRY_AFTER_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 1.0
_PEERS = 4096  # addresses that are known without reading them again
_SHORTEST_WAIT_SECONDS = 0.01
_CLOSE_SECONDS = 0.25  # a client's deadline passes a little earlier there than here
_LAST_WRITE_SECONDS = 10.0
_MOST_PAUSING = 1024
_CODES: dict[int, StatusCode] = {int(code.value[0]): code for code in StatusCode}
_DETAILS = "grpc-status-details-bin"
_REASON_TYPE = "ErrorInfo"
_FORWARDED = "x-forwarded-for"
_TRACEPARENT = "traceparent"
_ALL_SENT = Answer(0, 0, b"")

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the gate; `deadline` in Unix seconds, `trace` the context it is in."""

    caller: Caller
    deadline: float
    trace: bytes


Unary = Callable[[Call, bytes], Awaitable[Answer]]
ClientStream = Callable[[Call, AsyncIterator[bytes]], Awaitable[Answer]]
Write = Callable[[bytes], Awaitable[None]]
ServerStream = Callable[[Call, bytes, Write], Coroutine[Any, Any, None]]


class Gate:
    """Wraps handlers; used by every RPC of the contract."""

    def __init__(
        self, verifier: Verifier, limiter: Limiter, calls: Calls, denials: Denials
    ) -> None:
        self._verifier = verifier
        self._denials = denials
        self._limiter = limiter
        self._calls = calls
        self._pausing = 0
        self._closed = False

    def close(self) -> None:
        """From now on every new call is told to go elsewhere; those that passed go on."""
        self._closed = True

    def unary(self, method: Method, serve: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """The handler of a method that takes one request and gives one answer."""

        async def handle(body: bytes, context: Context) -> bytes:
            return await self._pass(method, context, lambda call: serve(call, body), body)

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
                    await self._while_believed(context, serve(call, body, writer.write))
                finally:
                    await writer.end()
                return _ALL_SENT

            await self._pass(method, context, send, body)

        return handle

    async def _pass(
        self,
        method: Method,
        context: Context,
        serve: Callable[[Call], Awaitable[Answer]],
        body: bytes = b"",
    ) -> bytes:
        begun = self._calls.begin(
            method.name, method.server_streaming, _said(context, _TRACEPARENT)
        )
        try:
            call = await self._admit(method, context, begun)
            answer = await self._within_limits(method, context, call, serve, body)
        except Refusal as refusal:
            answer = told(status_of(refusal))
        except (asyncio.CancelledError, grpc.aio.InternalError) as gone:
            self._calls.end(begun, *_how_it_ended(context, method))
            raise asyncio.CancelledError from gone  # nobody is there to hear more
        except Exception as fault:  # noqa: BLE001 - whatever it is, the caller learns nothing of it
            trace = trace_id(begun.trace)
            _log.error("a call failed", method=method.name, trace=trace, exc_info=fault)
            answer = told(internal())
        if answer.code == 0:
            self._calls.end(begun, "OK")
            return answer.body
        status = Status.FromString(answer.body)
        self._calls.end(begun, _CODES[answer.code].name, _reason(status))
        return await refuse(context, status)

    async def _admit(self, method: Method, context: Context, begun: Begun) -> Call:
        if self._closed:
            raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
        try:
            caller = await self._verifier.caller(*self._shown(context))
        except Unauthenticated:
            await self.count_unnamed(context)
            raise
        begun.role = caller.role.value
        caller = replace(caller, origin=self._origin(context))
        left_seconds = context.time_remaining()
        if left_seconds is None:
            left_seconds = _LONGEST_CALL_SECONDS
        streams = method.client_streaming
        longest = _LONGEST_UPLOAD_SECONDS if streams else _LONGEST_CALL_SECONDS
        return Call(caller, time.time() + min(left_seconds, longest), begun.trace)

    async def count_unnamed(self, context: Context) -> None:
        """Count a call that is nobody's for the address it comes from; RateLimited, after a pause,
        when it is one too many.
        """
        try:
            self._limiter.enter_unnamed(self._origin(context))
        except RateLimited as refusal:
            raise await self._after_a_pause(refusal) from None

    async def _within_limits(
        self,
        method: Method,
        context: Context,
        call: Call,
        serve: Callable[[Call], Awaitable[Answer]],
        body: bytes,
    ) -> Answer:
        limiter, standing = self._limiter, None
        try:
            entered = standing = limiter.enter(call.caller, method, body)
            context.add_done_callback(lambda _: limiter.leave(entered))  # type: ignore[arg-type]  # its stub names the argument
            check_role(call.caller, method)
            answer = await serve(call)
        except Refusal as refusal:
            if isinstance(refusal, RateLimited):
                raise await self._after_a_pause(refusal) from None
            if standing is not None:
                count_guesses(standing, refusal.reason.encode())
            await self._denials.look(call.caller, method, body, refusal.reason.encode())
            raise
        count_answer(standing, method, body, answer.body)
        if answer.code or is_batch(method):
            count_guesses(standing, answer.body)
            await self._denials.look(call.caller, method, body, answer.body)
        return answer

    async def _after_a_pause(self, refusal: RateLimited) -> RateLimited:
        """What to tell a call that was too many; until then its client sends no other."""
        seconds = refusal.retry_after_seconds or 0.0
        if self._pausing >= _MOST_PAUSING or self._closed:
            return refusal
        pause = min(seconds, _LONGEST_PAUSE_SECONDS)
        self._pausing += 1
        try:
            await asyncio.sleep(pause)
        finally:
            self._pausing -= 1
        return RateLimited(retry_after_seconds=max(_SHORTEST_WAIT_SECONDS, seconds - pause))

    async def _while_believed(self, context: Context, work: Coroutine[Any, Any, None]) -> None:
        """Do what may last, and ask now and then whether who asked for it is still believed."""
        shown = self._shown(context)
        working = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((working,), timeout=_ASK_AGAIN_SECONDS))[0]:
                await self._verifier.caller(*shown)
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _shown(self, context: Context) -> tuple[str, bytes]:
        """What a caller brings: a token, and a certificate where one is asked for."""
        asks = self._verifier.asks_certificates
        certificate = certificate_of(context) if asks else b""
        said = _all_said(context, "authorization")
        if len(said) > 1:  # as with a till that shows a token as well
            raise Unauthenticated
        return next(iter(said), ""), certificate

    def _origin(self, context: Context) -> str:
        """The network address a call comes from; a gateway says its client's."""
        said = _address(_said(context, _FORWARDED)) if self._is_gateways(context) else None
        return _peer(context) if said is None else str(said)

    def _is_gateways(self, context: Context) -> bool:
        """Whether a gateway's certificate is shown; where nobody is asked for one, it is whoever is
        on this machine.
        """
        if not self._verifier.asks_certificates:
            return is_on_this_machine(context)
        try:
            return self._verifier.is_gateways(certificate_of(context))
        except Unauthenticated:
            return False


def _how_it_ended(context: Context, method: Method) -> tuple[str, str]:
    """The code and the reason of a call that its client ended: it went away, or its deadline passed
    while we had the call. Who watches ends by its deadline as a matter of course.
    """
    left_seconds = context.time_remaining()
    if method.server_streaming or left_seconds is None or left_seconds > _CLOSE_SECONDS:
        return StatusCode.CANCELLED.name, ""
    late = DeadlinePassed()
    return code_of(late).name, late.reason


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
        """Wait until the client has what was begun, or is gone; one that takes nothing for long is
        cut off.
        """
        if self._writing is None:
            return
        await asyncio.wait((self._writing,), timeout=_LAST_WRITE_SECONDS)
        if not self._writing.done():
            self._writing.cancel()
            raise asyncio.CancelledError
        await asyncio.gather(self._writing, return_exceptions=True)


async def _whole(bodies: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """The messages of a stream; an error at its end when the client has broken off.

    gRPC ends the messages of a broken call like those of a finished one. What tells them apart is
    that to a broken one nothing can be sent.
    """
    async for body in bodies:
        yield body
    await context.send_initial_metadata(())


async def refuse(context: Context, status: Status) -> NoReturn:
    """End a call with a status."""
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    await context.abort(_CODES[status.code], status.message)


def _said(context: Context, name: str) -> str:
    """What the caller's metadata say under a name; empty: nothing."""
    return next(iter(_all_said(context, name)), "")


def _all_said(context: Context, name: str) -> list[str]:
    metadata = context.invocation_metadata() or ()
    return [value for key, value in metadata if key == name and isinstance(value, str)]


def certificate_of(context: Context) -> bytes:
    """The caller's certificate in PEM, whose key TLS has seen it hold."""
    found = context.auth_context().get("x509_pem_cert")
    if not found:
        raise Unauthenticated
    return bytes(next(iter(found)))


def _peer(context: Context) -> str:
    """The caller's network address without its port."""
    return _without_port(context.peer())


@lru_cache(_PEERS)
def _without_port(peer: str) -> str:
    """ "ipv4:10.0.0.7:5000" -> "10.0.0.7"."""
    kind, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else kind


@lru_cache(_PEERS)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The network address that a text is; None: it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_on_this_machine(context: Context) -> bool:
    """Whether a call comes from the machine that serves."""
    address = _address(_peer(context))
    return address is not None and address.is_loopback


def _reason(status: Status) -> str:
    for detail in status.details:
        if detail.type_url.endswith(_REASON_TYPE):
            # The reason is the first field of ErrorInfo: tag, length, text.
            return detail.value[2 : 2 + detail.value[1]].decode()
    return ""
