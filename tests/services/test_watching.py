"""Streams of entries: whole, in order, once, whatever happens beside them, and cheap together."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import psycopg
import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.services import watching
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests import conftest
from tests.families import Families
from tests.services.accounts import HOHHOT, ULANQAB
from tests.services.driver import Driver
from tests.services.entries import account_with, all_entries
from tests.services.watchers import Watcher, append, entry, hub_on, rows, until

_ALL = 10_000


def run(course: Coroutine[Any, Any, None]) -> None:
    """A test's own event loop."""
    asyncio.run(asyncio.wait_for(course, 120))


def upto(last: int) -> list[int]:
    """1, 2, ... last."""
    return list(range(1, last + 1))


def test_a_stream_shows_entries_as_a_list_does(database: Database) -> None:
    families = Families(database)
    owner, relative = families.person(HOHHOT), families.person(HOHHOT, name="王小明")
    aid: dict[str, Any] = {
        "kind": "SETTLEMENT_MUTUAL_AID",
        "amount_fen": -30,
        "counterparty": families.institution(ULANQAB),
        "beneficiary_id": relative.person_id,
        "binding_id": new_id(HOHHOT),
        "source_id": new_id(ULANQAB),
    }
    account_id = account_with(families, owner, {}, aid, {"memo": "补划"})

    async def course() -> None:
        async with hub_on(database) as hub:
            watcher = Watcher(account_id, owner_id=owner.person_id).on(hub)
            await until(lambda: len(watcher.entries) == 3)
            listed = all_entries(Driver(database), "citizen", owner, account_id, ascending=True)
            assert watcher.entries == listed
            assert [one.beneficiary for one in listed] == ["", "王**", ""]

    run(course())


def test_a_stream_catches_up_from_its_place_and_stays_live(database: Database) -> None:
    account_id = new_id(HOHHOT)
    append(database, rows(account_id, 1, 100))

    async def course() -> None:
        async with hub_on(database) as hub:
            watcher = Watcher(account_id, after_seq=3).on(hub)
            await until(lambda: len(watcher.entries) == 97)
            for seq in range(101, 106):
                append(database, rows(account_id, seq, seq))
                await until(lambda: watcher.seqs[-1] == seq)  # noqa: B023 - awaited at once
            assert watcher.seqs == upto(105)[3:]

    run(course())


def test_streams_of_one_account_go_on_each_from_its_own_place(database: Database) -> None:
    account_id = new_id(HOHHOT)
    append(database, rows(account_id, 1, 50))

    async def course() -> None:
        async with hub_on(database) as hub:
            watchers = [Watcher(account_id, after).on(hub) for after in (0, 0, 20, 49, 50)]
            await asyncio.sleep(0)
            append(database, rows(account_id, 51, 60))
            for watcher in watchers:
                await until(lambda: watcher.seqs == upto(60)[watcher.after_seq :])  # noqa: B023 - awaited at once

    run(course())


def test_what_is_left_out_of_one_query_comes_with_the_next(database: Database) -> None:
    accounts = [new_id(HOHHOT) for _ in range(100)]
    append(database, (row for account_id in accounts for row in rows(account_id, 1, 40)))

    async def course() -> None:
        async with hub_on(database) as hub:
            watchers = [Watcher(account_id).on(hub) for account_id in accounts]
            await until(lambda: all(len(one.entries) == 40 for one in watchers))
            assert all(one.seqs == upto(40) for one in watchers)

    run(course())


def test_clients_that_come_and_go_get_every_entry_once(database: Database) -> None:
    chance = random.Random(20250601)  # noqa: S311 - the same course in every run
    accounts = [new_id(HOHHOT) for _ in range(5)]
    steps = [chance.choice(accounts) for _ in range(600)]
    entries = Counter(steps)

    def write() -> None:
        written: Counter[object] = Counter()
        while steps:
            some = [steps.pop() for _ in range(min(len(steps), chance.randint(1, 9)))]
            batch = []
            for account_id in some:
                written[account_id] += 1
                batch.append(entry(account_id, written[account_id]))
            append(database, batch)

    async def follow(hub: watching.Hub, account_id: Any) -> list[int]:
        seqs: list[int] = []
        while len(seqs) < entries[account_id]:
            watcher = Watcher(account_id, after_seq=len(seqs)).on(hub)
            enough = chance.randint(1, 40)
            left = entries[account_id] - len(seqs)
            await until(lambda: len(watcher.entries) >= min(enough, left))  # noqa: B023 - awaited at once
            await watcher.leave()
            seqs += watcher.seqs
        return seqs

    async def course() -> None:
        async with hub_on(database) as hub:
            writing = asyncio.create_task(asyncio.to_thread(write))
            found = await asyncio.gather(*(follow(hub, one) for one in accounts))
            await writing
            assert found == [upto(entries[one]) for one in accounts]
            assert hub.streams == 0

    run(course())


# --- what may go wrong beside it


def end_listener(database: Database, admin_url: str) -> int:
    """Break the connection that hears hints; how many there were."""
    query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = %s AND query LIKE 'LISTEN%%'"""
    with psycopg.connect(admin_url) as admin:
        return admin.execute(query, [name_of(database)]).rowcount


def name_of(database: Database) -> str:
    with database.connect() as tx:
        return tx.info.dbname


def test_a_listener_that_is_lost_loses_nothing(
    database: Database, test_server: conftest.TestServer
) -> None:
    account_id = new_id(HOHHOT)

    async def course() -> None:
        async with hub_on(database) as hub:
            watcher = Watcher(account_id).on(hub)
            lost = 0
            for seq in range(1, 400):
                append(database, rows(account_id, seq, seq))
                if seq % 50 == 0:
                    lost += end_listener(database, test_server.embedded.admin_url)
                await asyncio.sleep(0.002)
            await until(lambda: len(watcher.entries) == 399)
            assert watcher.seqs == upto(399)
            assert lost

    run(course())


def test_streams_outlast_the_databases_absence(
    database: Database, test_server: conftest.TestServer
) -> None:
    account_id, name = new_id(HOHHOT), name_of(database)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"

    async def course() -> None:
        async with hub_on(database) as hub:
            watcher = Watcher(account_id).on(hub)
            append(database, rows(account_id, 1, 3))
            await until(lambda: watcher.seqs == upto(3))
            with psycopg.connect(test_server.embedded.admin_url, autocommit=True) as admin:
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
                admin.execute(ended, [name])
                await asyncio.sleep(2.5)  # some ticks find nobody there
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            append(database, rows(account_id, 4, 50))
            await until(lambda: len(watcher.entries) == 50)
            assert watcher.seqs == upto(50)

    run(course())


def test_an_entry_that_cannot_be_shown_ends_only_its_own_stream(database: Database) -> None:
    families = Families(database)
    relative = families.person(HOHHOT, insurance=Insurance.RESIDENT).person_id
    with database.connect() as tx:
        tx.execute("UPDATE persons SET name = 'x' WHERE id = %s", [relative])
    accounts = [new_id(HOHHOT) for _ in range(9)]
    broken = accounts[4]
    append(database, [entry(one, 1) for one in accounts if one != broken])
    append(database, [entry(broken, 1, beneficiary_id=relative)])

    async def course() -> None:
        async with hub_on(database) as hub:
            watchers = {one: Watcher(one).on(hub) for one in accounts}
            fault = await watchers.pop(broken).end()
            assert fault is not None
            assert not isinstance(fault, errors.Refusal)
            append(database, [entry(one, 2) for one in accounts])
            for watcher in watchers.values():
                await until(lambda: watcher.seqs == upto(2))  # noqa: B023 - awaited at once

    run(course())


# --- what it costs


class Counted(Database):
    """Counts the statements that its connections are asked for."""

    statements = 0

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        counted = self

        class Cursor(psycopg.Cursor[tuple[object, ...]]):
            def execute(self, *asked: Any, **how: Any) -> Any:
                counted.statements += 1
                return super().execute(*asked, **how)

        connection = super().connect()
        connection.cursor_factory = Cursor
        return connection


async def _statements_for(database: Database, streams: int) -> int:
    """How many statements it takes until each of so many streams has all its share of entries."""
    accounts = [new_id(HOHHOT) for _ in range(streams)]
    each = _ALL // streams
    counted = Counted(database.runtime_url)
    async with hub_on(counted) as hub:
        watchers = [Watcher(account_id).on(hub) for account_id in accounts]
        await until(lambda: hub.streams == streams)
        before = counted.statements
        append(database, (row for account_id in accounts for row in rows(account_id, 1, each)))
        await until(lambda: all(len(one.entries) == each for one in watchers), 60)
        assert all(one.seqs == upto(each) for one in watchers)
    counted.close()
    return counted.statements - before


@pytest.mark.parametrize("streams", [10, 1000])
def test_what_is_read_is_read_for_all_streams_at_once(database: Database, streams: int) -> None:
    async def course() -> None:
        assert await _statements_for(database, streams) < _ALL / 20

    run(course())


def test_a_client_that_does_not_read_holds_up_nobody_and_costs_nothing(database: Database) -> None:
    slow_id, quick_id = new_id(HOHHOT), new_id(HOHHOT)
    append(database, rows(slow_id, 1, 500))

    async def course() -> None:
        counted = Counted(database.runtime_url)
        async with hub_on(counted) as hub:
            slow = Watcher(slow_id).on(hub)
            slow.reads.clear()
            await until(lambda: counted.statements > 0)
            await asyncio.sleep(0.5)
            before = counted.statements
            await asyncio.sleep(2.5)
            assert counted.statements == before
            quick = Watcher(quick_id).on(hub)
            append(database, rows(quick_id, 1, 500))
            await until(lambda: len(quick.entries) == 500)
            assert slow.seqs == []
            slow.reads.set()
            await until(lambda: len(slow.entries) == 500)
            assert slow.seqs == quick.seqs == upto(500)
        counted.close()

    run(course())


# --- how a stream ends


def test_a_client_that_leaves_frees_its_place_at_once(database: Database) -> None:
    async def course() -> None:
        async with hub_on(database) as hub:
            waiting, writing = Watcher(new_id(HOHHOT)), Watcher(new_id(HOHHOT))
            append(database, rows(writing.account_id, 1, 1))
            waiting.on(hub)
            writing.on(hub).reads.clear()
            await until(lambda: hub.streams == 2)
            await asyncio.sleep(0.5)
            await waiting.leave()
            await writing.leave()
            assert hub.streams == 0

    run(course())


def test_streams_end_when_their_process_does_and_none_begins(database: Database) -> None:
    async def course() -> None:
        async with hub_on(database) as hub:
            watchers = [Watcher(new_id(HOHHOT)).on(hub) for _ in range(5)]
            await asyncio.sleep(0.2)
            hub.end()
            for watcher in (*watchers, Watcher(new_id(HOHHOT)).on(hub)):
                refusal = await watcher.end()
                assert isinstance(refusal, errors.ServiceUnavailable)
                assert refusal.retry_after_seconds

    run(course())


def test_a_stream_that_lasted_long_begins_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LONGEST_STREAM_SECONDS", 0.3)

    async def course() -> None:
        async with hub_on(database) as hub:
            watcher = Watcher(new_id(HOHHOT)).on(hub)
            assert isinstance(await watcher.end(), errors.ServiceUnavailable)

    run(course())


def test_one_stream_too_many_is_told_to_come_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_MOST_STREAMS", 2)

    async def course() -> None:
        async with hub_on(database) as hub:
            first, _ = Watcher(new_id(HOHHOT)).on(hub), Watcher(new_id(HOHHOT)).on(hub)
            await until(lambda: hub.streams == 2)
            assert isinstance(await Watcher(new_id(HOHHOT)).on(hub).end(), errors.QueueFull)
            await first.leave()
            Watcher(new_id(HOHHOT)).on(hub)
            await until(lambda: hub.streams == 2)

    run(course())
