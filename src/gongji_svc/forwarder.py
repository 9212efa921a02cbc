"""The front's side of the pipe: passes request bytes to its writer and answers back.

Rules: the front neither parses nor builds the money path's messages. When the writer dies, the
calls it had answer UNAVAILABLE (a repeat of the same request_id finds out what became of them), a
new writer is started, and until it is ready the front says that it does not serve. Callers take
turns at the writer; a turn lasts until the writer has answered, whatever becomes of the caller.
More calls than `max_waiting` are refused at once.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import cast

import structlog

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import QueueFull, ServiceUnavailable
from gongji_svc.pipe import READY, Answer, AnswerReader, Request, Settings
from gongji_svc.services.contract import Method
from gongji_svc.services.status import code_of, status_of
from gongji_svc.services.turns import Turns
from gongji_svc.services.weights import weight
from gongji_svc.signals.batches import HeardBatches
from gongji_svc.signals.catalogue import Figure

_log = structlog.get_logger()

_RETRY_AFTER_SECONDS = 0.5
_PAUSE_BEFORE_RESTART_SECONDS = 0.2
_LAST_CALL = (1 << 32) - 1
# Two batches: one is written while the next gathers.
_AT_THE_WRITER = 512
_LEAST_AT_THE_WRITER = 2
_CROWD_AT_THE_WRITER = 48  # more tills than one institution has in use at a time


@dataclass(slots=True)
class _Process:
    """A running writer and our end of its socket pair."""

    process: subprocess.Popen[bytes]
    socket: socket.socket


def _start(settings: Settings) -> _Process:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            [sys.executable, "-m", "gongji_svc.writer", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    ours.sendall(settings.dump())
    return _Process(process, ours)


class Forwarder(asyncio.Protocol):
    """Forwards calls to one writer process, and keeps one running."""

    def __init__(self, settings: Settings, max_waiting: int, tell: Callable[[bool], None]) -> None:
        """`tell` hears whether the writer serves, each time that changes."""
        self._settings = settings
        self._tell = tell
        self._batches = HeardBatches()
        self._ready = asyncio.Event()
        self._max_waiting = max_waiting
        self._writer: _Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._answers = AnswerReader()
        self._waiting: dict[int, tuple[Hashable, int, asyncio.Future[Answer]]] = {}
        self._turns = Turns(
            _AT_THE_WRITER, _LEAST_AT_THE_WRITER, _AT_THE_WRITER, crowd=_CROWD_AT_THE_WRITER
        )
        self._next_call = 0
        self._closing = False

    @property
    def ready(self) -> bool:
        """Whether there is a writer that serves."""
        return self._ready.is_set()

    @property
    def waiting(self) -> int:
        """How many calls wait for an answer."""
        return len(self._waiting) + self._turns.waiting

    async def start(self) -> None:
        """Start the writer, connect to it, and wait until it is ready."""
        self._writer = _start(self._settings)
        self._answers = AnswerReader()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=self._writer.socket)
        await self._ready.wait()

    async def forward(
        self, method: Method, caller: Caller, body: bytes, deadline: float, trace: bytes
    ) -> Answer:
        """The writer's answer; a refusal of our own when it has too much to do or is gone."""
        weighs = weight(method, body)
        if not self._ready.is_set():
            return _refused(ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS))
        if self.waiting >= self._max_waiting:
            return _refused(QueueFull(retry_after_seconds=_RETRY_AFTER_SECONDS))
        await self._turns.begin(caller.who, weighs)
        if self._transport is None or not self._ready.is_set():
            self._turns.end(caller.who, weighs)
            return _refused(ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS))
        call = self._next_call = self._next_call % _LAST_CALL + 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[call] = caller.who, weighs, answer
        self._transport.write(Request(call, method.number, deadline, caller, body, trace).dump())
        # Once the writer has it, it completes although the caller may be gone.
        return await answer

    def __iter__(self) -> Iterator[Figure]:
        """The writer's figures as they are just now."""
        yield from self._batches
        yield "gongji_queued_calls", {(): self.waiting}
        yield "gongji_writer_ready", {(): self.ready}

    async def close(self, drain_seconds: float) -> None:
        """Let the writer finish what it has, then end it."""
        self._closing = True
        until = time.monotonic() + drain_seconds
        while self.waiting and time.monotonic() < until:
            await asyncio.sleep(0.02)
        if self._transport is not None:
            self._transport.close()
        if self._writer is not None:
            await asyncio.to_thread(_end, self._writer.process, drain_seconds)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe to the writer is open."""
        self._transport = cast(asyncio.WriteTransport, transport)  # a socket's is one

    def data_received(self, data: bytes) -> None:
        """Answers have come."""
        for answer in self._answers.feed(data):
            if answer.call == READY and answer.body:
                self._batches.hear(answer.body)
                continue
            if answer.call == READY:
                self._ready.set()
                self._tell(True)
                continue
            who, weighs, waiting = self._waiting.pop(answer.call)
            self._turns.end(who, weighs)
            if not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """The writer is gone: tell whoever waits, and start another."""
        self._transport = None
        self._ready.clear()
        self._tell(False)
        for who, weighs, waiting in self._waiting.values():
            self._turns.end(who, weighs)
            if not waiting.done():
                refusal = ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
                waiting.set_result(_refused(refusal))
        self._waiting.clear()
        if not self._closing:
            self._restart = asyncio.ensure_future(self._start_again())

    async def _start_again(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._writer.process.wait, 10)
            _log.error("the writer is gone, starting another", **_ending(self._writer.process))
        await asyncio.sleep(_PAUSE_BEFORE_RESTART_SECONDS)
        if not self._closing:
            await self.start()


def _ending(process: subprocess.Popen[bytes]) -> dict[str, object]:
    """How a process ended: by a signal or with an exit status; None: it still runs."""
    status = process.returncode
    if status is not None and status < 0:
        return {"signal": -status, "says": signal.strsignal(-status)}
    return {"exit_status": status}


def _end(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _refused(refusal: ServiceUnavailable | QueueFull) -> Answer:
    return Answer(0, int(code_of(refusal).value[0]), status_of(refusal).SerializeToString())
