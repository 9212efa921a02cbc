"""The front's hold on one writer process: starts it, passes it requests, hears its answers.

Rules: when the writer dies, the calls it had answer UNAVAILABLE (a repeat of the same request_id
finds out what became of them), and another is started. What the writer has completes, although
whoever asked may be gone.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from gongji_svc.domain.errors import QueueFull, ServiceUnavailable
from gongji_svc.pipe import READY, Answer, AnswerReader, Request, Settings
from gongji_svc.services.status import status_of, told

_log = structlog.get_logger()

_RETRY_AFTER_SECONDS = 0.5
_PAUSE_BEFORE_RESTART_SECONDS = 0.2
_PAUSE_AFTER_FAULT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that the writer has."""

    weight: int
    answer: asyncio.Future[Answer]
    ended: Callable[[], None]


class WriterProcess(asyncio.Protocol):
    """One writer, and another one when it dies."""

    def __init__(
        self, settings: Settings, changed: Callable[[], None], tell: Callable[[bytes], None]
    ) -> None:
        """`changed` is called when the writer begins or ceases to serve, `tell` with each batch in
        figures.
        """
        self._settings = settings
        self._changed = changed
        self._tell = tell
        self._ready = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._answers = AnswerReader()
        self._asked: dict[int, _Asked] = {}
        self._closing = False
        self.load = 0  # what the calls weigh that it has and has not answered

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self._ready.is_set()

    @property
    def waiting(self) -> int:
        """How many calls it has and has not answered."""
        return len(self._asked)

    async def start(self) -> None:
        """Start the writer, connect to it, and wait until it is ready."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module and interpreter
                [sys.executable, "-m", "gongji_svc.writer", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.sendall(self._settings.dump())
        self._answers = AnswerReader()
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
        await self._ready.wait()

    def ask(
        self, request: Request, weight: int, ended: Callable[[], None]
    ) -> asyncio.Future[Answer]:
        """The writer's answer to come; `ended` is called when it has come, or never will."""
        assert self._transport is not None  # noqa: S101 - it is ready
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[request.call] = _Asked(weight, answer, ended)
        self.load += weight
        self._transport.write(request.dump())
        return answer

    async def close(self, grace_seconds: float) -> None:
        """Hang up; the writer finishes what it has and ends, or is killed after the grace."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            await asyncio.to_thread(_end, self._process, grace_seconds)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe to the writer is open."""
        self._transport = cast(asyncio.WriteTransport, transport)  # a socket's is one

    def data_received(self, data: bytes) -> None:
        """Answers have come."""
        for answer in self._answers.feed(data):
            if answer.call != READY:
                self._conclude(answer.call, answer)
            elif answer.body:
                self._tell(answer.body)
            else:
                self._ready.set()
                self._changed()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """The writer is gone: tell whoever waits, and start another."""
        self._transport = None
        self._ready.clear()
        self._changed()
        for call in list(self._asked):
            self._conclude(call, ask_again(ServiceUnavailable))
        if not self._closing:
            self._restart = asyncio.ensure_future(self._start_again())

    def _conclude(self, call: int, answer: Answer) -> None:
        asked = self._asked.pop(call)
        self.load -= asked.weight
        asked.ended()
        if not asked.answer.done():
            asked.answer.set_result(answer)

    async def _start_again(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, 10)
            _log.error("the writer is gone, starting another", **_ending(self._process))
        await asyncio.sleep(_PAUSE_BEFORE_RESTART_SECONDS)
        while not self._closing:
            try:
                await self.start()
                return
            except OSError as fault:  # want of memory, say, which ended the one before
                _log.error("no writer can be started, trying again", error=repr(fault))
                await asyncio.sleep(_PAUSE_AFTER_FAULT_SECONDS)


def ask_again(why: type[QueueFull | ServiceUnavailable]) -> Answer:
    """The answer while no writer serves, or none has room."""
    return told(status_of(why(retry_after_seconds=_RETRY_AFTER_SECONDS)))


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
