"""Windows that are closed by themselves, where a region's rules say so."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.windows import close_windows
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.rules import rules_with
from tests.services.till import HOHHOT, ULANQAB
from tests.services.windows import (
    FEBRUARY,
    add_difference,
    confirm,
    move_to,
    state_of,
    window,
    windows,
)

AFTER_THREE_DAYS = {"clearing.close_after_days": 3}
DUE, NOT_DUE = date(2039, 2, 3), date(2039, 2, 2)


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
    return families.person(ULANQAB, balance_fen=100_000)


def service(
    database: Database, day: date, stated: Mapping[str, object] = AFTER_THREE_DAYS
) -> Driver:
    driver = Driver(database)
    driver.office.rulebook = rules_with(HOHHOT, stated)
    return move_to(driver, day)


def states(driver: Driver, agency: str = HOHHOT) -> list[str]:
    return [state_of(one) for one in windows(driver, agency).windows]


def test_a_window_is_closed_so_many_days_after_its_last(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = service(database, date(2039, 1, 10))
    purchase(driver, pharmacy, patient)
    move_to(driver, NOT_DUE)
    assert (close_windows(driver.office), states(driver)) == (0, ["OPEN"])
    move_to(driver, DUE)
    assert (close_windows(driver.office), states(driver)) == (1, ["OPEN", "CLOSED"])
    assert close_windows(driver.office) == 0
    assert states(driver, ULANQAB) == ["OPEN"]  # its rules say nothing


def test_where_no_rules_say_so_nothing_is_closed(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = move_to(Driver(database), date(2039, 1, 10))
    purchase(driver, pharmacy, patient)
    move_to(driver, date(2039, 12, 1))
    assert close_windows(driver.office) == 0


def test_several_windows_that_are_due_are_closed_one_after_another(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = service(database, date(2039, 1, 10))
    purchase(driver, pharmacy, patient)
    move_to(driver, date(2039, 4, 3))
    assert [close_windows(driver.office) for _ in range(4)] == [1, 1, 1, 0]
    assert states(driver) == ["OPEN", "CLOSED", "CLOSED", "CLOSED"]


def test_a_window_with_an_open_difference_stays_open(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = service(database, date(2039, 1, 10))
    purchase(driver, pharmacy, patient)
    move_to(driver, DUE)
    add_difference(families, pharmacy, date(2039, 1, 10))
    assert (close_windows(driver.office), states(driver)) == (0, ["OPEN"])


def test_what_the_worker_closed_says_so_and_any_official_confirms_it(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = service(database, date(2039, 1, 10))
    purchase(driver, pharmacy, patient)
    move_to(driver, DUE)
    close_windows(driver.office)
    shown = windows(driver).windows[1]
    assert (shown.closed_by.role, shown.closed_by.actor) == (0, "close-windows")
    records = tables.audit_records.c
    query = select(records.role, records.actor, records.action, records.region)
    with database.reader() as tx:
        told: Any = tx.execute(query.where(records.subject_kind == "window")).all()
    assert [tuple(one) for one in told] == [("", "close-windows", "close-windows", HOHHOT)]
    assert state_of(confirm(driver, shown.window_id).window) == "CONFIRMED"


def test_however_many_try_a_window_is_closed_once(
    database: Database, families: Families, pharmacy: str, patient: Made
) -> None:
    driver = service(database, date(2039, 1, 10))
    purchase(driver, pharmacy, patient)

    def as_another(_: int) -> int:
        with Database(database.runtime_url) as own, closing(service(own, DUE)) as other:
            return close_windows(other.office)

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(as_another, range(3))) == 1
    move_to(driver, DUE)
    assert states(driver) == ["OPEN", "CLOSED"]
    assert window(driver).first_day.month == FEBRUARY.month
