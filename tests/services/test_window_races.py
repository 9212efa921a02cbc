"""Settling and closing at once: each journal is in exactly one window, each window closed once.

Rule: every thread works through an office of its own, as processes do. The clocks differ as a
test needs it; what holds must hold whatever they say.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import start_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.till import HOHHOT, ULANQAB
from tests.services.windows import (
    FEBRUARY,
    close,
    confirm,
    move_to,
    positions,
    state_of,
    sum_all,
    sums,
    window,
    windows,
)

LAST_DAY = date(2039, 1, 31)
FEN = 1_000


@pytest.fixture
def families(database: Database) -> Families:
    made = Families(database)
    made.item("150000", "XA01")
    return made


@pytest.fixture
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


@pytest.fixture
def patient(families: Families) -> Made:
    """Insured elsewhere, so that the regions' positions are at stake too."""
    return families.person(ULANQAB, balance_fen=1_000_000)


@contextmanager
def offices(database: Database, count: int) -> Iterator[list[Driver]]:
    drivers = [Driver(database) for _ in range(count)]
    yield drivers
    for driver in drivers:
        driver.close()


def wait_for(database: Database, condition: str) -> None:
    """Wait until some connection of the database is in a state, by what PostgreSQL says of it."""
    query = f"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND {condition}"  # noqa: S608 - fixed texts
    with database.connect() as tx:
        tx.autocommit = True
        while tx.execute(query.encode()).fetchone() is None:
            time.sleep(0.01)


def payable(driver: Driver, agency: str = HOHHOT) -> list[int]:
    """What each window pays, or owes to other regions, oldest first."""
    listed = list(reversed(windows(driver, agency).windows))
    return [one.payable_fen - one.net_fen * (agency != HOHHOT) for one in listed]


def test_a_settlement_that_commits_while_its_window_is_closed_is_waited_for(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    with offices(database, 2) as (till, agency), ThreadPoolExecutor(2) as threads:
        purchase(move_to(till, LAST_DAY), pharmacy, patient, FEN)
        move_to(till, LAST_DAY, hour=23.999)
        move_to(agency, FEBRUARY, hour=0.001)
        with database.connect() as holding:
            holding.execute("LOCK TABLE settlements IN SHARE MODE")
            settling = threads.submit(purchase, till, pharmacy, patient, FEN)
            wait_for(database, "query ~ 'INSERT INTO settlements' AND wait_event = 'relation'")
            closing: Future[pb.CloseWindowResponse] = threads.submit(close, agency)
            wait_for(database, "wait_event = 'advisory'")
            assert not closing.done()
        settling.result()
        january = closing.result().window
        assert (january.payable_fen, january.totals.settlements) == (2 * FEN, 2)
        assert payable(agency) == [2 * FEN, 0]


def test_what_is_settled_by_a_clock_set_back_falls_into_the_window_that_is_open(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    with offices(database, 1) as (driver,):
        purchase(move_to(driver, LAST_DAY), pharmacy, patient, FEN)
        close(move_to(driver, FEBRUARY))
        close(driver, ULANQAB)
        purchase(move_to(driver, LAST_DAY, hour=23), pharmacy, patient, 2 * FEN)
        move_to(driver, FEBRUARY)
        assert payable(driver) == [FEN, 2 * FEN]
        assert payable(driver, ULANQAB) == [FEN, 2 * FEN]
        february = window(driver)
        assert february.totals.total_fen == 2 * FEN
        assert sums(positions(driver, february.window_id)) == {
            pharmacy: (2 * FEN, 0, 0, -2 * FEN, 1),
            ULANQAB: (0, 2 * FEN, 0, 2 * FEN, 1),
        }


def test_what_the_worker_has_summed_takes_nothing_more(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    with offices(database, 1) as (driver,):
        purchase(move_to(driver, LAST_DAY), pharmacy, patient, FEN)
        assert sum_all(move_to(driver, FEBRUARY)) == 1
        purchase(move_to(driver, LAST_DAY, hour=23), pharmacy, patient, 2 * FEN)
        close(move_to(driver, FEBRUARY))
        assert payable(driver) == [FEN, 2 * FEN]


def test_over_midnight_each_purchase_is_in_one_window(
    database: Database, families: Families, pharmacy: str
) -> None:
    people = [families.person(ULANQAB, balance_fen=1_000_000) for _ in range(3)]
    with offices(database, 5) as (agency, worker, *tills), ThreadPoolExecutor(5) as threads:
        purchase(move_to(agency, LAST_DAY), pharmacy, people[0], FEN)
        agency.close()
        midnight = start_of(FEBRUARY) - (datetime.now().astimezone() + timedelta(seconds=3))
        for driver in (agency, worker, *tills):
            driver.office.clock_offset = midnight
        buying = [
            threads.submit(buy_until_february, till, pharmacy, person)
            for till, person in zip(tills, people, strict=True)
        ]
        closing = threads.submit(close_soon, agency)
        summing = threads.submit(sum_until, worker, buying)
        bought = sum(one.result() for one in buying) + 1
        assert summing.result() >= 0
        january, february = closing.result(), window(agency)
        counted = january.totals.settlements + february.totals.settlements
        assert counted == bought
        assert january.payable_fen + february.payable_fen == bought * FEN
        assert january.net_fen + february.net_fen == bought * FEN
        assert window(agency, window_id=january.window_id) == january
        assert january.payable_fen == january.totals.settlements * FEN


def buy_until_february(till: Driver, pharmacy: str, person: Made) -> int:
    """Buy again and again until some time after midnight; how often."""
    bought, left = 0, 5
    while left:
        purchase(till, pharmacy, person, FEN)
        bought += 1
        left -= till.office.today() >= FEBRUARY
    return bought


def close_soon(agency: Driver) -> pb.Window:
    """Close January as soon as it can be."""
    while True:
        try:
            return close(agency, request_id=str(uuid4())).window
        except errors.WindowNotEnded:
            time.sleep(0.01)


def sum_until(worker: Driver, others: list[Future[int]]) -> int:
    """Sum what is over until the others are done; how many days."""
    done = 0
    while not all(one.done() for one in others):
        done += sum_all(worker)
        time.sleep(0.01)
    return done


def test_of_several_who_close_a_window_at_once_one_does(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    with offices(database, 4) as drivers, ThreadPoolExecutor(4) as threads:
        purchase(move_to(drivers[0], LAST_DAY), pharmacy, patient, FEN)
        for driver in drivers:
            move_to(driver, FEBRUARY)
        tries = [threads.submit(close, driver) for driver in drivers]
        failures = [one.exception() for one in tries]
        closed = [one for one in failures if one is None]
        assert len(closed) == 1
        refused = (errors.WindowNotOpen, errors.WindowNotEnded)
        assert all(one is None or isinstance(one, refused) for one in failures)
        assert [state_of(one) for one in windows(drivers[0]).windows] == ["OPEN", "CLOSED"]


def test_of_several_who_confirm_a_window_at_once_one_does(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    with offices(database, 4) as drivers, ThreadPoolExecutor(4) as threads:
        purchase(move_to(drivers[0], LAST_DAY), pharmacy, patient, FEN)
        for driver in drivers:
            move_to(driver, FEBRUARY)
        window_id = close(drivers[0]).window.window_id
        tries = [threads.submit(confirm, driver, window_id) for driver in drivers]
        failures = [one.exception() for one in tries]
        assert failures.count(None) == 1
        refused = errors.WindowStepNotAllowed
        assert all(one is None or isinstance(one, refused) for one in failures)
