"""The writer process: request bytes in, answer bytes out, over a socket pair; runs the engine.

Rules: one thread reads requests into commands while the other waits for the database, so the next
batch gathers by itself; no timer. The commands of one call stay together where a batch has room for
them, and the call is answered when the last is decided. When the front is gone the writer finishes
what it has and ends. Signals are the front's business.
"""

import contextlib
import gc
import queue
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gongji_svc import logs, regions
from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Command, Engine, Fault, Outcome
from gongji_svc.hinting import Hints
from gongji_svc.pipe import READY, Answer, Request, RequestReader, Settings
from gongji_svc.services import routes
from gongji_svc.services.batching import Item
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.services.office import Office
from gongji_svc.services.status import internal, status_of, told
from gongji_svc.signals import spans_to
from gongji_svc.signals.batches import Batches
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
_BATCHES = [routes.BATCHES.get(method.path) for method in METHODS]
_OPEN = Fault(RuntimeError("a command was left undecided"))


@dataclass(slots=True)
class _Call:
    """A request, what its commands came to so far, and how many of them are open."""

    request: Request
    outcomes: list[Outcome]
    open: int = 0

    def conclude(self, place: int, outcome: Outcome) -> bool:
        """Note what became of one command; whether it was the last."""
        self.outcomes[place] = outcome
        self.open -= 1
        return not self.open


@dataclass(frozen=True, slots=True)
class _Job:
    call: _Call
    place: int
    command: Command


class Writer:
    """Answers one front until it hangs up."""

    def __init__(
        self, front: socket.socket, office: Office, batches: Batches | None = None
    ) -> None:
        self._front = front
        self._office = office
        self._batches = batches or Batches()
        self._engine = Engine(office.database, office.clock_offset, note=self._batches.note)
        self._hints = Hints(office.database)
        self._calls: queue.SimpleQueue[Sequence[_Job] | None] = queue.SimpleQueue()
        self._next: Sequence[_Job] = ()  # of the call that had no room in the last batch
        self._sending = threading.Lock()

    def work(self) -> None:
        """Batch after batch, until the front is gone and everything it sent is done."""
        threading.Thread(target=self._read, name="read", daemon=True).start()
        while batch := self._next_batch():
            outcomes = self._engine.run([job.command for job in batch])
            self._send(
                self._told(batch)
                + b"".join(
                    _frame(job.call)
                    for job, outcome in zip(batch, outcomes, strict=True)
                    if job.call.conclude(job.place, outcome)
                )
            )
            if any(isinstance(outcome, Answered) and not outcome.replayed for outcome in outcomes):
                self._hints.want()
        self._engine.close()

    def _told(self, batch: Sequence[_Job]) -> bytes:
        """The batch in figures, for the front."""
        requests = {job.call.request.call: job.call.request for job in batch}.values()
        figures = self._batches.tell([(one.trace, one.came_ns) for one in requests])
        return b"".join(Answer(READY, _OK, body).dump() for body in figures)

    def _next_batch(self) -> Sequence[_Job]:
        """Wait for a call, then take all that have come and find room; empty at the end."""
        jobs = self._next or self._calls.get()
        self._next = ()
        batch: list[_Job] = []
        while jobs is not None and len(batch) + len(jobs) <= _MAX_BATCH:
            batch += jobs
            if self._calls.empty():
                return batch
            jobs = self._calls.get()
        if jobs is None:
            self._calls.put(None)  # the next one to wait must see the end too
        elif batch:
            self._next = jobs
        else:
            batch, self._next = list(jobs[:_MAX_BATCH]), jobs[_MAX_BATCH:]
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
            items = _items(self._office, method, request)
        except Refusal as refusal:
            self._send(_refused(request, refusal))
        except Exception as cause:  # noqa: BLE001 - whatever it is, the next call must be served
            _log.error("a request could not be read", method=method.path, exc_info=cause)
            self._send(_broken(request))
        else:
            self._put(request, items)

    def _put(self, request: Request, items: Sequence[Item]) -> None:
        """Let the commands of a call wait for their batch; without any it is answered at once."""
        call = _Call(request, [item if isinstance(item, Refusal) else _OPEN for item in items])
        jobs = [
            _Job(call, place, item)
            for place, item in enumerate(items)
            if not isinstance(item, Refusal)
        ]
        call.open = len(jobs)
        if jobs:
            self._calls.put(jobs)
        else:
            self._send(_frame(call))

    def _send(self, frames: bytes) -> None:
        """The front may be gone: what is durable stays so, and a repeat finds it."""
        with self._sending:
            try:
                self._front.sendall(frames)
            except OSError:
                _log.warning("the front is gone, answers are dropped")


def _items(office: Office, method: Method, request: Request) -> Sequence[Item]:
    read = (office, method, request.caller, request.body, request.deadline)
    if method.path in routes.BATCHES:
        return routes.read_batch(*read)
    return (routes.read_command(*read),)


def _frame(call: _Call) -> bytes:
    request, batch = call.request, _BATCHES[call.request.method]
    if batch is not None:
        return Answer(request.call, _OK, batch.answer(call.outcomes).SerializeToString()).dump()
    (outcome,) = call.outcomes
    if isinstance(outcome, Answered):
        body = outcome.answer + _REPLAYED[request.method] if outcome.replayed else outcome.answer
        return Answer(request.call, _OK, body).dump()
    if isinstance(outcome, Refusal):
        return _refused(request, outcome)
    return _broken(request)


def _refused(request: Request, refusal: Refusal) -> bytes:
    return told(status_of(refusal), request.call).dump()


def _broken(request: Request) -> bytes:
    return told(internal(), request.call).dump()


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
        with contextlib.suppress(ConnectionError):  # a front that is gone has nothing to ask either
            front.sendall(Answer(READY, _OK, b"").dump())
        Writer(front, office, Batches(spans_to(settings.traces, "writer"))).work()
        office.database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
