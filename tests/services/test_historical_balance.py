"""GetHistoricalBalance: what an account held at an instant, once and for all."""

import random
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import psycopg
import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.days import timestamp
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.accounts import (
    HOHHOT,
    SERVICE,
    TIELING,
    account_of,
    credit,
    crediting,
    open_account,
    opening,
)
from tests.services.driver import Driver
from tests.services.entries import BEGIN, account_with, booked

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    office = Driver(shared_database)
    yield office
    office.close()


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person(HOHHOT)


def ask(
    driver: Driver, role: str, subject: object, account_id: object, at: datetime
) -> pb.GetHistoricalBalanceResponse:
    request = pb.GetHistoricalBalanceRequest(account_id=str(account_id), at=timestamp(at))
    answer = driver.call(role, subject, SERVICE, "GetHistoricalBalance", request)
    assert isinstance(answer, pb.GetHistoricalBalanceResponse)
    return answer


def held(driver: Driver, owner: object, account_id: object, at: datetime) -> tuple[int, int]:
    """Balance and seq, as the owner is told."""
    answer = ask(driver, "citizen", owner, account_id, at)
    return answer.balance_fen, answer.seq


def refused_field(driver: Driver, owner: Made, request: pb.GetHistoricalBalanceRequest) -> str:
    with pytest.raises(errors.InvalidField) as refused:
        driver.call("citizen", owner, SERVICE, "GetHistoricalBalance", request)
    [violation] = refused.value.violations
    return violation.field


def test_before_the_first_entry_there_was_nothing(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {"recorded_at": BEGIN})
    answer = ask(driver, "citizen", owner, account_id, BEGIN - MICROSECOND)
    assert (answer.balance_fen, answer.seq) == (0, 0)
    assert answer.at.ToDatetime(UTC) == BEGIN - MICROSECOND


def test_what_was_recorded_at_the_instant_counts(
    driver: Driver, families: Families, owner: Made
) -> None:
    same = {"recorded_at": BEGIN}
    account_id = account_with(families, owner, same, same, {"recorded_at": BEGIN + MICROSECOND})
    assert held(driver, owner, account_id, BEGIN) == (200, 2)


def test_what_happened_earlier_counts_from_when_it_was_recorded(
    driver: Driver, families: Families, owner: Made
) -> None:
    late = {"occurred_at": BEGIN - timedelta(days=30), "recorded_at": BEGIN}
    account_id = account_with(families, owner, late)
    assert held(driver, owner, account_id, BEGIN - timedelta(days=1)) == (0, 0)


def test_a_fraction_of_a_microsecond_is_not_yet_the_next_one(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {"recorded_at": BEGIN + MICROSECOND})
    request = pb.GetHistoricalBalanceRequest(account_id=str(account_id), at=timestamp(BEGIN))
    request.at.nanos += 999
    answer = driver.call("citizen", owner, SERVICE, "GetHistoricalBalance", request)
    assert (answer.balance_fen, answer.at) == (0, request.at)


def test_every_instant_of_any_history_is_answered_as_the_entries_say(
    driver: Driver, families: Families, owner: Made
) -> None:
    chance = random.Random(20260106)  # noqa: S311 - a test's own dice
    moments = sorted(BEGIN + chance.randint(0, 40) * MICROSECOND for _ in range(30))
    account_id = account_of(owner, families, HOHHOT)
    rows = booked(
        families,
        account_id,
        [{"recorded_at": at, "amount_fen": chance.randint(1, 500)} for at in moments],
    )
    for after in range(-1, 43):
        at = BEGIN + after * MICROSECOND
        before = [(row.balance_after_fen, row.seq) for row in rows if row.recorded_at <= at]
        assert held(driver, owner, account_id, at) == (before[-1] if before else (0, 0))


@pytest.mark.parametrize("ahead", [timedelta(seconds=30), timedelta(days=400)])
def test_an_instant_that_is_not_over_is_a_field_error(
    driver: Driver, families: Families, owner: Made, ahead: timedelta
) -> None:
    account_id = account_with(families, owner, {})
    request = pb.GetHistoricalBalanceRequest(account_id=str(account_id))
    request.at.FromDatetime(datetime.now(UTC) + ahead)
    assert refused_field(driver, owner, request) == "at"


def test_an_instant_that_is_none_is_a_field_error(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {})
    request = pb.GetHistoricalBalanceRequest(account_id=str(account_id))
    request.at.seconds = 10**15
    assert refused_field(driver, owner, request) == "at"


def test_the_clock_is_that_of_the_entries(families: Families, owner: Made) -> None:
    later = Driver(families.database, on=date(2031, 5, 6))
    account_id = open_account(later, opening(owner)).account.account_id
    recorded_at = credit(later, crediting(account_id, 700)).entry.recorded_at.ToDatetime(UTC)
    assert held(later, owner, account_id, recorded_at) == (700, 1)
    assert held(later, owner, account_id, recorded_at - MICROSECOND) == (0, 0)
    later.close()


@pytest.mark.parametrize("state", ["FROZEN", "CLOSED"])
def test_the_past_of_a_frozen_or_closed_account_is_told(
    driver: Driver, families: Families, owner: Made, state: str
) -> None:
    account_id = account_with(families, owner, {}, {"amount_fen": -100}, state=state)
    assert held(driver, owner, account_id, BEGIN + timedelta(hours=1)) == (100, 1)
    assert held(driver, owner, account_id, BEGIN + timedelta(hours=9)) == (0, 2)


def test_a_strangers_account_and_none_are_answered_alike(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {}, pool_region=TIELING)
    for role, subject in (("citizen", owner), ("agency", HOHHOT), ("agency", TIELING)):
        assert ask(driver, role, subject, account_id, BEGIN).seq == 0
    for named in (account_id, new_id(HOHHOT)):
        with pytest.raises(errors.AccessDenied):
            ask(driver, "citizen", families.person(HOHHOT), named, BEGIN)


def waits_for_a_lock(database: Database) -> bool:
    query = """SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    with database.connect() as tx:
        return tx.execute(query).rowcount > 0


def test_what_is_being_booked_is_waited_for(
    driver: Driver, families: Families, owner: Made
) -> None:
    database = families.database
    account_id = account_of(owner, families, HOHHOT)
    with ThreadPoolExecutor(1) as asking, database.connect() as booking:
        booking.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [str(account_id)])
        recorded_at = clock(booking)
        row = booked_by(booking, account_id, recorded_at)
        told: Future[tuple[int, int]] = asking.submit(held, driver, owner, account_id, recorded_at)
        while not (told.done() or waits_for_a_lock(database)):
            pass
        booking.commit()
        assert told.result() == row


def clock(tx: "psycopg.Connection[tuple[object, ...]]") -> datetime:
    row = tx.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None and isinstance(row[0], datetime)
    return row[0]


def booked_by(
    tx: "psycopg.Connection[tuple[object, ...]]", account_id: UUID, at: datetime
) -> tuple[int, int]:
    """An entry that `tx` has not committed: the balance after it, and its seq."""
    tx.execute(
        """INSERT INTO entries (region, account_id, seq, journal_id, kind, amount_fen,
                                balance_after_fen, occurred_at, recorded_at)
           VALUES (%s, %s, 1, %s, 'ALLOCATION', 800, 800, %s, %s)""",
        [HOHHOT, str(account_id), str(new_id(HOHHOT)), at, at],
    )
    return 800, 1


Told = tuple[UUID, datetime, tuple[int, int]]


def test_no_answer_given_amid_credits_is_ever_belied(database: Database) -> None:
    families = Families(database)
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(2)]
    accounts = {one.account_id: one for one in owners if one.account_id is not None}
    numbers, done = count(), threading.Event()

    def pay(seed: int) -> None:
        chance, own = random.Random(seed), Driver(database)  # noqa: S311 - a test's own dice
        for _ in range(120):
            request = crediting(
                chance.choice(list(accounts)),
                chance.randint(1, 99),
                request_id=f"c-{next(numbers)}",
            )
            credit(own, request)
        own.close()

    def question(seed: int) -> list[Told]:
        chance, own = random.Random(seed), Driver(database)  # noqa: S311 - a test's own dice
        told: list[Told] = []
        while not done.is_set():
            account_id, owner = chance.choice(list(accounts.items()))
            at = datetime.now(UTC) - timedelta(microseconds=chance.choice([0, 0, 300, 3_000]))
            told.append((account_id, at, held(own, owner, account_id, at)))
        own.close()
        return told

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(question, seed) for seed in range(3)]
        paying = [pool.submit(pay, seed) for seed in range(3)]
        for payer in paying:
            payer.result()
        done.set()
        told = [one for asker in asking for one in asker.result()]
    assert len({answer for _, _, answer in told}) > 10
    for account_id in accounts:
        history = recorded(database, account_id)
        moments = [at for at, _ in history]
        for named, at, answer in told:
            place = bisect_right(moments, at)
            if named == account_id:
                assert answer == (history[place - 1][1] if place else (0, 0)), at


def recorded(database: Database, account_id: UUID) -> Sequence[tuple[datetime, tuple[int, int]]]:
    """Every entry: when it was recorded, and the balance and seq since then."""
    query = """SELECT recorded_at, balance_after_fen, seq FROM entries
               WHERE account_id = %s ORDER BY seq"""
    with database.connect() as tx:
        found = tx.execute(query, [str(account_id)]).fetchall()
    return [(at, (balance, seq)) for at, balance, seq in found]  # type: ignore[misc]  # as the query says
