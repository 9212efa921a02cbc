"""Clearing windows: what closes them, who confirms them, and what is read of them."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage import tables
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.refunds import cancel, refund
from tests.services.till import HOHHOT
from tests.services.windows import (
    CHIEF,
    CLERK,
    FEBRUARY,
    JANUARY,
    MARCH,
    add_difference,
    close,
    closed_january,
    confirm,
    days_of,
    move_to,
    positions,
    settle_window,
    state_of,
    sums,
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


# --- the open window


def test_a_region_without_a_journal_has_no_window(driver: Driver) -> None:
    with pytest.raises(errors.WindowNotFound):
        window(driver)
    with pytest.raises(errors.WindowNotFound):
        close(driver)
    assert not windows(driver).windows


def test_the_first_window_is_the_month_of_the_first_journal(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    shown = window(driver)
    assert (state_of(shown), days_of(shown)) == ("OPEN", (JANUARY, LAST_OF_JANUARY))
    assert shown.region == HOHHOT
    assert not shown.HasField("closed_at")


def test_an_open_window_tells_what_was_settled_and_what_came_back(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    settled = [purchase(driver, pharmacy, patient, fen) for fen in (10_000, 20_000, 40_000)]
    refund(driver, settled[0])
    cancel(driver, pharmacy, settled[1].request_id)
    shown = window(driver)
    assert shown.totals == pb.Totals(
        settlements=3,
        refunds=2,
        total_fen=40_000,
        fund_pay_fen=0,
        account_pay_fen=40_000,
        mutual_aid_pay_fen=0,
        cash_pay_fen=0,
    )
    assert (shown.payable_fen, shown.net_fen) == (40_000, 0)


def test_what_relatives_paid_and_cash_are_told_apart(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    families.item("150000", "XA01")
    child = families.person(HOHHOT, balance_fen=2_000)
    families.bind(families.person(HOHHOT, balance_fen=3_000), child)
    settled = [purchase(driver, pharmacy, child, 10_000)]
    totals = window(driver).totals
    assert (totals.account_pay_fen, totals.mutual_aid_pay_fen, totals.cash_pay_fen) == (
        settled[0].breakdown.account_pay_fen,
        settled[0].breakdown.mutual_aid_pay_fen,
        settled[0].breakdown.cash_pay_fen,
    )
    refund(driver, settled[0])
    totals = window(driver).totals
    assert (totals.total_fen, totals.mutual_aid_pay_fen, totals.cash_pay_fen) == (0, 0, 0)


# --- closing


def test_a_closed_window_is_kept_as_it_was_and_the_next_one_is_open(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    before = purchase(driver, pharmacy, patient)
    shown = window(driver)
    move_to(driver, FEBRUARY)
    answer = close(driver)
    assert answer.window.window_id == shown.window_id
    assert (state_of(answer.window), days_of(answer.window)) == (
        "CLOSED",
        (JANUARY, LAST_OF_JANUARY),
    )
    assert (answer.window.closed_by.subject, answer.window.closed_by.actor) == (HOHHOT, CLERK)
    assert state_of(answer.next_window) == "OPEN"
    assert days_of(answer.next_window) == (FEBRUARY, MARCH - timedelta(days=1))
    assert window(driver) == answer.next_window
    refund(driver, before)
    assert window(driver, window_id=answer.window.window_id) == answer.window


@pytest.mark.requirement("RF-03")
def test_what_came_back_after_a_close_falls_into_the_next_window(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    before = purchase(driver, pharmacy, patient)
    move_to(driver, FEBRUARY)
    january = close(driver).window
    refund(driver, before)
    february = window(driver)
    assert (january.payable_fen, february.payable_fen) == (10_000, -10_000)
    assert (february.totals.refunds, february.totals.total_fen) == (1, -10_000)
    found = sums(positions(driver, february.window_id))
    assert found == {pharmacy: (0, 10_000, 0, 10_000, 1)}


def test_a_window_is_not_closed_before_its_last_day_is_over(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    move_to(driver, LAST_OF_JANUARY, hour=23.9)
    with pytest.raises(errors.WindowNotEnded) as refused:
        close(driver)
    assert "2039-01-31" in refused.value.message_zh


def test_an_agency_may_name_another_last_day_that_is_over(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    move_to(driver, date(2039, 1, 21))
    with pytest.raises(errors.WindowNotEnded):
        close(driver, last_day=date(2039, 1, 21))
    with pytest.raises(errors.InvalidField):
        close(driver, last_day=date(2038, 12, 31))
    answer = close(driver, last_day=date(2039, 1, 20))
    assert days_of(answer.window) == (JANUARY, date(2039, 1, 20))
    assert days_of(answer.next_window) == (date(2039, 1, 21), LAST_OF_JANUARY)


def test_a_window_with_an_open_difference_is_not_closed(
    driver: Driver, families: Families, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    move_to(driver, FEBRUARY)
    difference_id = add_difference(families, pharmacy, LAST_OF_JANUARY)
    assert window(driver).open_differences == 1
    with pytest.raises(errors.WindowHasDifferences):
        close(driver)
    with families.database.connect() as tx:
        tx.execute("UPDATE differences SET state = 'RESOLVED' WHERE id = %s", [difference_id])
    assert close(driver).window.open_differences == 0


def test_a_difference_of_the_next_window_holds_no_close_up(
    driver: Driver, families: Families, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    move_to(driver, FEBRUARY)
    add_difference(families, pharmacy, FEBRUARY)
    answer = close(driver)
    assert (answer.window.open_differences, answer.next_window.open_differences) == (0, 1)


def test_only_the_open_window_is_closed(driver: Driver, pharmacy: str, patient: Made) -> None:
    january = closed_january(driver, pharmacy, patient)
    move_to(driver, MARCH)
    with pytest.raises(errors.WindowNotOpen):
        close(driver, window_id=january.window_id)
    with pytest.raises(errors.WindowNotFound):
        close(driver, window_id=str(new_id(HOHHOT)))
    february = window(driver)
    closed = close(driver, window_id=february.window_id).window
    assert closed.window_id == february.window_id


def test_a_repeat_is_answered_as_the_first_time_whatever_was_closed_since(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    purchase(driver, pharmacy, patient)
    move_to(driver, FEBRUARY)
    first = close(driver, request_id="c-1")
    again = close(driver, request_id="c-1")
    assert (again.replayed, again.window, again.next_window) == (
        True,
        first.window,
        first.next_window,
    )
    with pytest.raises(errors.RequestIdReused):
        close(driver, last_day=LAST_OF_JANUARY, request_id="c-1")
    assert len(windows(driver).windows) == 2


def test_a_window_without_a_journal_is_closed_like_any(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    closed_january(driver, pharmacy, patient)
    move_to(driver, MARCH)
    empty = close(driver).window
    assert (empty.payable_fen, empty.totals.settlements) == (0, 0)
    assert not positions(driver, empty.window_id).positions


# --- confirming and settling


def test_a_window_is_confirmed_and_then_settled(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    january = closed_january(driver, pharmacy, patient)
    confirmed = confirm(driver, january.window_id).window
    assert (state_of(confirmed), confirmed.confirmed_by.actor) == ("CONFIRMED", CHIEF)
    settled = settle_window(driver, january.window_id, payment_reference="拨2039-001").window
    assert (state_of(settled), settled.settled_by.actor) == ("SETTLED", CLERK)
    assert settled.payment_reference == "拨2039-001"
    assert window(driver, window_id=january.window_id) == settled
    assert (settled.payable_fen, settled.totals) == (january.payable_fen, january.totals)


def test_who_closed_a_window_does_not_confirm_it(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    january = closed_january(driver, pharmacy, patient)
    with pytest.raises(errors.SecondActorRequired):
        confirm(driver, january.window_id, actor=CLERK)
    assert state_of(window(driver, window_id=january.window_id)) == "CLOSED"


def test_steps_are_taken_in_their_order_and_once(
    driver: Driver, pharmacy: str, patient: Made
) -> None:
    january = closed_january(driver, pharmacy, patient)
    february = window(driver).window_id
    for step in (confirm, settle_window):
        with pytest.raises(errors.WindowStepNotAllowed):
            step(driver, february)
        with pytest.raises(errors.WindowNotFound):
            step(driver, str(new_id(HOHHOT)))
    with pytest.raises(errors.WindowStepNotAllowed):
        settle_window(driver, january.window_id)
    assert not confirm(driver, january.window_id, request_id="k-1").replayed
    assert confirm(driver, january.window_id, request_id="k-1").replayed
    with pytest.raises(errors.WindowStepNotAllowed):
        confirm(driver, january.window_id)
    settle_window(driver, january.window_id)
    with pytest.raises(errors.WindowStepNotAllowed):
        settle_window(driver, january.window_id)


def test_each_step_is_in_the_trail_with_what_it_changed(
    driver: Driver, database: Database, pharmacy: str, patient: Made
) -> None:
    january = closed_january(driver, pharmacy, patient)
    confirm(driver, january.window_id)
    settle_window(driver, january.window_id, payment_reference="P-1")
    records = tables.audit_records.c
    query = (
        select(*records)
        .where(records.subject_kind == "window", records.subject_id == january.window_id)
        .order_by(records.recorded_at)
    )
    with database.reader() as tx:
        trail = [AuditRow(*row) for row in tx.execute(query)]
    told = [
        (one.actor, {change["field"]: change["after"] for change in one.changes}) for one in trail
    ]
    assert [(actor, changed.get("state")) for actor, changed in told] == [
        (CLERK, '"CLOSED"'),
        (CHIEF, '"CONFIRMED"'),
        (CLERK, '"SETTLED"'),
    ]
    assert told[0][1]["payable_fen"] == "10000"
    assert told[2][1]["payment_reference"] == '"P-1"'
