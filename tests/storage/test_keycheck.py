"""The keys at hand must be those the database was sealed with."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gongji_svc.config import Config
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import KeysDiffer, check_keys, has_keys
from gongji_svc.storage.keyfile import made_keys
from gongji_svc.storage.sealing import KeyRing


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
