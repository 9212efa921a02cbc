"""Clearing windows as an agency reads them: by day, in lists, and nobody else's."""

from datetime import date, timedelta

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.refunds import refund
from tests.services.till import HOHHOT, TIELING
from tests.services.windows import (
    FEBRUARY,
    JANUARY,
    MARCH,
    ask,
    close,
    closed_january,
    days_of,
    move_to,
    positions,
    state_of,
    sum_all,
    window,
    windows,
)

LAST_OF_JANUARY = FEBRUARY - timedelta(days=1)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return move_to(Driver(database), date(2039, 1, 10))


@pytest.fixture
def patient(families: Families) -> Made:
    families.item("150000", "XA01")
    return families.person(HOHHOT, balance_fen=1_000_000)


@pytest.fixture
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def test_a_window_is_found_by_a_day_in_it(driver: Driver, pharmacy: str, patient: Made) -> None:
    january = closed_january(driver, pharmacy, patient)
    for day in (JANUARY, LAST_OF_JANUARY):
        assert window(driver, region=HOHHOT, on_date=date_of(day)) == january
    found = window(driver, region=HOHHOT, on_date=date_of(FEBRUARY))
    assert (found, state_of(found)) == (window(driver), "OPEN")
    for day in (date(2038, 12, 31), MARCH):
        with pytest.raises(errors.WindowNotFound):
            window(driver, region=HOHHOT, on_date=date_of(day))


def test_windows_are_listed_newest_first_page_by_page(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    for month in (2, 3, 4):
        move_to(driver, date(2039, month, 1))
        close(driver)
    listed: list[tuple[int, str]] = []
    token = ""
    while not listed or token:
        page = windows(driver, page_size=1, page_token=token)
        listed += [(days_of(one)[0].month, state_of(one)) for one in page.windows]
        token = page.next_page_token
    assert listed == [(4, "OPEN"), (3, "CLOSED"), (2, "CLOSED"), (1, "CLOSED")]
    closed = windows(driver, states=[pb.WINDOW_STATE_CLOSED]).windows
    assert [days_of(one)[0].month for one in closed] == [3, 2, 1]
    assert not windows(driver, states=[pb.WINDOW_STATE_SETTLED]).windows


def test_another_regions_windows_are_nobodys_whether_they_exist_or_not(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    january = closed_january(driver, pharmacy, patient)
    for window_id in (january.window_id, str(new_id(HOHHOT)), window(driver).window_id):
        requests = {
            "GetWindow": pb.GetWindowRequest(window_id=window_id),
            "ListPositions": pb.ListPositionsRequest(window_id=window_id),
            "ConfirmWindow": pb.ConfirmWindowRequest(window_id=window_id),
            "SettleWindow": pb.SettleWindowRequest(window_id=window_id),
            "CloseWindow": pb.CloseWindowRequest(region=TIELING, window_id=window_id),
        }
        for rpc, request in requests.items():
            with pytest.raises(errors.AccessDenied):
                ask(driver, rpc, request, TIELING)
    with pytest.raises(errors.AccessDenied):
        close(driver, TIELING, region=HOHHOT)


def test_sums_of_days_change_nothing_of_what_is_read(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    for day in (3, 4, 20):
        move_to(driver, date(2039, 1, day))
        refund(driver, purchase(driver, pharmacy, patient, 1_000))
        purchase(driver, pharmacy, patient, day * 100)
    before = window(driver), positions(driver, window(driver).window_id)
    assert sum_all(driver) > 0
    assert before == (window(driver), positions(driver, window(driver).window_id))
    assert window(driver).payable_fen == 2_700
