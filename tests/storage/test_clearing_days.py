"""Days of clearing: ended for good, summed once, and what is summed is what was booked."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.storage.clearing_days import RECORDING, days_ended, end_days, sum_next_day
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.clearing_days import sum_days
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.till import HOHHOT, ULANQAB
from tests.services.windows import move_to, sum_all

FIRST, LAST = date(2039, 1, 5), date(2039, 1, 9)


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
    return families.person(ULANQAB, balance_fen=1_000_000)


@pytest.fixture
def driver(database: Database, pharmacy: str, patient: Made) -> Driver:
    """The service on the day after the last of two days with a purchase."""
    made = Driver(database)
    for day in (FIRST, LAST):
        purchase(move_to(made, day), pharmacy, patient, 1_000)
    return move_to(made, LAST + timedelta(days=1))


def rows(database: Database, query: str) -> Sequence[tuple[Any, ...]]:
    with database.connect() as tx:
        return tx.execute(query.encode()).fetchall()


def test_each_day_is_summed_by_region_and_other_side(
    driver: Driver, database: Database, pharmacy: str
) -> None:
    assert sum_all(driver) > 0
    kept = rows(
        database,
        """SELECT region, day, kind, code, payable_fen, receivable_fen, journals
           FROM clearing_days ORDER BY day, region, kind""",
    )
    assert kept == [
        row
        for day in (FIRST, LAST)
        for row in (
            (HOHHOT, day, "INSTITUTION", pharmacy, 1_000, 0, 1),
            (HOHHOT, day, "REGION", ULANQAB, 0, 1_000, 1),
            (ULANQAB, day, "REGION", HOHHOT, 1_000, 0, 1),
        )
    ]
    totals = rows(database, "SELECT region, day, settlements, total_fen FROM clearing_totals")
    assert sorted(totals) == [(HOHHOT, day, 1, 1_000) for day in (FIRST, LAST)]


def test_days_without_anything_are_passed_over_at_once(driver: Driver) -> None:
    assert sum_all(driver) == 3  # both days, and the first of those between them
    assert sum_all(driver) == 0


def test_a_day_that_is_not_over_is_not_summed(
    driver: Driver, database: Database, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient, 1_000)
    sum_all(driver)
    assert {day for (day,) in rows(database, "SELECT day FROM clearing_days")} == {FIRST, LAST}


def test_however_many_sum_at_once_each_day_is_summed_once(
    driver: Driver, database: Database
) -> None:
    others = [Driver(database) for _ in range(4)]
    for other in others:
        other.office.clock_offset = driver.office.clock_offset
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(sum_all, others)) == 3
    assert len(rows(database, "SELECT 1 FROM clearing_days")) == 6


def test_who_finds_another_at_a_day_rests(driver: Driver, database: Database) -> None:
    assert sum_days(driver.office) == 1
    with database.transaction() as tx:
        assert sum_next_day(tx) == FIRST + timedelta(days=1)
        with database.transaction() as other:
            assert sum_next_day(other) is None


def test_a_round_that_dies_leaves_its_day_to_the_next(driver: Driver, database: Database) -> None:
    end_days(database, driver.office.clock_offset)
    with pytest.raises(ZeroDivisionError), database.transaction() as tx:
        assert sum_next_day(tx) == FIRST
        raise ZeroDivisionError
    assert sum_all(driver) == 3


def test_ended_days_stay_ended_when_the_clock_is_set_back(
    driver: Driver, database: Database
) -> None:
    ahead = driver.office.clock_offset
    today = end_days(database, ahead)
    assert end_days(database, ahead - timedelta(days=3)) == today - timedelta(days=3)
    with database.reader() as tx:
        assert days_ended(tx, ahead) == (today, True)
        assert days_ended(tx, ahead + timedelta(days=1)) == (today + timedelta(days=1), False)


def test_who_ends_days_does_not_wait_for_a_batch_for_ever(database: Database) -> None:
    with database.connect() as batch:
        batch.execute(RECORDING)
        with pytest.raises(ServiceUnavailable):
            end_days(database, timedelta())


def test_sums_are_changed_by_nobody(driver: Driver, database: Database) -> None:
    sum_all(driver)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        psycopg.connect(database.runtime_url) as tx,
    ):
        tx.execute("UPDATE clearing_days SET payable_fen = 0")
