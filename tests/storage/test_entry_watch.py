"""The next entries of many accounts, in the form for one server and in that for a cluster."""

import asyncio

import pytest

from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.storage.entry_watch import Follower, Place, hints, send_hint
from gongji_svc.storage.ids import new_id
from tests.services.watchers import append, rows

_PLENTY = 1000


@pytest.mark.parametrize("by_region", [False, True])
def test_each_place_is_followed_by_its_next_entries(database: Database, by_region: bool) -> None:
    accounts = [new_id(region) for region in ("150100", "150900", "150100")]
    for account_id in accounts:
        append(database, rows(account_id, 1, 9))
    places = [Place(account_id, seq) for account_id in accounts for seq in (0, 5, 5, 7, 9)]
    follower = Follower(database, by_region=by_region)
    found = follower.read([*places, Place(new_id("211200"), 0)], each=3, most=_PLENTY)
    follower.close()
    expected = {0: [1, 2, 3], 5: [6, 7, 8], 7: [8, 9]}
    assert {place: [entry.seq for entry in some] for place, some in found.items()} == {
        place: expected[place.seq] for place in places if place.seq in expected
    }
    assert all(one.account_id == place.account_id for place in found for one in found[place])


@pytest.mark.parametrize("by_region", [False, True])
def test_no_more_is_read_than_was_asked_for(database: Database, by_region: bool) -> None:
    accounts = [new_id(region) for region in ("150100", "150900")]
    for account_id in accounts:
        append(database, rows(account_id, 1, 9))
    follower = Follower(database, by_region=by_region)
    places = [Place(account_id, 0) for account_id in accounts]
    found = follower.read(places, each=9, most=12)
    follower.close()
    assert sum(len(some) for some in found.values()) == 12


@pytest.mark.parametrize("by_region", [False, True])
def test_nowhere_is_followed_by_nothing(database: Database, by_region: bool) -> None:
    follower = Follower(database, by_region=by_region)
    assert not follower.read([], each=1, most=1)
    follower.close()


def test_a_follower_goes_on_when_its_connection_was_lost(database: Database) -> None:
    account_id = new_id("150100")
    append(database, rows(account_id, 1, 1))
    follower = Follower(database)
    assert follower.read([Place(account_id, 0)], each=1, most=1)
    with database.connect() as tx:
        tx.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    with pytest.raises(DatabaseUnavailable):
        follower.read([Place(account_id, 0)], each=1, most=1)
    assert follower.read([Place(account_id, 0)], each=1, most=1)
    follower.close()


def test_a_hint_is_heard_by_whoever_listens(database: Database) -> None:
    async def course() -> None:
        heard = hints(database.direct_url)
        await anext(heard)  # from now on they can be heard
        with database.connect() as tx:
            tx.autocommit = True
            for _ in range(10):  # more often than a statement is prepared after
                send_hint(tx)
                await asyncio.wait_for(anext(heard), 20)

    asyncio.run(course())
