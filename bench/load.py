"""The load client: a process of its own, which calls in a closed or in an open loop.

Rule: messages are prepared; only the request ids are made at the time. In a closed loop each answer
sends the next call. In an open one calls are due at random moments, whatever has become of those
before, and are timed from when they were due: waiting is not left out. A call that fails ends the
run with its trailers, for a benchmark of errors is none; where calls may be dropped they are
counted.
"""

import asyncio
import gc
import itertools
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import uvloop

from bench import cpu, http2
from bench.cpu import Watched
from bench.wire import Wire

REQUEST_ID = b"@" * 20
"""What a prepared message holds where its request id goes; a number may follow."""

_LEFT_SECONDS = 30.0


class CallFailed(Exception):
    """A call was refused; the message holds its trailers."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Calls of one kind: header blocks, and message bodies each with its block's number; `holds` of
    what is measured are in each.
    """

    blocks: Sequence[bytes]
    bodies: Sequence[tuple[int, bytes]]
    holds: int = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement to take, of the client's own server unless others are named."""

    kind: str
    in_flight: int
    warm_seconds: float
    seconds: float
    connections: int = 4
    may_be_refused: bool = False  # then a refusal is counted, and the next call sent
    rate: float = 0.0  # calls a second of an open loop; 0: a closed one
    ports: Sequence[int] = ()
    watched: Watched | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a round gave; `answered` counts all calls, `calls` those in the measured time, `refused`
    what was refused or not answered in it.
    """

    calls: int
    answered: int
    seconds: float
    latencies_ms: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    refused: int = 0

    @property
    def refused_per_second(self) -> float:
        """Refusals a second."""
        return self.refused / self.seconds

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    def cpu_micros(self, *names: str) -> float:
        """Processor microseconds a call of these processes."""
        return sum(self.cpu_seconds[name] for name in names) / self.calls * 1e6


@dataclass(slots=True)
class Calls:
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
        request_id = f"{self.name:.8}-{next(self._numbers)}".ljust(len(REQUEST_ID), "-").encode()
        return self.prepared.blocks[block], body.replace(REQUEST_ID, request_id)


@dataclass(slots=True)
class _Loop:
    """One round on its way."""

    calls: Calls
    finished: asyncio.Event
    closed: bool
    may_be_refused: bool
    open: int = 0
    stopping: bool = False
    answered: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    measured_from: float = 0.0
    failure: str = ""

    def call(self, wire: Wire, due: float) -> None:
        self.open += 1
        wire.call(*self.calls.next(), due)

    def answer(self, wire: Wire, due: float, trailers: bytes) -> None:
        self.open -= 1
        now = time.perf_counter()
        if http2.succeeded(trailers):
            self.answered += 1
            if due >= self.measured_from:
                self.latencies.append(now - due)
        elif self.may_be_refused:
            self.refused += due >= self.measured_from
        else:
            self.fail(repr(trailers))
        if not self.stopping and self.closed:
            self.call(wire, now)
        if self.stopping and not self.open:
            self.finished.set()

    def fail(self, why: str) -> None:
        self.failure = self.failure or why
        self.finished.set()


async def _measure(port: int, asked: Round, calls: Calls, watched: Watched) -> Measured:
    closed = not asked.rate
    loop = _Loop(calls, asyncio.Event(), closed, asked.may_be_refused or not closed)
    wires = await _connect(loop, asked.ports or (port,), asked.connections)
    taken = await (_closed if closed else _open)(loop, asked, wires, asked.watched or watched)
    if loop.failure:
        raise CallFailed(loop.failure)
    for wire in wires:
        wire.close()
    return taken


async def _connect(loop: _Loop, ports: Sequence[int], count: int) -> Sequence[Wire]:
    wires = []
    for _, port in zip(range(count), itertools.cycle(ports), strict=False):
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(loop.answer, loop.fail), "127.0.0.1", port
        )
        wires.append(wire)
    return wires


async def _closed(loop: _Loop, asked: Round, wires: Sequence[Wire], watched: Watched) -> Measured:
    for wire in wires:
        for _ in range(asked.in_flight // len(wires)):
            loop.call(wire, time.perf_counter())
        wire.flush()
    await _pass(loop, asked.warm_seconds)
    loop.latencies.clear()
    loop.refused = 0
    before, began = cpu.seconds(watched), time.perf_counter()
    await _pass(loop, asked.seconds)
    latencies, lasted = sorted(loop.latencies), time.perf_counter() - began
    refused = loop.refused
    spent = cpu.used(before, cpu.seconds(watched))
    loop.stopping = True
    await asyncio.wait_for(loop.finished.wait(), _LEFT_SECONDS)
    return _measured(loop, latencies, refused, lasted, spent)


async def _open(loop: _Loop, asked: Round, wires: Sequence[Wire], watched: Watched) -> Measured:
    """Calls of a Poisson process; one that is refused counts as never answered."""
    chance = random.Random(asked.kind)  # noqa: S311 - arrivals guard nothing
    due = time.perf_counter()
    loop.measured_from = due + asked.warm_seconds
    end = loop.measured_from + asked.seconds
    before: Mapping[str, float] = {}
    for wire in itertools.cycle(wires):
        due += chance.expovariate(asked.rate)
        if due >= end or loop.failure:
            break
        if due >= loop.measured_from and not before:
            before = cpu.seconds(watched)
        await asyncio.sleep(due - time.perf_counter())
        loop.call(wire, due)
        wire.flush()
    spent = cpu.used(before or cpu.seconds(watched), cpu.seconds(watched))
    loop.stopping = True
    if loop.open:
        try:
            await asyncio.wait_for(loop.finished.wait(), _LEFT_SECONDS)
        except TimeoutError:
            loop.refused += loop.open
    latencies = [*sorted(loop.latencies), *[math.inf] * loop.refused]
    return _measured(loop, latencies, loop.refused, asked.seconds, spent)


def _measured(
    loop: _Loop,
    latencies: Sequence[float],
    refused: int,
    seconds: float,
    spent: Mapping[str, float],
) -> Measured:
    holds = loop.calls.prepared.holds
    calls = len(latencies) - (0 if loop.closed else refused)
    answered = loop.answered * holds
    shown = percentiles(latencies) if latencies else {}
    return Measured(calls * holds, answered, seconds, shown, spent, refused)


async def _pass(loop: _Loop, seconds: float) -> None:
    """Let time pass, unless a call fails."""
    try:
        await asyncio.wait_for(loop.finished.wait(), seconds)
    except TimeoutError:
        return
    raise CallFailed(loop.failure)


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """Milliseconds, by name, of sorted seconds."""
    return {
        f"p{percent}": latencies[min(len(latencies) - 1, len(latencies) * percent // 100)] * 1e3
        for percent in (50, 99)
    }


def serve(orders: Connection, port: int, watched: Watched) -> None:
    """The client process: first what to call by kind, then a round an order, until None."""
    prepared: Mapping[str, Prepared] = orders.recv()
    calls = {kind: Calls(one, kind) for kind, one in prepared.items()}
    gc.freeze()
    gc.disable()
    while (asked := orders.recv()) is not None:
        measured = uvloop.run(_measure(port, asked, calls[asked.kind], watched))
        orders.send(measured)
