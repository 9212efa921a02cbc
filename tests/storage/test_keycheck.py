"""The keys at hand must be those the database was sealed with, and all that are in use."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gongji_svc.config import Config
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import (
    KeysDiffer,
    check_keys,
    close,
    has_keys,
    known_data_keys,
    retire,
)
from gongji_svc.storage.keyfile import made_keys
from gongji_svc.storage.sealing import KeyRing
from tests.families import KEYS
from tests.sealed import ALONE, CURRENT, KNOWN


def test_the_first_keys_are_taken_as_the_databases(database: Database) -> None:
    assert not has_keys(database)
    keys = KeyRing.make()
    check_keys(database, keys)
    check_keys(database, keys)
    assert has_keys(database)


def test_other_keys_are_refused(database: Database) -> None:
    check_keys(database, KeyRing.make())
    with pytest.raises(KeysDiffer, match="put that file back"):
        check_keys(database, KeyRing.make())


def test_another_data_key_under_a_known_number_is_refused(database: Database) -> None:
    keys = KeyRing.make()
    check_keys(database, keys)
    with pytest.raises(KeysDiffer):
        check_keys(database, KeyRing(keys.index_key, {1: bytes(16)}))


def test_a_further_data_key_joins_those_there_are(database: Database) -> None:
    keys = KeyRing.make()
    check_keys(database, keys)
    more = KeyRing(keys.index_key, {**keys.data_keys, 2: bytes(16)})
    check_keys(database, more)
    check_keys(database, more)


def test_a_new_data_key_becomes_current_only_after_it_was_known(database: Database) -> None:
    check_keys(database, KEYS)
    for _ in range(2):  # whoever tries again has not made it known
        with pytest.raises(KeysDiffer, match="data key 2 is new here: first start every process"):
            check_keys(database, CURRENT)
    check_keys(database, KNOWN)
    check_keys(database, CURRENT)


def test_the_way_back_to_the_key_before_is_open_until_it_is_closed(database: Database) -> None:
    for keys in (KEYS, KNOWN, CURRENT, KNOWN, CURRENT):
        check_keys(database, keys)
    with database.transaction() as tx:
        close(tx, [1])
    with pytest.raises(KeysDiffer, match=r"data key 1 is closed.*'current ID'"):
        check_keys(database, KNOWN)
    check_keys(database, CURRENT)


def test_a_data_key_that_may_be_in_use_must_be_there(database: Database) -> None:
    for keys in (KEYS, KNOWN, CURRENT):
        check_keys(database, keys)
    for change in (close, retire):
        with pytest.raises(KeysDiffer, match=r"data key 1 is missing.*put its line back"):
            check_keys(database, ALONE)
        check_keys(database, ALONE, all_needed=False)
        with database.transaction() as tx:
            change(tx, [1])
    check_keys(database, ALONE)


def test_a_retired_key_may_still_be_there_but_no_other_under_its_number(
    database: Database,
) -> None:
    for keys in (KEYS, KNOWN, CURRENT):
        check_keys(database, keys)
    with database.transaction() as tx:
        close(tx, [1])
        retire(tx, [1])
    check_keys(database, CURRENT)
    with pytest.raises(KeysDiffer, match="put that file back"):
        check_keys(database, KeyRing(KEYS.index_key, {1: bytes(16), **ALONE.data_keys}, 2))
    with database.reader() as tx:
        known = known_data_keys(tx)
    assert {key_id: check.is_retired for key_id, check in known.items()} == {1: True, 2: False}


def test_several_that_start_at_once_agree_on_the_first_keys(database: Database) -> None:
    rings = [KeyRing.make() for _ in range(6)]

    def start(keys: KeyRing) -> bool:
        try:
            check_keys(database, keys)
        except KeysDiffer:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(start, rings)) == [False] * 5 + [True]
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(start, rings)) == [False] * 5 + [True]


def test_several_that_make_a_key_file_at_once_share_one(tmp_path: Path) -> None:
    config = Config(tmp_path / "data")
    with ThreadPoolExecutor(6) as pool:
        rings = list(pool.map(lambda _: made_keys(config, may_make=True), range(6)))
    assert len({keys.dump() for keys in rings}) == 1
    assert (tmp_path / "data" / "data.key").stat().st_mode & 0o777 == 0o600
