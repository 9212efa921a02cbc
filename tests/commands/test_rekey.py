"""`gongji rekey` while the service serves: beside settlements and changes of people, killed in the
middle, before its time; what each step of a rotation starts with, and is refused.
"""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gongji.v1 import registry_pb2, settlement_pb2
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys, close
from gongji_svc.storage.sealing import KeyRing
from gongji_svc.upkeep.measuring import Measuring
from tests.commands.program import gongji
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import purchase
from tests.end_to_end.service import Service, metadata_of, running, until
from tests.families import KEYS, Families
from tests.sealed import (
    ALONE,
    CURRENT,
    HOHHOT,
    KNOWN,
    agent,
    key_ids,
    make_people,
    make_sealed,
    opened,
)
from tests.services.driver import Driver
from tests.services.test_registry_persons import enrolment, person, put

_PEOPLE = 3_000


def at_step(database: Database, *steps: KeyRing) -> None:
    """Processes were started with these key files, one after the other."""
    for keys in steps:
        check_keys(database, keys)


def done(database: Database, folder: Path, keys: KeyRing, *arguments: str) -> Any:
    """A command with this key file: its exit status, and what it printed."""
    file = folder / f"keys-{keys.current}-{len(keys.data_keys)}"
    file.write_text(keys.dump())
    with gongji(database, folder, *arguments, GONGJI_DATA_KEY=str(file)) as process:
        printed, told = process.communicate(timeout=120)
    assert "王" not in printed + told
    assert not any(key.hex() in printed + told for key in keys.data_keys.values())
    return process.returncode, printed, told


def key_of(database: Database, key_id: int) -> int:
    """How many people's rows are sealed with a data key."""
    with database.connect() as tx:
        return tx.execute("SELECT FROM persons WHERE key_id = %s", [key_id]).rowcount


# --- while others work

Work = Callable[[int], object]


def at_it(work: Sequence[Work], stop: threading.Event) -> list[int]:
    """Each in a thread of its own over and over; how often each did."""

    def go_on(one: Work) -> int:
        times = 0
        while not stop.is_set():
            one(times)
            times += 1
        return times

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(go_on, work))


def workers_at(service: Service) -> tuple[list[Work], list[settlement_pb2.SettleResponse]]:
    """Somebody who buys for patients, somebody who states people, over the wire; the receipts."""
    families = Families(service.database)
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, balance_fen=10**9)
    receipts: list[settlement_pb2.SettleResponse] = []
    registry = RegistryServiceStub(service.channel)
    people = [person(enrolment(HOHHOT), card_no=f"R{number}") for number in range(5)]

    def buy(_: int) -> None:
        request = purchase(code, patient, 100)
        request.agent.CopyFrom(agent("13800005555"))
        receipts.append(service.till(code).settle(request))

    def state(times: int) -> None:
        stated = registry_pb2.Person()
        stated.CopyFrom(people[times % len(people)])
        stated.name += "小" * (times % 3)
        request = registry_pb2.PutPersonRequest(person=stated)
        registry.PutPerson(request, metadata=metadata_of("agency", HOHHOT), timeout=30)

    return [buy, buy, state], receipts


def test_all_is_sealed_anew_while_people_buy_and_are_registered(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN)
    make_sealed(database, families_of=2)
    make_people(database, _PEOPLE)
    before, stop = opened(database, KEYS), threading.Event()
    with running(database, keys=CURRENT) as service, ThreadPoolExecutor(1) as pool:
        work, receipts = workers_at(service)
        books = Books.read(database)
        busy = pool.submit(at_it, work, stop)
        until(lambda: len(receipts) > 5, 30)
        status, printed, told = done(database, tmp_path, CURRENT, "rekey")
        stop.set()
        assert min(busy.result(60)) > 0
    assert (status, told.strip()) == (0, "")
    assert "no value is sealed with data key 1 any more" in printed
    after = opened(database, ALONE)
    assert {key: after[key] for key in before} == before
    assert set().union(*key_ids(database).values()) == {2}
    Books.read(database).check_since(books, receipts)


def test_one_that_still_seals_with_the_old_key_is_refused_and_leaves_no_value_of_it(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_people(database, _PEOPLE)
    behind, refused = Driver(database, keys=KNOWN), threading.Event()

    def go_on() -> int:
        for times in count():
            try:
                put(behind, HOHHOT, person(enrolment(HOHHOT)))
            except psycopg.errors.RaiseException as told:
                assert "data key 1 is closed" in str(told)
                refused.set()
                return times
        raise AssertionError

    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(go_on)
        status, printed, told = done(database, tmp_path, CURRENT, "rekey")
        assert refused.wait(30)
    assert (status, told.strip()) == (0, "")
    assert "no value is sealed with data key 1 any more" in printed
    assert key_ids(database) == {"persons": {2}}
    assert len(opened(database, ALONE)) == _PEOPLE + putting.result()
    put(Driver(database, keys=ALONE), HOHHOT, person(enrolment(HOHHOT)))


def test_one_that_is_killed_in_the_middle_has_lost_nothing(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_sealed(database)
    make_people(database, _PEOPLE)
    before = opened(database, KEYS)
    file = tmp_path / "both"
    file.write_text(CURRENT.dump())
    with database.connect() as blocking:
        blocking.execute("SELECT FROM persons ORDER BY region, id LIMIT 1 FOR UPDATE")
        with gongji(database, tmp_path, "rekey", GONGJI_DATA_KEY=str(file)) as process:
            until(lambda: key_of(database, 2) > 0, 60)
            process.kill()
            process.wait()
    assert key_of(database, 1) > 0
    assert opened(database, CURRENT) == before
    assert done(database, tmp_path, ALONE, "work", "--once")[0] == 2
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: done(database, tmp_path, CURRENT, "rekey"), range(2)))
    assert [status for status, _, _ in results] == [0, 0]
    assert opened(database, ALONE) == before


# --- what starts when


def test_from_step_to_step_what_a_service_starts_with(database: Database, tmp_path: Path) -> None:
    at_step(database, KEYS)
    make_sealed(database)
    before = opened(database, KEYS)
    work = ("work", "--once")
    for command in (work, ("rekey",)):
        status, _, told = done(database, tmp_path, CURRENT, *command)
        assert (status, len(told.splitlines())) == (2, 1)
        assert "first start every process with it" in told
    assert done(database, tmp_path, KNOWN, *work)[0] == 0
    assert done(database, tmp_path, CURRENT, *work)[0] == 0
    status, _, told = done(database, tmp_path, ALONE, *work)
    assert (status, len(told.splitlines())) == (2, 1)
    assert "data key 1 is missing from the key file" in told
    assert done(database, tmp_path, CURRENT, "rekey")[0] == 0
    status, _, told = done(database, tmp_path, KNOWN, *work)
    assert status == 2
    assert "data key 1 is closed" in told
    assert done(database, tmp_path, ALONE, *work)[0] == 0
    assert opened(database, ALONE) == before


@pytest.mark.parametrize("command", ["serve", "up"])
def test_no_service_starts_without_a_key_that_is_in_use(
    database: Database, tmp_path: Path, command: str
) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    status, _, told = done(database, tmp_path, ALONE, command)
    assert status == 2
    assert "data key 1 is missing from the key file" in told.splitlines()[-1]


def test_it_says_which_key_has_sealed_how_much(database: Database, tmp_path: Path) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_people(database, 3)
    status, printed, _ = done(database, tmp_path, CURRENT, "rekey", "--check")
    assert status == 1
    assert printed.splitlines() == [
        "data key 1: 3 rows (persons 3)",
        "data key 2: 0 rows, current",
    ]
    assert done(database, tmp_path, CURRENT, "rekey")[0] == 0
    status, printed, _ = done(database, tmp_path, ALONE, "rekey", "--check")
    assert status == 0
    assert printed.splitlines() == [
        "data key 1: 0 rows, may be taken out of the key file, not in the key file",
        "data key 2: 3 rows (persons 3), current",
    ]


def test_status_and_the_workers_figures_say_when_the_old_key_may_go(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_people(database, 3)
    assert needed(database) == {("1",): 1, ("2",): 1}
    with database.transaction() as tx:
        close(tx, [1])  # as when `gongji rekey` is killed at its end
    closed = "closed, needed until gongji rekey has ended"
    assert keys_told(database, tmp_path) == {"data key 1": closed, "data key 2": "needed"}
    assert needed(database) == {("1",): 1, ("2",): 1}
    assert done(database, tmp_path, CURRENT, "rekey")[0] == 0
    gone = "may be taken out of the key file"
    assert keys_told(database, tmp_path) == {"data key 1": gone, "data key 2": "needed"}
    assert needed(database) == {("1",): 0, ("2",): 1}


def keys_told(database: Database, folder: Path) -> Any:
    """What `gongji status` says of the data keys."""
    status, printed, _ = done(database, folder, CURRENT, "status", "--json")
    assert status == 0
    return json.loads(printed)["data_keys"]


def needed(database: Database) -> object:
    """The data keys as a worker's figures tell of them."""
    measuring = Measuring()
    measuring.measure(Driver(database, keys=CURRENT).office)
    return dict(measuring)["gongji_data_key_needed"]


def test_nothing_is_touched_where_a_key_in_use_is_missing(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_people(database, 3)
    status, _, told = done(database, tmp_path, ALONE, "rekey")
    assert (status, len(told.splitlines())) == (2, 1)
    assert "3 rows (persons 3) are sealed with data key 1, missing from the key file" in told
    at_step(database, CURRENT)
    assert key_of(database, 1) == 3


def test_a_key_that_was_lost_before_it_sealed_anything_is_let_go(
    database: Database, tmp_path: Path
) -> None:
    at_step(database, KEYS, KNOWN)
    make_people(database, 3)
    assert done(database, tmp_path, KEYS, "work", "--once")[0] == 2
    assert done(database, tmp_path, KEYS, "rekey")[0] == 0
    assert done(database, tmp_path, KEYS, "work", "--once")[0] == 0
    assert key_of(database, 1) == 3


def test_a_row_that_does_not_open_keeps_its_key_in_use(database: Database, tmp_path: Path) -> None:
    at_step(database, KEYS, KNOWN, CURRENT)
    make_people(database, 3)
    with database.connect() as tx:
        tx.execute(
            "UPDATE persons SET name = name || 'x' WHERE name = (SELECT min(name) FROM persons)"
        )
        tx.commit()
    status, _, told = done(database, tmp_path, CURRENT, "rekey")
    assert status == 1
    assert "1 rows do not open and stay as they are; no key was retired" in told
    assert key_of(database, 2) == 2
    assert done(database, tmp_path, ALONE, "work", "--once")[0] == 2
