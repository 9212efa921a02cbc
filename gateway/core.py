"""The way to the core: one channel, a deadline on every call, and who asks, passed on.

Rule: bytes go through as they are. Only what may be sent twice is tried again, by gRPC itself and
only while the core is away; nothing else ever is.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from gateway.problems import Problem
from gateway.rpcs import ROUTES, Route

_TRACE = ("traceparent", "tracestate")
_MOST_TRACE_CHARACTERS = 512
_MOST_TOKEN_CHARACTERS = 4096  # gRPC takes 8 KiB of metadata
_ATTEMPTS = 4
_HEALTH_SECONDS = 2.0
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


@dataclass(frozen=True, slots=True)
class Tls:
    """How the gateway knows the core, and the core the gateway: who issued the core's certificate,
    and the certificate and key that the gateway shows where it is asked for one.
    """

    authorities: Path
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """What a channel is opened with; OSError when a file can't be read."""
        return grpc.ssl_channel_credentials(
            self.authorities.read_bytes(),
            self.key.read_bytes() if self.key else None,
            self.certificate.read_bytes() if self.certificate else None,
        )


class Core:
    """The core at HOST:PORT, or any name that gRPC resolves, behind one channel.

    `seconds` is how long a call may take, `upload_seconds` an upload; a stream takes as long as it
    goes on. The channel belongs to the event loop that opens it; it is plain text without `tls`.
    """

    def __init__(
        self, target: str, seconds: float, upload_seconds: float, tls: Tls | None = None
    ) -> None:
        self._target = target
        self._credentials = tls.credentials() if tls else None
        self._seconds = seconds
        self._upload_seconds = upload_seconds
        self._opened: grpc.aio.Channel | None = None

    @property
    def channel(self) -> grpc.aio.Channel:
        """The one channel, opened when it is first needed."""
        if self._opened is None:
            self._opened = (
                grpc.aio.insecure_channel(self._target, _OPTIONS)
                if self._credentials is None
                else grpc.aio.secure_channel(self._target, self._credentials, _OPTIONS)
            )
        return self._opened

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def serves(self) -> bool:
        """Whether the core is there and serves."""
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


def forwarded(headers: Mapping[str, str]) -> Metadata:
    """Whose call it is, and the trace it belongs to; Problem 401 where nobody can be meant."""
    token = headers.get("authorization", "")
    if not token or not _fits(token, _MOST_TOKEN_CHARACTERS):
        raise Problem(
            401, "UNAUTHENTICATED", "身份未认证或凭证已过期。请重新登录后再试。", "No usable token."
        )
    traces = ((name, headers.get(name, "")) for name in _TRACE)
    sound = ((name, said) for name, said in traces if said and _fits(said, _MOST_TRACE_CHARACTERS))
    return (("authorization", token), *sound)


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
