"""gRPC's own services (health, channelz, reflection) behind the same door as ours.

Rule: each request counts for the address it comes from. Where certificates are asked for, one that
is taken back or has run out is refused here too. They need no token, for health and reflection tell
of nobody; channelz tells who is connected and how busy, so it answers this machine alone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from inspect import isasyncgenfunction
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_channelz.v1 import channelz, channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

from gongji_svc.domain.errors import RateLimited, Unauthenticated
from gongji_svc.services.contract import SERVICES
from gongji_svc.services.identity import Verifier
from gongji_svc.services.interceptors import Gate, certificate_of, is_on_this_machine, refuse
from gongji_svc.services.status import status_of

_REFUSED = "No certificate, or one that is expired or not trusted."
_SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

_ELSEWHERE = "Only from the machine that serves."

Serve = Callable[[Any, Any], Any]
Check = Callable[[Any], Awaitable[None]]


def add_services_of_grpc(
    server: grpc.aio.Server, verifier: Verifier, gate: Gate, health: HealthServicer
) -> None:
    """Add them; the contract's services and health are what reflection tells of."""
    guarded: Any = _Guarded(server, verifier, gate)
    told = ReflectionServicer((*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME))
    looked_at = channelz.aio.ChannelzServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, guarded)
    channelz_pb2_grpc.add_ChannelzServicer_to_server(looked_at, guarded)  # type: ignore[no-untyped-call]  # untyped there
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(told, guarded)  # type: ignore[no-untyped-call]  # untyped there


class _Guarded:
    """What gRPC's generated code adds services to, in a server's stead."""

    def __init__(self, server: grpc.aio.Server, verifier: Verifier, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        self._verifier = verifier

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Nothing: what is registered by name goes first."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Add a service's methods."""
        checks: list[Check] = [self._check] if self._verifier.asks_certificates else []
        if service == channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name:
            checks.append(_check_is_here)
        for check in (*checks, self._count):  # the last one is asked first
            handlers = {name: _behind(check, handler) for name, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, handlers)

    async def _count(self, context: Any) -> None:
        try:
            await self._gate.count_unnamed(context)
        except RateLimited as refusal:
            await refuse(context, status_of(refusal))

    async def _check(self, context: Any) -> None:
        try:
            self._verifier.check_certificate(certificate_of(context))
        except Unauthenticated:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSED)


async def _check_is_here(context: Any) -> None:
    if not is_on_this_machine(context):
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, _ELSEWHERE)


def _behind(check: Check, handler: Any) -> Any:
    """The handler with its one function behind a check."""
    (shape,) = (shape for shape in _SHAPES if getattr(handler, shape) is not None)
    serve: Serve = getattr(handler, shape)
    guarded = _answers(check, serve) if isasyncgenfunction(serve) else _answer(check, serve)
    return handler._replace(**{shape: guarded})


def _answer(check: Check, serve: Serve) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        await check(context)
        return await serve(request, context)

    return answer


def _answers(check: Check, serve: Serve) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def answers(request: Any, context: Any) -> AsyncIterator[Any]:
        await check(context)
        whole = request if isinstance(request, Message) else _each(check, request, context)
        async for answer in serve(whole, context):
            yield answer

    return answers


async def _each(check: Check, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    """The requests of a stream, each behind the check."""
    async for request in requests:
        await check(context)
        yield request
