"""`make bench-flood`: what a flood by one till does to another's purchases.

Rule: as `make bench`: from an empty folder, which is removed; one worker, the embedded PostgreSQL
and both clients share one machine. The quiet till buys on a schedule, whatever has become of the
purchase before, so that waiting is not left out; the flooding one sends the next call as soon as
one is answered or refused. Each round takes the quiet till alone, then beside the flood.
"""

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop

from bench import http2, load
from bench.calls import settle_once, settlements
from bench.ground import PAGE, Ground, command, ground, settle_down
from bench.load import Measured, Prepared, Round, percentiles
from bench.population import Maker, Patient, refill
from bench.report import machine, replace_part, shown, table
from bench.rounds import Spread, spread
from gongji_svc.domain.limits import Limits
from gongji_svc.storage.database import Database, server_version

_QUIET, _FLOOD = "quiet", "flood"
_REGIONS = 1  # so that everybody may buy at both tills
_AHEAD_SECONDS = 1.0  # the flood is on before the quiet till is looked at, and after
_WARM_PART = 10  # of the calls are not looked at
_LEFT_SECONDS = 30.0

_PART = """\
# A flood by one till

Written by this command, from an empty folder; do not edit:

    {command}

A till buys {rate:g} times a second, as in the first part, on a schedule: a purchase that has to
wait is timed from when it was due. Each of {rounds} rounds takes it for {seconds:g} s alone and for
{seconds:g} s beside another till that floods: {in_flight} purchases in flight on {connections}
connections, the next one sent as soon as one is answered or refused. Limits are those of
[settings.md](settings.md) by default. The ratio is taken within its round; the tables give the
median of the rounds and, in brackets, the least and the most. No purchase of the quiet till was
refused.

| what | aim | |
| --- | --- | --- |
| p99 of the quiet till beside the flood, over that alone | at most 2 | **{ratio}** |

{latencies}

The flood was served {flood} purchases a second, and refused {refused} a second.

Both tills' clients run on the same machine: what they take of its processors, the service lacks.

{machine}
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """One round: the quiet till's latencies alone and beside the flood, and what the flood got."""

    alone: Mapping[str, float]
    beside: Mapping[str, float]
    flood: Measured

    @property
    def ratio(self) -> float:
        """How much the flood raises the quiet till's p99."""
        return self.beside["p99"] / self.alone["p99"]


def main() -> int:
    """Measure and write the part."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rate", type=float, default=50.0, help="purchases a second, quiet till")
    parser.add_argument("--in-flight", type=int, default=256, help="of the flood")
    parser.add_argument("--connections", type=int, default=64, help="of the flood")
    parser.add_argument("--persons", type=int, default=60_000)
    parser.add_argument("--output", type=Path, default=PAGE)
    args = parser.parse_args()
    with ground() as place:
        pairs = _run(args, place)
        with place.database.reader() as tx:
            version = server_version(tx)
    replace_part(args.output, _part(args, pairs, version))
    print(f"written: {args.output}")
    return 0


def _run(args: argparse.Namespace, place: Ground) -> Sequence[Pair]:
    maker = Maker(place.database, place.sealer)
    maker.prices()
    patients = maker.population(_REGIONS, args.persons)
    settle_down(place.server)
    with place.workers(limits=Limits()) as serving:
        port = serving.ports[0]
        settle_once(port, patients[0], place.token_key)
        quiet, flood = (settlements(some, place.token_key) for some in _tills(patients))
        with (
            _client(_buy, port, quiet) as buying,
            _client(load.serve, port, serving.watched) as flooding,
        ):
            flooding.send({_FLOOD: flood})
            return [
                _pair(args, number, place.database, buying, flooding)
                for number in range(args.rounds)
            ]


def _tills(patients: Sequence[Patient]) -> tuple[Sequence[Patient], Sequence[Patient]]:
    """Those who buy at the quiet till, and those at the other, in one region; nobody at both."""
    codes = {patient.institution_code for patient in patients}
    quiet, flooding = sorted(codes)[:2]
    tenth = len(patients) // 10
    return (
        [replace(patient, institution_code=quiet) for patient in patients[:tenth]],
        [replace(patient, institution_code=flooding) for patient in patients[tenth:]],
    )


@contextmanager
def _client(serve: object, port: int, given: object) -> Iterator[Connection]:
    """A client in a process of its own; yields the way to it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    client = spawn.Process(target=serve, args=(theirs, port, given))  # type: ignore[arg-type]  # a function
    client.start()
    theirs.close()
    try:
        yield ours
        ours.send(None)
    finally:
        client.join(10)
        client.kill()


def _pair(
    args: argparse.Namespace,
    number: int,
    database: Database,
    buying: Connection,
    flooding: Connection,
) -> Pair:
    refill(database)
    buying.send((args.rate, args.seconds))
    alone: Mapping[str, float] = buying.recv()
    refill(database)
    lasting = args.seconds + 2 * _AHEAD_SECONDS
    flooding.send(
        Round(_FLOOD, args.in_flight, 0.0, lasting, args.connections, may_be_refused=True)
    )
    time.sleep(_AHEAD_SECONDS)
    buying.send((args.rate, args.seconds))
    beside: Mapping[str, float] = buying.recv()
    pair = Pair(alone, beside, flooding.recv())
    print(
        f"{number + 1}: p99 {alone['p99']:.1f} ms alone, {beside['p99']:.1f} ms beside "
        f"{pair.flood.per_second:.0f} purchases and {pair.flood.refused_per_second:.0f} refusals a "
        f"second: {pair.ratio:.2f}",
        flush=True,
    )
    return pair


class _Till(asyncio.Protocol):
    """The quiet till: one HTTP/2 connection, on which each call's answer is waited for."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._streams = itertools.count(1, 2)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # a socket's is one
        self._transport.write(http2.greeting())

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def buy(self, block: bytes, body: bytes) -> asyncio.Future[float]:
        """One call; when it was answered."""
        stream = next(self._streams)
        answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = answered
        self._transport.write(http2.call(stream, block, body))
        return answered

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._buffer += data
        for kind, flags, stream, payload in http2.frames(self._buffer):
            if kind == http2.HEADERS and flags & http2.END_STREAM:
                answered = self._waiting.pop(stream)
                if http2.succeeded(payload):
                    answered.set_result(now)
                else:
                    answered.set_exception(load.CallFailed(repr(payload)))
            elif kind in (http2.SETTINGS, http2.PING) and not flags & http2.ACK:
                answer = payload if kind == http2.PING else b""
                self._transport.write(http2.frame(kind, http2.ACK, 0, answer))


def _buy(orders: Connection, port: int, purchases: Prepared) -> None:
    """The quiet till's process: a measurement an order, until None."""
    calls = load.Calls(purchases, _QUIET)
    gc.freeze()
    gc.disable()
    while (asked := orders.recv()) is not None:
        orders.send(uvloop.run(_on_schedule(port, calls, *asked)))


async def _on_schedule(
    port: int, calls: load.Calls, rate: float, seconds: float
) -> Mapping[str, float]:
    loop = asyncio.get_running_loop()
    _, till = await loop.create_connection(_Till, "127.0.0.1", port)
    count = int(rate * seconds)
    began = time.perf_counter()
    due = [began + number / rate for number in range(count)]
    answers = []
    for at in due:
        await asyncio.sleep(at - time.perf_counter())
        answers.append(till.buy(*calls.next()))
    answered = await asyncio.wait_for(asyncio.gather(*answers), _LEFT_SECONDS)
    till.close()
    waits = [end - at for end, at in zip(answered, due, strict=True)]
    return percentiles(sorted(waits[count // _WARM_PART :]))


def _part(args: argparse.Namespace, pairs: Sequence[Pair], postgres_version: str) -> str:
    def row(label: str, some: Sequence[Mapping[str, float]]) -> list[str]:
        return [label, *(shown(_spread(some, name), ".1f") for name in ("p50", "p99"))]

    return _PART.format(
        command=command("bench-flood"),
        rate=args.rate,
        rounds=args.rounds,
        seconds=args.seconds,
        in_flight=args.in_flight,
        connections=args.connections,
        ratio=shown(spread([pair.ratio for pair in pairs]), ".2f"),
        latencies=table(
            ["the quiet till", "p50, ms", "p99, ms"],
            [
                row("alone", [pair.alone for pair in pairs]),
                row("beside the flood", [pair.beside for pair in pairs]),
            ],
        ),
        flood=shown(spread([pair.flood.per_second for pair in pairs]), ".0f"),
        refused=shown(spread([pair.flood.refused_per_second for pair in pairs]), ".0f"),
        machine=machine(postgres_version),
    )


def _spread(some: Sequence[Mapping[str, float]], name: str) -> Spread:
    return spread([one[name] for one in some])


if __name__ == "__main__":
    sys.exit(main())
