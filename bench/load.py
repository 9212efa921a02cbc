"""The load client: a process of its own that keeps so many calls in flight.

Rule: a closed loop over prepared messages; each answer sends the next call. Only the request id is
made at the time. A call that fails ends the run with its trailers: a benchmark of errors is none.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from bench import cpu, http2
from bench.cpu import Watched

_CONNECTIONS = 4
_REQUEST_ID = b"\x0a"  # field 1 of every mutation's request, a string


class CallFailed(Exception):
    """A call was refused; the message holds its trailers."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Calls of one kind: header blocks and message bodies, each with its block's number."""

    blocks: Sequence[bytes]
    bodies: Sequence[tuple[int, bytes]]
    with_request_ids: bool


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement to take."""

    kind: str
    in_flight: int
    warm_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a round gave; `answered` counts all calls, `calls` those in the measured time."""

    calls: int
    answered: int
    seconds: float
    latencies_ms: Mapping[str, float]
    cpu_seconds: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    def cpu_micros(self, *names: str) -> float:
        """Processor microseconds a call of these processes."""
        return sum(self.cpu_seconds[name] for name in names) / self.calls * 1e6


@dataclass(slots=True)
class _Calls:
    """Where the next call comes from; goes on from round to round."""

    prepared: Prepared
    name: str
    _bodies: Iterator[tuple[int, bytes]] = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._bodies = itertools.cycle(self.prepared.bodies)

    def next(self) -> tuple[bytes, bytes]:
        """Header block and message."""
        block, body = next(self._bodies)
        if self.prepared.with_request_ids:
            request_id = f"{self.name}-{next(self._numbers)}".encode()
            body = _REQUEST_ID + bytes((len(request_id),)) + request_id + body
        return self.prepared.blocks[block], body


@dataclass(slots=True)
class _Loop:
    """One round on its way."""

    calls: _Calls
    finished: asyncio.Event
    open: int = 0
    stopping: bool = False
    answered: int = 0
    latencies: list[float] = field(default_factory=list)
    failure: str = ""

    def answer(self, started: float, trailers: bytes) -> None:
        self.open -= 1
        self.answered += 1
        self.latencies.append(time.perf_counter() - started)
        if not http2.succeeded(trailers):
            self.fail(repr(trailers))
        if self.stopping and not self.open:
            self.finished.set()

    def fail(self, why: str) -> None:
        self.failure = self.failure or why
        self.finished.set()


class _Wire(asyncio.Protocol):
    """One HTTP/2 connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._started: dict[int, float] = {}
        self._next_stream = 1
        self._window = http2.START_WINDOW
        self._waiting = 0
        self._loop: _Loop | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # a socket's is one
        self._transport.write(http2.greeting())

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def begin(self, loop: _Loop, count: int) -> None:
        """Put so many calls in flight."""
        self._loop = loop
        for _ in range(count):
            self._call(loop)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for kind, flags, stream, payload in http2.frames(self._buffer):
            if kind == http2.HEADERS and flags & http2.END_STREAM:
                self._complete(stream, payload)
            elif kind in (http2.SETTINGS, http2.PING) and not flags & http2.ACK:
                answer = payload if kind == http2.PING else b""
                self._out.append(http2.frame(kind, http2.ACK, 0, answer))
            elif kind == http2.WINDOW_UPDATE and stream == 0:
                self._window += int.from_bytes(payload, "big")
                self._send_waiting()
            elif kind in (http2.RST_STREAM, http2.GOAWAY) and self._loop is not None:
                self._loop.fail(f"frame {kind}: {payload!r}")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._loop is not None and self._started:
            self._loop.fail(f"the server hung up: {exc}")

    def _complete(self, stream: int, trailers: bytes) -> None:
        loop = self._loop
        assert loop is not None  # noqa: S101 - no answer without a call
        loop.answer(self._started.pop(stream), trailers)
        if not loop.stopping:
            self._call(loop)

    def _call(self, loop: _Loop) -> None:
        """Send the next call, or let it wait for the server's window."""
        if self._window < http2.START_WINDOW // 4:
            self._waiting += 1
            return
        block, body = loop.calls.next()
        stream = self._next_stream
        self._next_stream += 2
        self._window -= len(body) + 5
        loop.open += 1
        self._started[stream] = time.perf_counter()
        self._out.append(http2.call(stream, block, body))

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, 0
        if self._loop is not None and not self._loop.stopping:
            for _ in range(waiting):
                self._call(self._loop)

    def _flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()


async def _measure(port: int, asked: Round, calls: _Calls, watched: Watched) -> Measured:
    loop = _Loop(calls, asyncio.Event())
    wires = []
    for _ in range(_CONNECTIONS):
        _, wire = await asyncio.get_running_loop().create_connection(_Wire, "127.0.0.1", port)
        wires.append(wire)
    for wire in wires:
        wire.begin(loop, asked.in_flight // _CONNECTIONS)
    await _pass(loop, asked.warm_seconds)
    loop.latencies.clear()
    before, began = cpu.seconds(watched), time.perf_counter()
    await _pass(loop, asked.seconds)
    latencies, lasted = sorted(loop.latencies), time.perf_counter() - began
    spent = cpu.used(before, cpu.seconds(watched))
    loop.stopping = True
    await asyncio.wait_for(loop.finished.wait(), 30)
    if loop.failure:
        raise CallFailed(loop.failure)
    for wire in wires:
        wire.close()
    return Measured(len(latencies), loop.answered, lasted, _percentiles(latencies), spent)


async def _pass(loop: _Loop, seconds: float) -> None:
    """Let time pass, unless a call fails."""
    try:
        await asyncio.wait_for(loop.finished.wait(), seconds)
    except TimeoutError:
        return
    raise CallFailed(loop.failure)


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {
        f"p{percent}": latencies[min(len(latencies) - 1, len(latencies) * percent // 100)] * 1e3
        for percent in (50, 99)
    }


def serve(orders: Connection, port: int, watched: Watched) -> None:
    """The client process: first what to call by kind, then a round an order, until None."""
    prepared: Mapping[str, Prepared] = orders.recv()
    calls = {kind: _Calls(one, kind) for kind, one in prepared.items()}
    gc.freeze()
    gc.disable()
    while (asked := orders.recv()) is not None:
        measured = uvloop.run(_measure(port, asked, calls[asked.kind], watched))
        orders.send(measured)
