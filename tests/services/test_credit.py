"""Credit: money into an account, once, and never without its other side."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.accounts import (
    HOHHOT,
    SERVICE,
    ULANQAB,
    account_of,
    credit,
    crediting,
    get_account,
    opened_in,
    written,
)  # fmt: skip
from tests.services.driver import Driver

GREATEST_FEN = 10**15


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def sums(database: Database) -> list[tuple[Any, ...]]:
    """What each region's books add up to, of all journals; zero is left out."""
    query = """SELECT region, journal_id, sum(amount_fen) FROM (
                   SELECT accounts.pool_region AS region, journal_id, amount_fen
                   FROM entries JOIN accounts ON accounts.id = account_id
                   UNION ALL SELECT region, journal_id, amount_fen FROM ledger_lines) AS moved
               GROUP BY region, journal_id HAVING sum(amount_fen) <> 0"""
    with database.connect() as tx:
        return tx.execute(query).fetchall()


def test_a_credit_is_answered_with_the_entry_as_it_is_written(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = account_of(
        families.person(HOHHOT), families, HOHHOT, id=opened_in(2020), balance_fen=100
    )
    occurred_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=400)
    request = crediting(account_id, 500, memo="2025年5月划入")
    request.occurred_at.FromDatetime(occurred_at)
    entry = credit(driver, request).entry
    assert (entry.seq, entry.amount_fen, entry.balance_after_fen) == (1, 500, 600)
    assert (entry.kind, entry.memo) == (pb.ENTRY_KIND_ALLOCATION, "2025年5月划入")
    assert entry.account_id == str(account_id)
    assert entry.counterparty == driver.office.policy(HOHHOT, driver.office.today()).region_name
    query = """SELECT account_id || ':' || seq, journal_id, occurred_at, recorded_at FROM entries"""
    with database.connect() as tx:
        row = tx.execute(query).fetchone()
    assert row is not None
    assert (entry.entry_id, entry.journal_id) == (row[0], str(row[1]))
    assert (entry.occurred_at.ToDatetime(UTC), entry.recorded_at.ToDatetime(UTC)) == row[2:]
    assert row[2] == occurred_at


@pytest.mark.parametrize("kind", ["ALLOCATION", "INTEREST", "OTHER"])
def test_an_entry_tells_why_the_money_came(
    driver: Driver, families: Families, database: Database, kind: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    number = pb.CreditKind.Value(f"CREDIT_KIND_{kind}")
    memo = "补记" if kind == "OTHER" else None
    entry = credit(driver, crediting(owner.account_id, 5, kind=number, memo=memo)).entry
    assert pb.EntryKind.Name(entry.kind) == f"ENTRY_KIND_{kind}"
    assert written(database, owner.account_id) == [(1, kind, 5, 5, memo)]


def test_a_credit_without_an_instant_counts_now(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    entry = credit(driver, crediting(owner.account_id)).entry
    assert entry.occurred_at == entry.recorded_at
    assert abs(entry.occurred_at.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_contributions_of_the_region_give_what_the_account_gets(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(ULANQAB, home=HOHHOT)
    account_id = account_of(owner, families, ULANQAB)
    credit(driver, crediting(account_id, 500), ULANQAB)
    with database.connect() as tx:
        lines = tx.execute("SELECT region, side, counterparty, amount_fen FROM ledger_lines")
        assert lines.fetchall() == [(ULANQAB, "CONTRIBUTION", ULANQAB, -500)]
    assert sums(database) == []


def test_a_repeat_gets_the_first_entry_and_moves_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    first = credit(driver, crediting(owner.account_id))
    credit(driver, crediting(owner.account_id, 3, request_id="c-2"))
    again = credit(driver, crediting(owner.account_id))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.entry == first.entry
    assert len(written(database, owner.account_id)) == 2


def test_the_same_request_with_another_amount_names_the_field(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    credit(driver, crediting(owner.account_id, 500))
    with pytest.raises(errors.RequestIdReused) as refused:
        credit(driver, crediting(owner.account_id, 501))
    assert [violation.field for violation in refused.value.violations] == ["amount_fen"]


def test_request_ids_of_two_agencies_have_nothing_to_do_with_each_other(
    driver: Driver, families: Families
) -> None:
    for region in (HOHHOT, ULANQAB):
        owner = families.person(region, balance_fen=0)
        assert not credit(driver, crediting(owner.account_id), region).replayed


def test_a_frozen_account_is_credited(driver: Driver, families: Families) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, state="FROZEN")
    assert credit(driver, crediting(account_id, 7)).entry.balance_after_fen == 7


def test_a_closed_account_is_not_credited(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    with pytest.raises(errors.AccountClosed):
        credit(driver, crediting(account_id))
    assert written(database, account_id) == []


def test_another_regions_account_and_none_are_answered_alike(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    for account_id in (owner.account_id, new_id(ULANQAB), "018f2a00-0000-7000-8000-000000000001"):
        with pytest.raises(errors.AccessDenied):
            credit(driver, crediting(account_id), ULANQAB)
    assert written(database, owner.account_id) == []


def test_the_home_region_does_not_credit_what_stands_in_anothers_books(
    driver: Driver, families: Families
) -> None:
    account_id = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    with pytest.raises(errors.AccessDenied):
        credit(driver, crediting(account_id), HOHHOT)


def test_a_balance_has_an_upper_bound(driver: Driver, families: Families) -> None:
    account_id = account_of(
        families.person(HOHHOT), families, HOHHOT, balance_fen=GREATEST_FEN - 500
    )
    assert credit(driver, crediting(account_id, 500)).entry.balance_after_fen == GREATEST_FEN
    with pytest.raises(errors.BalanceTooLarge):
        credit(driver, crediting(account_id, 1, request_id="c-2"))


@pytest.mark.parametrize(("ahead", "allowed"), [(4, True), (6, False)])
def test_a_credit_happens_at_most_five_minutes_ahead(
    driver: Driver, families: Families, ahead: int, allowed: bool
) -> None:
    request = crediting(families.person(HOHHOT, balance_fen=0).account_id)
    request.occurred_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=ahead))
    if allowed:
        assert credit(driver, request).entry.seq == 1
    else:
        with pytest.raises(errors.OccurredInFuture) as refused:
            credit(driver, request)
        assert [violation.field for violation in refused.value.violations] == ["occurred_at"]


@pytest.mark.parametrize(
    ("occurred_at", "allowed"),
    [
        (datetime(1970, 1, 2, tzinfo=UTC), False),
        (datetime(2020, 2, 29, 15, 59, tzinfo=UTC), False),
        (datetime(2020, 2, 29, 16, tzinfo=UTC), True),
    ],
)
def test_a_credit_counts_from_the_day_on_which_the_account_was_opened(
    driver: Driver,
    families: Families,
    database: Database,
    occurred_at: datetime,
    allowed: bool,
) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, id=opened_in(2020))
    request = crediting(account_id)
    request.occurred_at.FromDatetime(occurred_at)
    if allowed:
        assert credit(driver, request).entry.occurred_at == request.occurred_at
        return
    with pytest.raises(errors.InvalidField) as refused:
        credit(driver, request)
    [violation] = refused.value.violations
    assert (violation.field, violation.message_zh) == ("occurred_at", "不能早于开户日期2020-03-01")
    assert written(database, account_id) == []


def test_an_instant_that_is_none_is_a_field_error(driver: Driver, families: Families) -> None:
    request = crediting(families.person(HOHHOT, balance_fen=0).account_id)
    request.occurred_at.seconds = 10**15
    with pytest.raises(errors.InvalidField) as refused:
        credit(driver, request)
    assert [violation.field for violation in refused.value.violations] == ["occurred_at"]


def test_twenty_repeats_at_once_credit_once_and_get_equal_answers(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    request = crediting(owner.account_id)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: credit(driver, request), range(20)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    assert {answer.entry.entry_id for answer in answers} == {f"{owner.account_id}:1"}
    assert written(database, owner.account_id) == [(1, "ALLOCATION", 500, 500, None)]


def test_a_thousand_credits_in_one_batch_are_a_thousand_entries_in_order(
    driver: Driver, families: Families, database: Database
) -> None:
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(10)]
    method, caller = method_of(SERVICE, "Credit"), Caller(Role.AGENCY, HOHHOT)
    commands = [
        routes.read_command(
            driver.office,
            method,
            caller,
            crediting(
                owners[number % 10].account_id, 1 + number, request_id=f"c-{number}"
            ).SerializeToString(),
            time.time() + 60,
        )
        for number in range(1_000)
    ]
    engine = Engine(database)
    outcomes = engine.run(commands)
    engine.close()
    assert {type(outcome) for outcome in outcomes} == {Answered}
    for place, owner in enumerate(owners):
        entries = written(database, owner.account_id)
        assert [entry[0] for entry in entries] == list(range(1, 101))
        assert [entry[2] for entry in entries] == list(range(1 + place, 1_001, 10))
        balance_fen = get_account(driver, "citizen", owner, person_id=owner).balance_fen
        assert balance_fen == entries[-1][3] == sum(entry[2] for entry in entries)
    assert sums(database) == []


def test_a_credit_of_another_kind_says_what_it_is(
    driver: Driver, families: Families, database: Database
) -> None:
    owner, other = families.person(HOHHOT, balance_fen=0), pb.CREDIT_KIND_OTHER
    for memo in ("", "  "):
        with pytest.raises(errors.InvalidField) as refused:
            credit(driver, crediting(owner.account_id, kind=other, memo=memo))
        assert [one.field for one in refused.value.violations] == ["memo"]
    credit(driver, crediting(owner.account_id, 500, kind=other, memo="更名前的余额"))
    assert written(database, owner.account_id) == [(1, "OTHER", 500, 500, "更名前的余额")]
