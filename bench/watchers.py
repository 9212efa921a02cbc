"""`python -m bench.watchers`: what it costs that accounts are watched while money comes in.

Rule: as `make bench`: from an empty folder, which is removed; one worker, the embedded PostgreSQL
and the client share one machine. The series follow each other: compare them, and look at "others".
"""

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import grpc
import uvloop
from sqlalchemy import select

from bench import cpu
from bench.cpu import Watched
from bench.ground import Ground, ground
from bench.population import Maker
from gongji.v1 import account_pb2 as pb
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.limits import Limits
from gongji_svc.services.identity import issue_token
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import region_of

_CHANNELS = 4
_TOKEN_SECONDS = 3600
_SETTLE_SECONDS = 3.0
_OPEN_SECONDS = 0.015  # a stream, at most: it says nothing until its first entry comes
_ALONE = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, slots=True)
class Account:
    """An account, its owner, and its last entry before a series."""

    account_id: UUID
    owner_id: UUID
    seq: int


@dataclass(slots=True)
class Series:
    """Who watches and who is credited, and what was seen: seconds by entry id."""

    name: str
    watched: Sequence[Account]
    credited: Sequence[Account]
    in_flight: int
    asked: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def line(self, lasted_seconds: float, spent: Mapping[str, float]) -> str:
        """The series in one line; times in milliseconds, processors in cores."""
        answers = [self.answered[one] - began for one, began in self.asked.items()]
        sights = [self.seen[one] - self.asked[one] for one in self.seen.keys() & self.asked.keys()]
        cores = " ".join(f"{name} {used / lasted_seconds:.2f}" for name, used in spent.items())
        rate = len(answers) / lasted_seconds
        return (
            f"{self.name:34} {rate:6.0f} credits a second, answered {_times(answers)}; "
            f"{len(self.seen):6} entries seen {_times(sights)}; cores: {cores}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.watchers")
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each series")
    parser.add_argument("--in-flight", type=int, default=32, help="credits at once")
    args = parser.parse_args()
    with ground() as place:
        _run(args, place)


def _run(args: argparse.Namespace, place: Ground) -> None:
    Maker(place.database, place.sealer).population(1, 3 * args.watchers)
    with place.workers(limits=Limits()) as serving:
        client = _Client(serving.ports[0], place.token_key, serving.watched)
        for number in range(5):
            accounts = _accounts(place.database)
            some, others = accounts[: args.watchers], accounts[args.watchers :][: args.watchers]
            series = (
                Series("(warming up)", (), some, args.in_flight),
                Series("nobody watches", (), some, args.in_flight),
                Series("others are watched", others, some, args.in_flight),
                Series("the same are watched", some, some, args.in_flight),
                Series("nothing happens", some, (), 0),
            )
            print(uvloop.run(client.measure(series[number], args.seconds)), flush=True)


def _accounts(database: Database) -> Sequence[Account]:
    columns = tables.accounts.c
    with database.reader() as tx:
        found = tx.execute(select(columns.id, columns.person_id, columns.seq).order_by(columns.id))
        return [Account(*row) for row in found]


@dataclass(frozen=True, slots=True)
class _Client:
    port: int
    token_key: bytes
    processes: Watched

    async def measure(self, series: Series, seconds: float) -> str:
        """Take one series; its line."""
        async with self._watching(series):
            before, began = cpu.seconds(self.processes), time.perf_counter()
            async with self._channel() as channel:
                until = began + seconds
                credits = [self._credit(channel, series, until) for _ in range(series.in_flight)]
                await asyncio.gather(*credits, asyncio.sleep(seconds))
            lasted, after = time.perf_counter() - began, cpu.seconds(self.processes)
            await asyncio.sleep(_SETTLE_SECONDS)
        return series.line(lasted, cpu.used(before, after))

    @asynccontextmanager
    async def _watching(self, series: Series) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(self._channel()) for _ in range(_CHANNELS)]
            watches = [
                asyncio.create_task(self._watch(channels[number % _CHANNELS], series, account))
                for number, account in enumerate(series.watched)
            ]
            await asyncio.sleep(_SETTLE_SECONDS + len(watches) * _OPEN_SECONDS)
            yield
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    def _channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=_ALONE)

    async def _watch(self, channel: grpc.aio.Channel, series: Series, account: Account) -> None:
        request = pb.WatchAccountRequest(account_id=str(account.account_id), after_seq=account.seq)
        metadata = self._metadata(Role.CITIZEN, str(account.owner_id))
        async for answer in AccountServiceStub(channel).WatchAccount(request, metadata=metadata):
            series.seen[answer.entry.entry_id] = time.perf_counter()

    async def _credit(self, channel: grpc.aio.Channel, series: Series, until: float) -> None:
        stub = AccountServiceStub(channel)
        metadata = self._metadata(Role.AGENCY, region_of(series.credited[0].account_id))
        while (began := time.perf_counter()) < until:
            request = pb.CreditRequest(
                account_id=str(random.choice(series.credited).account_id),  # noqa: S311 - anybody's
                request_id=uuid4().hex,
                kind=pb.CREDIT_KIND_ALLOCATION,
                amount_fen=100,
            )
            answer = await stub.Credit(request, metadata=metadata)
            series.asked[answer.entry.entry_id] = began
            series.answered[answer.entry.entry_id] = time.perf_counter()

    def _metadata(self, role: Role, subject: str) -> tuple[tuple[str, str]]:
        token = issue_token(self.token_key, Caller(role, subject, "bench"), _TOKEN_SECONDS)
        return (("authorization", f"Bearer {token}"),)


def _times(seconds: Sequence[float]) -> str:
    """The median and the 99th percentile."""
    if not seconds:
        return "-"
    ranked = sorted(seconds)
    p50, p99 = (1000 * ranked[len(ranked) * percent // 100] for percent in (50, 99))
    return f"in {p50:.0f} (p99 {p99:.0f}) ms"


if __name__ == "__main__":
    main()
