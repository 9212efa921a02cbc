"""The move of what is left of 当年 to 历年 at the turn of a year: what, whose, and once."""

import contextlib
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.upkeep.year_end import move_year_end
from tests.families import Families, Made
from tests.services.account_work import check_histories, decide, freeze, kept, propose
from tests.services.accounts import (
    HOHHOT,
    PARTED,
    TIELING,
    ULANQAB,
    account_of,
    credit,
    crediting,
    list_accounts,
    rules,
    written,
)
from tests.services.driver import Driver
from tests.services.holds import hold, holding
from tests.services.rules import driver_with
from tests.services.test_credit import sums

MOVING = {**PARTED, "year_end_move": True}
LAST_DAY, FIRST_DAY = date(2039, 12, 31), date(2040, 1, 1)
MEMO = "年终结转"
MANY = 75  # people: more than two chunks, and not a multiple of one


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def before(database: Database) -> Driver:
    """The service on the last day of the old year."""
    return on(database, LAST_DAY)


@pytest.fixture
def after(database: Database) -> Driver:
    """The service on the first day of the new year."""
    return on(database, FIRST_DAY)


def on(database: Database, day: date, stated: Mapping[str, object] = MOVING) -> Driver:
    driver = Driver(database, on=day)
    driver.office.rulebook = rules(HOHHOT, stated)
    return driver


def current_of(families: Families, owner: Made, region: str = HOHHOT, **columns: Any) -> UUID:
    """An account of the current year that was there long before."""
    return account_of(owner, families, region, kind="CURRENT_YEAR", **columns)


def pair_of(families: Families, balance_fen: int, **columns: Any) -> tuple[UUID, UUID]:
    """Somebody's accounts of the current year and of past years."""
    owner = families.person(HOHHOT)
    current = current_of(families, owner, balance_fen=balance_fen, **columns)
    return current, account_of(owner, families, HOHHOT, kind="PAST_YEARS")


def move_all(driver: Driver) -> int:
    """Do all that is due; how many people were looked at."""
    looked = 0
    while some := move_year_end(driver.office):
        looked += some
    return looked


def balances(database: Database, *account_ids: UUID) -> list[int]:
    return [kept(database, one).balance_fen for one in account_ids]


def claims(database: Database) -> int:
    with database.connect() as tx:
        row = tx.execute("SELECT count(*) FROM requests WHERE caller LIKE 'move%'").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_what_is_left_moves_to_past_years_and_both_accounts_tell(
    before: Driver, after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 0)
    credit(before, crediting(current, 300))
    assert move_year_end(after.office) == 1
    assert written(database, current)[1:] == [(2, "TRANSFER", -300, 0, MEMO)]
    assert written(database, past) == [(1, "TRANSFER", 300, 300, MEMO)]
    assert sums(database) == []
    check_histories(database)


def test_the_entry_counts_at_the_turn_and_is_recorded_when_it_was_made(
    after: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    current = current_of(families, owner, balance_fen=300)
    move_year_end(after.office)
    request = pb.ListEntriesRequest(account_id=str(current))
    [entry] = after.call("citizen", owner, "AccountService", "ListEntries", request).entries
    assert entry.kind == pb.ENTRY_KIND_TRANSFER
    assert entry.occurred_at.ToDatetime(UTC) == start_of(FIRST_DAY)
    assert entry.recorded_at.ToDatetime(UTC) > start_of(FIRST_DAY) + timedelta(hours=11)


def test_an_account_of_past_years_is_opened_where_there_is_none(
    after: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, home=TIELING)
    current = current_of(families, owner, balance_fen=300)
    move_year_end(after.office)
    first, second = list_accounts(after, "citizen", owner, owner).accounts
    assert (first.account_id, first.balance_fen) == (str(current), 0)
    assert (second.region, second.balance_fen, second.seq) == (HOHHOT, 300, 1)
    assert second.state == pb.ACCOUNT_STATE_OPEN
    assert second.shareable_fen == 300


def test_nothing_is_opened_for_whom_nothing_is_left(after: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    current_of(families, owner)
    assert move_year_end(after.office) == 1
    assert len(list_accounts(after, "citizen", owner, owner).accounts) == 1


def test_what_came_in_since_the_turn_stays(
    before: Driver, after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 0)
    credit(before, crediting(current, 300, request_id="c-1"))
    credit(after, crediting(current, 50, request_id="c-2"))
    move_year_end(after.office)
    assert balances(database, current, past) == [50, 300]


@pytest.mark.parametrize(("spent_fen", "left_fen"), [(120, [50, 180]), (330, [20, 0])])
def test_what_was_spent_since_the_turn_took_the_older_money_first(
    after: Driver, families: Families, database: Database, spent_fen: int, left_fen: list[int]
) -> None:
    current, past = pair_of(families, 300)
    credit(after, crediting(current, 50))
    decide(after, propose(after, current, -spent_fen).adjustment_id)
    move_year_end(after.office)
    assert balances(database, current, past) == left_fen


def test_what_is_held_or_quota_stays(after: Driver, families: Families, database: Database) -> None:
    current, past = pair_of(families, 300, held_fen=100, frozen_quota_fen=30)
    move_year_end(after.office)
    assert balances(database, current, past) == [130, 170]


def test_a_hold_whose_time_has_passed_holds_nothing_back(
    before: Driver, after: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    current = current_of(families, owner, balance_fen=300)
    past = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
    hold(before, "agency", HOHHOT, holding(current, owner, 100))
    move_year_end(after.office)
    assert balances(database, current, past) == [0, 300]


def test_nothing_leaves_a_frozen_account(
    after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 300)
    freeze(after, current)
    move_year_end(after.office)
    assert balances(database, current, past) == [300, 0]


def test_a_frozen_account_of_past_years_takes_what_is_left(
    after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 300)
    freeze(after, past)
    move_year_end(after.office)
    assert balances(database, current, past) == [0, 300]


def test_a_closed_account_of_past_years_takes_nothing(
    after: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    current = current_of(families, owner, balance_fen=300)
    closed = account_of(owner, families, HOHHOT, kind="PAST_YEARS", state="CLOSED")
    move_year_end(after.office)
    assert balances(database, current, closed) == [0, 0]
    assert len(list_accounts(after, "citizen", owner, owner).accounts) == 3


def test_money_that_goes_to_past_years_in_other_books_is_cleared(
    after: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    current = current_of(families, owner, balance_fen=300)
    past = account_of(owner, families, ULANQAB, kind="PAST_YEARS")
    move_year_end(after.office)
    assert balances(database, current, past) == [0, 300]
    assert sums(database) == []


# --- once a year


def test_a_year_is_moved_once_whatever_comes_later(
    after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 300, held_fen=100)
    assert move_year_end(after.office) == 1
    with database.connect() as tx:
        tx.execute("UPDATE accounts SET held_fen = 0")
    credit(after, crediting(current, 50))
    assert move_year_end(after.office) == 0
    assert move_year_end(on(database, date(2040, 7, 1)).office) == 0
    assert balances(database, current, past) == [150, 200]


def test_the_next_turn_moves_what_stayed(
    after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 300)
    move_year_end(after.office)
    credit(after, crediting(current, 50))
    assert move_year_end(on(database, date(2041, 1, 1)).office) == 1
    assert balances(database, current, past) == [0, 350]


def test_a_late_look_moves_what_an_early_one_would_have_moved(
    before: Driver, after: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 0)
    credit(before, crediting(current, 300, request_id="c-1"))
    credit(after, crediting(current, 50, request_id="c-2"))
    move_year_end(on(database, date(2040, 11, 30)).office)
    assert balances(database, current, past) == [50, 300]


def test_this_years_money_does_not_move_in_this_year(
    before: Driver, families: Families, database: Database
) -> None:
    current, past = pair_of(families, 0)
    credit(before, crediting(current, 300))
    move_year_end(before.office)
    assert balances(database, current, past) == [300, 0]


# --- where the rules say so


@pytest.mark.parametrize("stated", [PARTED, {**MOVING, "year_end_move": False}])
def test_nothing_moves_where_the_rules_do_not_say_so(
    families: Families, database: Database, stated: Mapping[str, object]
) -> None:
    current, past = pair_of(families, 300)
    assert move_year_end(on(database, FIRST_DAY, stated).office) == 0
    assert balances(database, current, past) == [300, 0]
    assert claims(database) == 0


def test_rules_that_come_after_the_turn_move_nothing_before_the_next(
    families: Families, database: Database
) -> None:
    stated = {f"accounts.{name}": value for name, value in MOVING.items()}
    current, past = pair_of(families, 300)
    early = driver_with(database, HOHHOT, stated, on=date(2025, 1, 10))
    assert move_year_end(early.office) == 0
    assert balances(database, current, past) == [300, 0]
    late = driver_with(database, HOHHOT, stated, on=date(2026, 1, 10))
    assert move_year_end(late.office) == 1
    assert balances(database, current, past) == [0, 300]


def test_accounts_in_other_books_and_of_other_kinds_stay(
    after: Driver, families: Families, database: Database
) -> None:
    elsewhere = current_of(families, families.person(TIELING), TIELING, balance_fen=300)
    general = account_of(families.person(HOHHOT), families, HOHHOT, balance_fen=300)
    move_year_end(after.office)
    assert balances(database, elsewhere, general) == [300, 300]
    assert written(database, elsewhere) == []


def test_a_region_without_a_file_has_its_provinces_rules(
    families: Families, database: Database
) -> None:
    driver = Driver(database, on=FIRST_DAY)
    driver.office.rulebook = rules("150000", MOVING)
    owner = families.person("150200")
    current = current_of(families, owner, "150200", balance_fen=300)
    move_year_end(driver.office)
    assert balances(database, current) == [0]


# --- many people, many at work


def many(families: Families) -> list[tuple[UUID, UUID, int]]:
    """People of two home regions with accounts: current, past, and what the first holds."""
    made = []
    for number in range(MANY):
        owner = families.person(HOHHOT, home=(HOHHOT, ULANQAB)[number % 2])
        current = current_of(families, owner, balance_fen=100 + number)
        past = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
        made.append((current, past, 100 + number))
    return made


def check_moved(database: Database, made: list[tuple[UUID, UUID, int]]) -> None:
    """Each moved once, all of it, and nothing else did."""
    for current, past, fen in made:
        assert [entry[1:3] for entry in written(database, past)] == [("TRANSFER", fen)]
        assert [one[2] for one in written(database, current) if one[1] == "TRANSFER"] == [-fen]
    assert sums(database) == []
    check_histories(database)


def test_everybody_is_moved_and_then_nothing_is_due(
    after: Driver, families: Families, database: Database
) -> None:
    made = many(families)
    assert move_all(after) == MANY
    check_moved(database, made)
    claimed = claims(database)
    assert move_all(after) == 0
    assert claims(database) == claimed < MANY // 10


def test_several_at_once_move_everybody_once_while_money_comes_in(
    families: Families, database: Database
) -> None:
    made = many(families)
    drivers = [on(database, FIRST_DAY) for _ in range(4)]

    def credits(driver: Driver, seed: int) -> int:
        pick = random.Random(seed)  # noqa: S311 - a seeded walk, no secret
        for number in range(60):
            request = crediting(pick.choice(made)[0], 1, request_id=f"c-{seed}-{number}")
            credit(driver, request)
        return 60

    with ThreadPoolExecutor(6) as pool:
        coming = [pool.submit(credits, on(database, FIRST_DAY), seed) for seed in range(2)]
        moving = [pool.submit(move_all, driver) for driver in drivers]
        came_fen = sum(one.result() for one in coming)
        looked = sum(one.result() for one in moving)
    assert looked == MANY
    check_moved(database, made)
    assert sum(balances(database, *(current for current, _, _ in made))) == came_fen


def test_who_dies_in_the_middle_leaves_the_rest_to_the_next(
    families: Families, database: Database
) -> None:
    made = many(families)

    def moves(driver: Driver) -> None:
        with contextlib.suppress(ServiceUnavailable, DatabaseUnavailable):
            move_year_end(driver.office)

    with ThreadPoolExecutor(3) as pool:
        moving = [pool.submit(moves, on(database, FIRST_DAY)) for _ in range(12)]
        while wait(moving, timeout=0.05).not_done:
            end_all(database)
    for one in moving:
        one.result()
    move_all(on(database, FIRST_DAY))
    check_moved(database, made)


def end_all(database: Database) -> None:
    """End every other connection to the database in the middle of what it does."""
    with database.connect() as tx:
        tx.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
