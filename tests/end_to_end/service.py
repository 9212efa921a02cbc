"""The service as it runs in production: fronts and writers in processes of their own, on one
database, called over the wire.

Rule: a test sees what a client sees, bytes and status codes; what it looks up in the database it
looks up beside the service.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from gongji.v1 import settlement_pb2 as pb
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.limits import Limits
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.services.entrance import TlsFiles
from gongji_svc.services.identity import issue_token
from gongji_svc.services.provider import Provider
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing
from gongji_svc.workers import Workers
from tests.families import KEYS

SETTLE = "/gongji.v1.SettlementService/Settle"
_HEALTH = "/grpc.health.v1.Health/Check"
TOKEN_KEY = "a key that only these tests know, long enough for any algorithm that signs by hashing"
_ANY_PORT = "127.0.0.1:0"
_READY_SECONDS = 20.0
_CALL_SECONDS = 30.0
_HOUR_SECONDS = 3600
# Each channel has a connection of its own, so that two of them are two clients; one that is lost is
# soon tried again.
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
)

_DEFAULT_LIMITS = Limits()

Metadata = tuple[tuple[str, str], ...]


def metadata_of(role: str, subject: object, *, lifetime_seconds: int = _HOUR_SECONDS) -> Metadata:
    """What a caller sends beside a request: a token of this installation."""
    caller = Caller(Role(role), str(subject), "clerk-1")
    token = issue_token(TOKEN_KEY.encode(), caller, lifetime_seconds)
    return (("authorization", f"Bearer {token}"),)


@dataclass(frozen=True, slots=True)
class Till:
    """The till of one institution, connected to one front."""

    channel: grpc.Channel
    metadata: Metadata

    def settle(
        self, request: pb.SettleRequest, timeout_seconds: float = _CALL_SECONDS
    ) -> pb.SettleResponse:
        """Settle and wait for the answer."""
        return SettlementServiceStub(self.channel).Settle(
            request, metadata=self.metadata, timeout=timeout_seconds
        )

    def begin(
        self, request: pb.SettleRequest, timeout_seconds: float = _CALL_SECONDS
    ) -> "grpc._CallFuture[pb.SettleResponse]":
        """Settle without waiting."""
        return SettlementServiceStub(self.channel).Settle.future(
            request, metadata=self.metadata, timeout=timeout_seconds
        )

    def send(self, body: bytes, timeout_seconds: float = _CALL_SECONDS) -> bytes:
        """Settle with any bytes for a request."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(SETTLE)
        return call(body, metadata=self.metadata, timeout=timeout_seconds)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: one channel a front."""

    database: Database
    workers: Workers
    channels: Sequence[grpc.Channel]

    @property
    def channel(self) -> grpc.Channel:
        """The way to the first front."""
        return self.channels[0]

    def till(self, code: str, front: int = 0) -> Till:
        """A till of the institution."""
        return Till(self.channels[front], metadata_of("pos", code))


@contextlib.contextmanager
def running(
    database: Database,
    *,
    fronts: int = 1,
    listen: str = _ANY_PORT,
    clock_offset_seconds: float = 0.0,
    tls: TlsFiles | None = None,
    provider: Provider | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    keys: KeyRing = KEYS,
    limits: Limits = _DEFAULT_LIMITS,
    metrics: str = "",
    traces: str = "",
) -> Iterator[Service]:
    """The service on `database` until the end of the block; it drains then. With `tls`, the
    channels have `credentials`.
    """
    settings = FrontSettings(
        listen=listen,
        shares_port=fronts > 1,
        token_key=TOKEN_KEY,
        writer=Settings(database.runtime_url, 5, keys.dump(), clock_offset_seconds, traces),
        tls=tls,
        provider=provider,
        limits=limits,
        metrics=metrics,
    )
    with contextlib.ExitStack() as stack:
        workers = stack.enter_context(Workers(settings.dump(), fronts))
        channels = [
            stack.enter_context(opened(f"127.0.0.1:{port}", credentials)) for port in workers.ports
        ]
        for channel in channels:
            assert health(channel) == HealthCheckResponse.SERVING
        yield Service(database, workers, channels)


def opened(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """A connection of its own; plain text without credentials."""
    if credentials is None:
        return grpc.insecure_channel(address, _OPTIONS)
    return grpc.secure_channel(address, credentials, _OPTIONS)


def health(channel: grpc.Channel, name: str = "") -> int:
    """How a service says it is, as soon as there is one at the other end."""
    call: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]
    call = channel.unary_unary(
        _HEALTH, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    request = HealthCheckRequest(service=name)
    return call(request, timeout=_READY_SECONDS, wait_for_ready=True).status


def free_address() -> str:
    """An address at which nothing listens, for fronts that must come back to the same one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def stopped(processes: Sequence[int]) -> Iterator[None]:
    """Processes that stand still until the end of the block, or are killed in it."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
