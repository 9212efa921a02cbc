"""The gRPC front: checks who calls, forwards the money path to its writers, answers reads itself.

Rules: the front moves no money. What it records itself is little: an upload, the use of a code and
a misuse by an engine of its own, whom staff read or were refused in the audit trail. It answers
health, reflection and channelz. A client that is slow or gone holds no thread, and a place among
the uploads or downloads no longer than until its call's deadline. When the front is told to end it
says so to who asks for its health, then takes no new calls, ends those that watch, lets the others
in flight finish, and then ends its writers; it waits no more for writers that never became ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from typing import NoReturn, Self

import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from gongji_svc import logs, regions
from gongji_svc.config import Address
from gongji_svc.domain.errors import NotBuilt
from gongji_svc.domain.limits import Limits
from gongji_svc.forwarder import Forwarder
from gongji_svc.pipe import Answer, Settings
from gongji_svc.services import connections, routes
from gongji_svc.services.buckets import by_minute
from gongji_svc.services.contract import METHODS, SERVICES, Method
from gongji_svc.services.denials import Denial, Denials, record
from gongji_svc.services.entrance import Entrance, TlsFiles
from gongji_svc.services.guarded import add_services_of_grpc
from gongji_svc.services.interceptors import Call, ClientStream, Gate, ServerStream, Unary, Write
from gongji_svc.services.limits import Limiter
from gongji_svc.services.office import Office
from gongji_svc.services.provider import Provider
from gongji_svc.services.receiving import received
from gongji_svc.services.turns import Turns, within
from gongji_svc.services.watching import Hub
from gongji_svc.services.weights import asks_much
from gongji_svc.signals import spans_to
from gongji_svc.signals.calls import Calls
from gongji_svc.signals.catalogue import Figure
from gongji_svc.signals.port import Port, turning
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer

_log = structlog.get_logger()

_OK = 0
_READERS = 16
# Each upload holds its content in memory; each download holds a connection, as a reader does.
_UPLOADS = 8
_DOWNLOADS = 16
_READERS_A_CALLER, _UPLOADS_A_CALLER, _DOWNLOADS_A_CALLER = 4, 2, 4
_HEAVY_BYTES = 64 * 1024  # a bill of a thousand lines; it takes tens of milliseconds to decide
_SWITCH_SECONDS = 0.0005  # so soon the event loop comes between readers
# Those that begin at once: after a restart all clients come back, and others read meanwhile.
_BEGINNINGS = 4
_MAX_WAITING = 4096
_DRAIN_SECONDS = 20.0
_TELL_SECONDS = 0.5
_TURN_AWAY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """What a front process needs; carries secrets, so it comes by standard input, never by name."""

    listen: str
    shares_port: bool
    token_key: str  # of development tokens; not used where there is an identity provider
    writer: Settings
    direct_url: str | None = None  # to listen to the database; None: the writer's address
    tls: TlsFiles | None = None  # None: plain text
    provider: Provider | None = None
    limits: Limits = field(default_factory=Limits)
    metrics: str = ""  # HOST:PORT of the first front's figures, the next one's a port further

    def dump(self) -> bytes:
        """The settings as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def load(cls, line: bytes) -> Self:
        """The settings from their line."""
        kept = json.loads(line)
        parts = {"writer": Settings, "tls": TlsFiles, "provider": Provider, "limits": Limits}
        return cls(
            **{
                name: parts[name](**value) if name in parts and value else value
                for name, value in kept.items()
            }
        )


class Front:
    """One gRPC server with its writer processes."""

    def __init__(self, settings: FrontSettings, office: Office) -> None:
        self._office = office
        self._forwarder = Forwarder(settings.writer, _MAX_WAITING, self._tell)
        token_key = settings.token_key.encode()
        self._entrance = Entrance(settings.tls, settings.provider, token_key)
        self._calls = Calls(spans_to(settings.writer.traces, "front"))
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        limiter, denials = Limiter(settings.limits), Denials(self._record)
        verifier = self._entrance.verifier
        self._gate = Gate(verifier, limiter, self._calls, denials)
        self._reads = Turns(_READERS, _READERS_A_CALLER, _READERS_A_CALLER)
        self._heavy, self._heavy_reads = Turns(1, 1, 1), Turns(1, 1, 1)
        self._uploads = Turns(_UPLOADS, _UPLOADS_A_CALLER, _UPLOADS_A_CALLER)
        self._downloads = Turns(_DOWNLOADS, _DOWNLOADS_A_CALLER, _DOWNLOADS_A_CALLER)
        self._beginnings = asyncio.Semaphore(_BEGINNINGS)
        self._hub = Hub(office, self._readers)
        self._server = grpc.aio.server(options=connections.options(settings.shares_port))
        self._health = HealthServicer()
        add_services_of_grpc(self._server, verifier, self._gate, self._health)
        self._server.add_generic_rpc_handlers(tuple(self._services()))
        self._open = False
        self.stopping = asyncio.Event()  # whoever sets it tells the front to end
        self.port = self._entrance.open(self._server, settings.listen)

    async def start(self) -> bool:
        """Start the writers, then take calls; whether it does, and was not told to end before."""
        writers = asyncio.ensure_future(self._forwarder.start())
        told = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((writers, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not writers.done():
            writers.cancel()
            return False
        await writers
        await self._entrance.start()
        await self._server.start()
        self._open = True
        _log.info("serving", port=self.port, pid=os.getpid())
        return True

    async def stop(self) -> None:
        """Drain: no new calls, those in flight finish, then the writers end. It takes less than the
        parent's patience (`workers.py`), so that nobody kills a front before it has ended them.
        """
        self._open = False
        # Clients that watch our health go elsewhere now, and lose nothing.
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(_TELL_SECONDS)
        # gRPC cancels what it took and no handler has seen: let those hear UNAVAILABLE instead.
        self._gate.close()
        self._hub.end()
        await asyncio.sleep(_TURN_AWAY_SECONDS)
        until = time.monotonic() + _DRAIN_SECONDS
        await self._server.stop(_DRAIN_SECONDS)
        await self._forwarder.close(until)
        await self._hub.close()
        await self._entrance.stop()
        self._readers.shutdown()
        self._office.close()
        self._office.database.close()

    def __iter__(self) -> Iterator[Figure]:
        """What the front and its writers tell of themselves, as it is just now."""
        yield from self._calls
        yield from self._forwarder
        yield from self._entrance
        in_use, idle = self._office.database.connections()
        yield "gongji_database_connections", {("in_use",): in_use, ("idle",): idle}

    def ails(self) -> str:
        """What is wrong; empty while the front serves."""
        if not self._forwarder.ready:
            return "there is no writer"
        return "" if self._open else "it takes no calls"

    def _tell(self, serving: bool) -> None:
        """Health follows the writers: without any nothing can be settled."""
        self._telling = asyncio.ensure_future(self._set_health(serving))

    async def _set_health(self, serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        for service in ("", *SERVICES):
            await self._health.set(service, answer.SERVING if serving else answer.NOT_SERVING)

    def _services(self) -> Iterator[grpc.GenericRpcHandler]:
        for service in SERVICES:
            handlers = {
                method.name: self._handler(method)
                for method in METHODS
                if method.path.startswith(f"/{service}/")
            }
            yield grpc.method_handlers_generic_handler(service, handlers)

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[bytes, bytes]:
        if method.client_streaming:
            receive = self._upload(method) if method.path in routes.UPLOADS else _refuse
            return grpc.stream_unary_rpc_method_handler(self._gate.client_stream(method, receive))
        if method.server_streaming:
            send = self._stream(method)
            return grpc.unary_stream_rpc_method_handler(self._gate.server_stream(method, send))
        return grpc.unary_unary_rpc_method_handler(self._gate.unary(method, self._unary(method)))

    def _unary(self, method: Method) -> Unary:
        if method.path in routes.COMMANDS or method.path in routes.BATCHES:

            async def forward(call: Call, body: bytes) -> Answer:
                if len(body) > _HEAVY_BYTES:
                    return await self._forward_heavy(method, call, body)
                return await self._forwarder.forward(
                    method, call.caller, body, call.deadline, call.trace
                )

            return forward
        if method.path in routes.READS:

            async def answer(call: Call, body: bytes) -> Answer:
                heavy = len(body) > _HEAVY_BYTES
                places = _READERS_A_CALLER if asks_much(method, body) else 1
                async with (
                    _turn(self._heavy_reads, call) if heavy else contextlib.nullcontext(),
                    _turn(self._reads, call, places),
                ):
                    return await self._in_thread(
                        lambda: routes.answer_read(self._office, method, call.caller, body)
                    )

            return answer
        return _refuse

    async def _forward_heavy(self, method: Method, call: Call, body: bytes) -> Answer:
        """Forward what keeps a writer long: one at a time, so that others come in between. The
        turn lasts until the writer has answered, also when the caller is gone.
        """
        who = call.caller.who
        async with within(call.deadline):
            await self._heavy.begin(who)
        forwarding = asyncio.ensure_future(
            self._forwarder.forward(method, call.caller, body, call.deadline, call.trace)
        )
        forwarding.add_done_callback(lambda _: self._heavy.end(who))
        return await asyncio.shield(forwarding)

    def _upload(self, method: Method) -> ClientStream:
        async def receive(call: Call, bodies: AsyncIterator[bytes]) -> Answer:
            async with _turn(self._uploads, call):
                async with within(call.deadline):
                    upload = routes.UPLOADS[method.path]
                    messages = await received(bodies, upload.most_bytes, upload.too_large)
                return await self._in_thread(
                    lambda: routes.answer_upload(self._office, method, call.caller, messages)
                )

        return receive

    def _stream(self, method: Method) -> ServerStream:
        if method.path in routes.DOWNLOADS:
            return self._download(method)
        return self._watch(method) if method.path in routes.WATCHES else _refuse

    def _watch(self, method: Method) -> ServerStream:
        async def send(call: Call, body: bytes, write: Write) -> None:
            begin = partial(routes.begin_watch, self._office, method, call.caller, body)
            async with within(call.deadline), self._beginnings:
                loop = asyncio.get_running_loop()
                watched = await loop.run_in_executor(self._readers, begin)
            await self._hub.send(watched, write)

        return send

    def _download(self, method: Method) -> ServerStream:
        async def send(call: Call, body: bytes, write: Write) -> None:
            pieces = routes.answer_download(self._office, method, call.caller, body)
            async with within(call.deadline), _turn(self._downloads, call):
                await _send(pieces, write, self._readers)

        return send

    async def _record(self, denial: Denial) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._readers, record, self._office, denial)

    async def _in_thread(self, answer: Callable[[], bytes]) -> Answer:
        """The answer that a thread makes. A thread can't be stopped: a call that is cancelled keeps
        its turn until the thread has ended.
        """
        making = asyncio.get_running_loop().run_in_executor(self._readers, answer)
        try:
            return Answer(0, _OK, await asyncio.shield(making))
        except asyncio.CancelledError:
            await asyncio.wait((making,))
            raise


async def _refuse(*_: object) -> NoReturn:
    raise NotBuilt


@contextlib.asynccontextmanager
async def _turn(turns: Turns, call: Call, weight: int = 1) -> AsyncIterator[None]:
    """The caller's turn; DeadlinePassed when it does not come in time."""
    who = call.caller.who
    async with within(call.deadline):
        await turns.begin(who, weight)
    try:
        yield
    finally:
        turns.end(who, weight)


async def _send(
    pieces: Generator[bytes, None, None], write: Write, threads: ThreadPoolExecutor
) -> None:
    """Write what a generator gives, a piece at a time: the next is made, by a thread, when the
    client has taken the one before. However it ends, the generator is closed.
    """
    step: Future[bytes | None] = threads.submit(next, pieces, None)
    try:
        while (piece := await asyncio.wrap_future(step)) is not None:
            await write(piece)
            step = threads.submit(next, pieces, None)
    finally:
        # A step that has begun can't be stopped: the generator is closed behind it.
        step.add_done_callback(lambda _: threads.submit(pieces.close))


async def _serve(settings: FrontSettings, number: int) -> None:
    database = Database(
        settings.writer.database_url,
        direct_url=settings.direct_url,
        prepare_threshold=settings.writer.prepare_threshold,
    )
    office = Office(
        database,
        regions.load(),
        Sealer(KeyRing.parse(settings.writer.keys, "the settings")),
        timedelta(seconds=settings.writer.clock_offset_seconds),
        previews=by_minute(settings.limits.previews),
    )
    front = Front(settings, office)
    looked_at = _looked_at(settings, number, front)
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, front.stopping.set)
    # The parent holds the other end of standard input: when it is gone, so is our reason to be.
    loop.add_reader(sys.stdin.fileno(), _hung_up, loop, front.stopping)
    if await front.start():
        gc.freeze()  # what is loaded now lives for ever: looking at it again would hold up calls
        # A parent that is gone hears nothing any more; its end of standard input is closed as well.
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), b"%d\n" % front.port)
        await front.stopping.wait()
    _log.info("told to end, draining", front=number)
    with looked_at, contextlib.suppress(asyncio.CancelledError):
        await front.stop()
    _log.info("drained, ending", front=number)


def _looked_at(
    settings: FrontSettings, number: int, front: Front
) -> contextlib.AbstractContextManager[object]:
    """The port for the front's figures, which ends with the block, where there is to be one."""
    if not settings.metrics:
        return contextlib.nullcontext()
    address = Address.parse(settings.metrics).plus(number)
    return Port(address, [front], front.ails, turning(asyncio.get_running_loop()))


def _hung_up(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    loop.remove_reader(sys.stdin.fileno())  # its end stays readable, and would be read for ever
    stopping.set()


def main(number: int) -> None:
    """Serve until told to stop; the settings are the first line of standard input."""
    logs.configure("front")
    sys.setswitchinterval(_SWITCH_SECONDS)
    line = sys.stdin.buffer.readline()
    if line:  # none: the parent was told to end before it had said anything
        uvloop.run(_serve(FrontSettings.load(line), number))


if __name__ == "__main__":
    main(int(sys.argv[1]))
