"""What an agency does with its windows, and a service whose clock a test sets.

Rule: a request has an id of its own unless a test names one; one official closes, another confirms.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.message import Message

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain.calendar import start_of
from gongji_svc.services.days import date_of
from gongji_svc.storage import tables
from gongji_svc.storage.ids import id_about, new_id
from gongji_svc.upkeep.clearing_days import sum_days
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.till import HOHHOT

SERVICE = "ClearingService"
CLERK, CHIEF = "a-1", "a-2"
JANUARY, FEBRUARY, MARCH = date(2039, 1, 1), date(2039, 2, 1), date(2039, 3, 1)
LONG_AGO = datetime(2019, 1, 10, tzinfo=UTC)


def move_to(driver: Driver, day: date, hour: float = 12) -> Driver:
    """Set the service's clock to an hour of a day in Asia/Shanghai."""
    driver.close()
    moment = start_of(day) + timedelta(hours=hour)
    driver.office.clock_offset = moment - datetime.now().astimezone()
    return driver


def ask(driver: Driver, rpc: str, request: Any, agency: str = HOHHOT, *, actor: str = CLERK) -> Any:
    """What the agency is answered."""
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = request.request_id or str(uuid4())
    return driver.call("agency", agency, SERVICE, rpc, request, actor=actor)


def close(
    driver: Driver, agency: str = HOHHOT, last_day: date | None = None, **fields: Any
) -> pb.CloseWindowResponse:
    """The answer to CloseWindow."""
    request = pb.CloseWindowRequest(**{"region": agency, "last_day": date_of(last_day), **fields})
    answer = ask(driver, "CloseWindow", request, agency)
    assert isinstance(answer, pb.CloseWindowResponse)
    return answer


def confirm(
    driver: Driver, window_id: str, agency: str = HOHHOT, *, actor: str = CHIEF, **fields: Any
) -> pb.ConfirmWindowResponse:
    """The answer to ConfirmWindow, by another than who closes unless told otherwise."""
    request = pb.ConfirmWindowRequest(window_id=window_id, **fields)
    answer = ask(driver, "ConfirmWindow", request, agency, actor=actor)
    assert isinstance(answer, pb.ConfirmWindowResponse)
    return answer


def settle_window(
    driver: Driver, window_id: str, agency: str = HOHHOT, *, actor: str = CLERK, **fields: Any
) -> pb.SettleWindowResponse:
    """The answer to SettleWindow."""
    request = pb.SettleWindowRequest(window_id=window_id, **fields)
    answer = ask(driver, "SettleWindow", request, agency, actor=actor)
    assert isinstance(answer, pb.SettleWindowResponse)
    return answer


def window(driver: Driver, agency: str = HOHHOT, **named: Any) -> pb.Window:
    """A window as it is read; the open one unless a test names another."""
    request = pb.GetWindowRequest(**(named or {"region": agency}))
    found = ask(driver, "GetWindow", request, agency).window
    assert isinstance(found, pb.Window)
    return found


def windows(driver: Driver, agency: str = HOHHOT, **fields: Any) -> pb.ListWindowsResponse:
    """A page of the region's windows."""
    answer = ask(driver, "ListWindows", pb.ListWindowsRequest(region=agency, **fields), agency)
    assert isinstance(answer, pb.ListWindowsResponse)
    return answer


def positions(
    driver: Driver, window_id: str, agency: str = HOHHOT, **fields: Any
) -> pb.ListPositionsResponse:
    """A page of a window's positions."""
    request: Message = pb.ListPositionsRequest(window_id=window_id, **fields)
    answer = ask(driver, "ListPositions", request, agency)
    assert isinstance(answer, pb.ListPositionsResponse)
    return answer


def sums(found: pb.ListPositionsResponse) -> dict[str, tuple[int, int, int, int, int]]:
    """By code: payable, receivable, fund and account part of the net, journals."""
    return {
        one.institution_code or one.counter_region: (
            one.payable_fen,
            one.receivable_fen,
            one.fund_fen,
            one.account_fen,
            one.journals,
        )
        for one in found.positions
    }


def state_of(shown: pb.Window) -> str:
    """The name of its state."""
    return pb.WindowState.Name(shown.state).removeprefix("WINDOW_STATE_")


def days_of(shown: pb.Window) -> tuple[date, date]:
    """Its first and last day."""
    ends = (shown.first_day, shown.last_day)
    first, last = (date(day.year, day.month, day.day) for day in ends)
    return first, last


def book_long_ago(families: Families, region: str) -> None:
    """A journal of long ago, so that the region's windows begin then."""
    journal_id = id_about(region, LONG_AGO, uuid4().bytes)
    for line_no, amount_fen in ((1, 1), (2, -1)):
        line = (region, journal_id, line_no, "ADJUSTMENT", region, amount_fen, LONG_AGO)
        families.write(("ledger_lines", line))


def add_difference(families: Families, code: str, day: date) -> UUID:
    """A difference of an institution's day that is open."""
    difference_id = new_id(HOHHOT)
    row = {
        "region": HOHHOT,
        "id": difference_id,
        "institution_code": code,
        "day": day,
        "content": difference_id.bytes,
        "kind": "MISSING_THERE",
        "request_id": "",
        "refund": False,
        "there": {},
        "here": {},
        "state": "OPEN",
        "resolution": "",
        "note": "",
        "found_at": "2039-01-31T00:00:00Z",
        "resolved_by": {},
        "comparison": uuid4(),
    }
    with families.database.transaction() as tx:
        tx.execute(tables.differences.insert(), row)
    return difference_id


def sum_all(driver: Driver) -> int:
    """Let the worker sum what is over; how many days."""
    done = 0
    while some := sum_days(driver.office):
        done += some
    return done


def closed_january(driver: Driver, pharmacy: str, patient: Made) -> pb.Window:
    """January with one purchase of 100 yuan, closed on the first of February."""
    purchase(driver, pharmacy, patient)
    move_to(driver, FEBRUARY)
    return close(driver).window
