"""The way to the core: one channel, a deadline on every call, and who asks, passed on.

Rule: bytes go through as they are. Only what may be sent twice is tried again, by gRPC itself and
only while the core is away; nothing else ever is. With other certificates a channel is opened anew,
and calls that are under way end on the old one.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from starlette.requests import Request

from gateway.problems import Problem
from gateway.rpcs import ROUTES, Route
from gateway.tls import Material, Tls

_TRACE = ("traceparent", "tracestate")
_FORWARDED = "x-forwarded-for"
_MOST_ADDRESS_CHARACTERS = 64
_MOST_TRACE_CHARACTERS = 512
_MOST_TOKEN_CHARACTERS = 4096  # gRPC takes 8 KiB of metadata
_ATTEMPTS = 4
_HEALTH_SECONDS = 2.0
_KNOWN_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 60.0  # longer than any call; who watches comes again
_KEEPALIVE_MS = 30_000
_FIRST_RECONNECT_MS = 100
_LAST_RECONNECT_MS = 1000  # the core is soon found again when it has been away
_MOST_ANSWER_BYTES = 8 * 1024 * 1024
_RETRY = {
    "maxAttempts": _ATTEMPTS,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

Metadata = tuple[tuple[str, str], ...]


class Core:
    """The core at HOST:PORT, or any name that gRPC resolves, behind one channel.

    `seconds` is how long a call may take, `upload_seconds` an upload; a stream takes as long as it
    goes on. The channel belongs to the event loop that opens it; it is plain text without `tls`.
    """

    def __init__(
        self, target: str, seconds: float, upload_seconds: float, tls: Tls | None = None
    ) -> None:
        self._target = target
        self._material = Material(tls) if tls else None
        self._seconds = seconds
        self._upload_seconds = upload_seconds
        self._opened: grpc.aio.Channel | None = None
        self._asked_at = float("-inf")
        self._serves: asyncio.Future[bool] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The one channel, opened when it is first needed."""
        if self._opened is None:
            self._opened = (
                grpc.aio.insecure_channel(self._target, _OPTIONS)
                if self._material is None
                else grpc.aio.secure_channel(
                    self._target, self._material.current.credentials, _OPTIONS
                )
            )
        return self._opened

    def known_until(self) -> float | None:
        """When the certificate it shows the core ends, in Unix seconds; None: it shows none."""
        return None if self._material is None else self._material.current.until

    async def watch_files(self) -> None:
        """Look at the certificates again and again; does not end."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._material is not None and await asyncio.to_thread(self._material.look):
                self._renew()

    def _renew(self) -> None:
        """Let the next call open a channel, and the calls of this one end."""
        old, self._opened = self._opened, None
        if old is not None:
            ending = asyncio.create_task(old.close(_GRACE_SECONDS))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        for ending in self._ending:
            ending.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def serves(self) -> bool:
        """Whether the core is there and serves; it is asked once a second however many ask here,
        who all count as one caller there.
        """
        now = time.monotonic()
        if self._serves is None or (self._serves.done() and now >= self._asked_at + _KNOWN_SECONDS):
            self._asked_at, self._serves = now, asyncio.ensure_future(self._ask_health())
        return await asyncio.shield(self._serves)

    async def _ask_health(self) -> bool:
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def ask(self, route: Route, request: Message, metadata: Metadata) -> Message:
        """The answer of an RPC that takes one request and gives one answer."""
        call = self.channel.unary_unary(
            route.path,
            request_serializer=_dump,
            response_deserializer=route.response.FromString,
        )
        answer: Message = await call(request, timeout=self._seconds, metadata=metadata)
        return answer

    def stream(
        self, route: Route, request: Message, metadata: Metadata
    ) -> grpc.aio.UnaryStreamCall[Any, Any]:
        """The answers of an RPC that gives many; watching has no end, so there is no deadline."""
        call = self.channel.unary_stream(
            route.path,
            request_serializer=_dump,
            response_deserializer=route.response.FromString,
        )
        return call(request, metadata=metadata)

    async def send(
        self, route: Route, pieces: AsyncIterator[Message], metadata: Metadata
    ) -> Message:
        """The answer of an RPC that takes many messages."""
        call = self.channel.stream_unary(
            route.path,
            request_serializer=_dump,
            response_deserializer=route.response.FromString,
        )
        answer: Message = await call(pieces, timeout=self._upload_seconds, metadata=metadata)
        return answer


def forwarded(request: Request) -> Metadata:
    """Whose call it is, from which address, and the trace it belongs to; Problem 401 where nobody
    can be meant.

    The address is the connection's, or what a proxy says that uvicorn was told to believe.
    """
    headers = request.headers
    token = headers.get("authorization", "")
    if not token or not _fits(token, _MOST_TOKEN_CHARACTERS):
        raise Problem(
            401, "UNAUTHENTICATED", "身份未认证或凭证已过期。请重新登录后再试。", "No usable token."
        )
    traces = ((name, headers.get(name, "")) for name in _TRACE)
    sound = ((name, said) for name, said in traces if said and _fits(said, _MOST_TRACE_CHARACTERS))
    address = request.client.host if request.client else ""
    origin = ((_FORWARDED, address),) if _fits(address, _MOST_ADDRESS_CHARACTERS) else ()
    return (("authorization", token), *origin, *sound)


def _fits(text: str, most: int) -> bool:
    """Whether gRPC can send it as metadata."""
    return len(text) <= most and text.isascii() and text.isprintable()


def _service_config() -> Mapping[str, Any]:
    names = [{"service": service, "method": method} for service, method in _repeatable(ROUTES)]
    return {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": names, "retryPolicy": _RETRY}],
    }


def _repeatable(routes: Iterable[Route]) -> Iterable[tuple[str, str]]:
    return sorted(
        (route.descriptor.containing_service.full_name, route.name)
        for route in routes
        if route.first and route.repeatable
    )


def _dump(message: Message) -> bytes:
    return message.SerializeToString()


_OPTIONS = (
    ("grpc.service_config", json.dumps(_service_config())),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
    ("grpc.min_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", _LAST_RECONNECT_MS),
    ("grpc.max_receive_message_length", _MOST_ANSWER_BYTES),
)
