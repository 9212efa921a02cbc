"""The writer process: request bytes in, answer bytes out, over a socket pair; runs the engine.

Rules: one thread reads requests into commands while the other waits for the database, so the next
batch gathers by itself; no timer. When the front is gone the writer finishes what it has and ends.
Signals are the front's business.
"""

import gc
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from grpc import StatusCode

from gongji_svc import logs, regions
from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Command, Engine, Outcome
from gongji_svc.pipe import READY, Answer, Request, RequestReader, Settings
from gongji_svc.services import routes
from gongji_svc.services.contract import METHODS
from gongji_svc.services.office import Office
from gongji_svc.services.status import code_of, internal, status_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer

_log = structlog.get_logger()

_MAX_BATCH = 256
_CHUNK_BYTES = 1 << 18
_OK = 0
# A batch makes tens of thousands of objects and keeps none: collecting after 700 only costs.
_COLLECT_AFTER = (50_000, 20, 50)
_REPLAYED = [
    method.replayed_suffix if method.path in routes.COMMANDS else b"" for method in METHODS
]


@dataclass(frozen=True, slots=True)
class _Call:
    request: Request
    command: Command


class Writer:
    """Answers one front until it hangs up."""

    def __init__(self, front: socket.socket, office: Office) -> None:
        self._front = front
        self._office = office
        self._engine = Engine(office.database, office.clock_offset)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._sending = threading.Lock()

    def work(self) -> None:
        """Batch after batch, until the front is gone and everything it sent is done."""
        threading.Thread(target=self._read, name="read", daemon=True).start()
        while (batch := self._next_batch()) is not None:
            started = time.perf_counter()
            outcomes = self._engine.run([call.command for call in batch])
            self._send(
                b"".join(
                    _frame(call.request, outcome)
                    for call, outcome in zip(batch, outcomes, strict=True)
                )
            )
            _log.debug("batch", size=len(batch), seconds=time.perf_counter() - started)
        self._engine.close()

    def _next_batch(self) -> Sequence[_Call] | None:
        """Wait for a call, then take all that have come; None at the end."""
        first = self._calls.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < _MAX_BATCH and not self._calls.empty():
            call = self._calls.get()
            if call is None:
                self._calls.put(None)
                break
            batch.append(call)
        return batch

    def _read(self) -> None:
        reader = RequestReader()
        while data := self._receive():
            for request in reader.feed(data):
                self._take(request)
        self._calls.put(None)

    def _receive(self) -> bytes:
        try:
            return self._front.recv(_CHUNK_BYTES)
        except OSError:
            return b""

    def _take(self, request: Request) -> None:
        method = METHODS[request.method]
        try:
            command = routes.read_command(
                self._office, method, request.caller, request.body, request.deadline
            )
        except Refusal as refusal:
            self._send(_frame(request, refusal))
        except Exception as cause:  # noqa: BLE001 - whatever it is, the next call must be served
            _log.error("a request could not be read", method=method.path, exc_info=cause)
            self._send(_broken(request))
        else:
            self._calls.put(_Call(request, command))

    def _send(self, frames: bytes) -> None:
        """The front may be gone: what is durable stays so, and a repeat finds it."""
        with self._sending:
            try:
                self._front.sendall(frames)
            except OSError:
                _log.warning("the front is gone, answers are dropped")


def _frame(request: Request, outcome: Outcome) -> bytes:
    if isinstance(outcome, Answered):
        body = outcome.answer + _REPLAYED[request.method] if outcome.replayed else outcome.answer
        return Answer(request.call, _OK, body).dump()
    if isinstance(outcome, Refusal):
        code = int(code_of(outcome).value[0])
        return Answer(request.call, code, status_of(outcome).SerializeToString()).dump()
    return _broken(request)


def _broken(request: Request) -> bytes:
    code = int(StatusCode.INTERNAL.value[0])
    return Answer(request.call, code, internal().SerializeToString()).dump()


def _settings(front: socket.socket) -> Settings:
    size = int.from_bytes(_exactly(front, 4), "big")
    return Settings.load(_exactly(front, size))


def _exactly(front: socket.socket, size: int) -> bytes:
    data = front.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        raise EOFError("the front hung up before it sent its settings")
    return data


def main(descriptor: int) -> None:
    """Serve the front at the other end of an inherited socket."""
    logs.configure("writer")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as front:
        settings = _settings(front)
        database = Database(settings.database_url, prepare_threshold=settings.prepare_threshold)
        office = Office(
            database,
            regions.load(),
            Sealer(KeyRing.parse(settings.keys, "the front's settings")),
            timedelta(seconds=settings.clock_offset_seconds),
        )
        gc.freeze()  # what is loaded now lives for ever: the collector need not look at it again
        gc.set_threshold(*_COLLECT_AFTER)
        front.sendall(Answer(READY, _OK, b"").dump())
        Writer(front, office).work()
        office.database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
