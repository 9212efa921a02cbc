"""Streams of a hub in this process, the far ends of which are here too, and entries for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc import regions
from gongji_svc.services.office import Office
from gongji_svc.services.watching import Hub, Watched
from gongji_svc.storage import packed, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.entry_watch import Place
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.statements import Row, Write
from tests.families import KEYS

_WRITE = Write(tables.entries)


def entry(account_id: UUID, seq: int, **told: Any) -> Row:
    """An allocation unless told otherwise; its balance is nobody's."""
    home, now = region_of(account_id), datetime.now(UTC)
    usual: dict[str, Any] = {
        "region": home,
        "account_id": account_id,
        "seq": seq,
        "journal_id": new_id(home),
        "kind": "ALLOCATION",
        "amount_fen": seq,
        "balance_after_fen": 0,
        "counterparty": home,
        "occurred_at": now,
        "recorded_at": now,
    }
    row = {**usual, **told}
    return tuple(row.get(column.name) for column in tables.entries.c)


def append(database: Database, rows: Iterable[Row]) -> None:
    """Commit entries, all at once."""
    with database.connect() as tx:
        packed.register(tx)
        _WRITE.run(tx, list(rows), by_region=False)


def rows(account_id: UUID, first: int, last: int) -> list[Row]:
    """The entries with these seqs."""
    return [entry(account_id, seq) for seq in range(first, last + 1)]


@asynccontextmanager
async def hub_on(database: Database) -> AsyncIterator[Hub]:
    """A hub until the end of the block."""
    office = Office(database, regions.load(), Sealer(KEYS))
    with ThreadPoolExecutor(4) as threads:
        hub = Hub(office, threads)
        yield hub
        await hub.close()


@dataclass(slots=True)
class Watcher:
    """The far end of a stream: keeps what comes, while it may."""

    account_id: UUID
    after_seq: int = 0
    owner_id: UUID | None = None
    entries: list[pb.Entry] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    call: asyncio.Task[None] | None = None

    def on(self, hub: Hub) -> "Watcher":
        """Begin the stream."""
        self.reads.set()
        owner_id = self.owner_id or new_id(region_of(self.account_id))
        watched = Watched(owner_id, Place(self.account_id, self.after_seq))
        self.call = asyncio.create_task(hub.send(watched, self._take))
        self.call.add_done_callback(lambda call: call.cancelled() or call.exception())
        return self

    @property
    def seqs(self) -> list[int]:
        """What came, by seq."""
        return [one.seq for one in self.entries]

    async def leave(self) -> None:
        """End the stream, as gRPC does when the client is gone."""
        assert self.call is not None
        self.call.cancel()
        await asyncio.wait([self.call])

    async def end(self) -> BaseException | None:
        """What the stream ends with."""
        assert self.call is not None
        await asyncio.wait([self.call])
        return self.call.exception()

    async def _take(self, answer: bytes) -> None:
        await self.reads.wait()
        self.entries.append(pb.WatchAccountResponse.FromString(answer).entry)


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
