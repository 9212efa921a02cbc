"""`gongji load allocations`: the same entries as by calls, every bad row by line, booked once."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.services.allocating import FileChanged
from gongji_svc.storage import allocations
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.commands.allocation_files import (
    HOHHOT,
    Seen,
    bad_rows,
    balances,
    booked,
    expect_sound_books,
    written,
)  # fmt: skip
from tests.commands.test_load import rows
from tests.families import Families
from tests.services.accounts import account_of, credit, crediting
from tests.services.driver import Driver

ULANQAB, PROVINCE, ELSEWHERE = "150900", "150000", "211200"
_BY_ID = "account_id,amount_fen,month"
_ENTRIES = """SELECT account_id, seq, kind, amount_fen, balance_after_fen, source_id, counterparty,
                     beneficiary_id, binding_id, memo, occurred_at, recorded_at, region
              FROM entries ORDER BY account_id, seq"""
_GREATEST_FEN = 10**15


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of rows is several chunks."""
    monkeypatch.setattr(allocations, "CHUNK_ROWS", 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "2025-05.csv"


def test_rows_are_booked_as_the_same_credits_by_calls_would_be(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None
) -> None:
    chance = random.Random(4)  # noqa: S311 - the same rows in every run
    later = datetime.now(UTC) + timedelta(days=400)
    shapes: list[dict[str, Any]] = [
        {},
        {"state": "FROZEN"},
        {"balance_fen": 700, "held_fen": 600, "frozen_quota_fen": 50},
        {"recorded_at": later},
    ]
    pairs = [
        tuple(account_of(families.person(HOHHOT), families, HOHHOT, **shape) for _ in range(2))
        for shape in shapes * 3
    ]
    lines = [f"{_BY_ID},kind,memo"]
    for number in range(60):
        by_call, by_file = chance.choice(pairs)
        kind, fen = chance.choice(["ALLOCATION", "INTEREST", "OTHER"]), chance.randint(1, 10**6)
        memo = chance.choice(["2025年5月划入", "甲 \\ 乙", "=1+1"]) + str(number)
        asked = {"kind": pb.CreditKind.Value(f"CREDIT_KIND_{kind}"), "memo": memo}
        credit(driver, crediting(by_call, fen, request_id=f"c-{number}", **asked))
        lines.append(f"{by_file},{fen},2025-05,{kind},{memo}")
    assert booked(driver, written(path, *lines)).booked_rows == 60
    histories: dict[UUID, list[Any]] = {}
    for account_id, *entry in rows(database, _ENTRIES):
        histories.setdefault(account_id, []).append(entry)
    kept = {row[1]: row for row in rows(database, "SELECT * FROM accounts")}
    for by_call, by_file in pairs:
        told, other = ([e[:9] for e in histories.get(one, [])] for one in (by_call, by_file))
        assert told == other
        assert kept[by_call][3:10] == kept[by_file][3:10]
    for *_, occurred_at, recorded_at, _ in rows(database, _ENTRIES):
        assert abs(datetime.now(UTC) - occurred_at) < timedelta(minutes=1)
        assert recorded_at in (occurred_at, later)
    expect_sound_books(database)


def test_a_chunk_is_one_journal_a_region_with_one_line(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None
) -> None:
    homes = (HOHHOT, ULANQAB)
    owners = [families.person(homes[number % 2], balance_fen=0) for number in range(10)]
    lines = [f"{owner.account_id},{100 + at},2025-05" for at, owner in enumerate(owners)]
    booked(driver, written(path, _BY_ID, *lines), PROVINCE)
    query = "SELECT region, side, counterparty, count(*), sum(amount_fen) FROM ledger_lines"
    told = rows(database, f"{query} GROUP BY 1, 2, 3 ORDER BY 1")
    assert [(line[0], line[4]) for line in told] == [(HOHHOT, -520), (ULANQAB, -525)]
    assert {(line[1], line[2] == line[0]) for line in told} == {("CONTRIBUTION", True)}
    assert all(line[3] <= 2 for line in told)
    expect_sound_books(database)


def test_what_is_said_without_a_kind_or_memo_is_the_months_allocation(
    driver: Driver, families: Families, database: Database, path: Path
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    lines = [f"{owner.account_id},5,2025-05,{kind}" for kind in ("", "INTEREST", "OTHER")]
    booked(driver, written(path, f"{_BY_ID},kind", *lines))
    query = "SELECT kind, memo FROM entries ORDER BY seq"
    assert rows(database, query) == [
        ("ALLOCATION", "2025年5月划入"),
        ("INTEREST", "2025年5月计息"),
        ("OTHER", "2025年5月其他收入"),
    ]


def test_an_account_is_named_by_its_owners_certificate_and_kind(
    driver: Driver, families: Families, database: Database, path: Path
) -> None:
    one, several = families.person(HOHHOT, balance_fen=0), families.person(HOHHOT)
    account_of(one, families, HOHHOT, state="CLOSED")
    account_of(several, families, HOHHOT, kind="CURRENT_YEAR")
    past = account_of(several, families, HOHHOT, kind="PAST_YEARS")
    lines = [
        "certificate_type,certificate_number,account_kind,amount_fen,month",
        f",{one.certificate_number},,5,2025-05",
        f"id_card,{one.certificate_number},GENERAL,6,2025-06",
        f"ID_CARD,{several.certificate_number},PAST_YEARS,7,2025-05",
    ]
    assert booked(driver, written(path, *lines)).booked_rows == 3
    assert {found: fen for found, fen in balances(database).items() if fen} == {
        one.account_id: 11,
        past: 7,
    }


def test_a_file_that_is_booked_moves_nothing_again(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None
) -> None:
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(9)]
    lines = [f"{owner.account_id},5,2025-0{month}" for month in (5, 6) for owner in owners]
    first = booked(driver, written(path, _BY_ID, *lines))
    again = booked(driver, path)
    elsewhere = booked(driver, path.rename(path.with_name("other.csv")), PROVINCE)
    assert (first.was_done, again.was_done, elsewhere.was_done) == (False, True, True)
    assert (first.now.rows_booked, first.now.booked_fen) == (18, 90)
    assert (again.now, again.booked_rows, elsewhere.booked_rows) == (first.now, 0, 0)
    assert set(balances(database).values()) == {10}


def test_the_same_amounts_in_the_next_month_are_another_file(
    driver: Driver, families: Families, database: Database, path: Path
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    for month in ("2025-05", "2025-06"):
        booked(driver, written(path, _BY_ID, f"{owner.account_id},5,{month}"))
    assert balances(database) == {owner.account_id: 10}


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("{id},0,2025-05,,", "amount_fen"),
        ("{id},1000000000001,2025-05,,", "amount_fen"),
        ("{id},12.50,2025-05,,", "amount_fen"),
        ("{id},-5,2025-05,,", "amount_fen"),
        ("{id},,2025-05,,", "amount_fen"),
        ("{id},5,,,", "month"),
        ("{id},5,2025-13,,", "month"),
        ("{id},5,2025-5,,", "month"),
        ("{id},5,2025-05,SALARY,", "kind"),
        ("{id},5,2025-05,UNSPECIFIED,", "kind"),
        ("{id},5,2025-05,,{long}", "memo"),
        ("{id},5,2025-05,,a\x07b", "memo"),
        ("{id}0,5,2025-05,,", "account_id"),
        (",5,2025-05,,", "account_id"),
        ("{id},5,2025-05,", "(text)"),
        ("018f2a00-0000-7000-8000-000000000001,5,2025-05,,", "account_id"),
    ],
)
def test_a_bad_row_is_named_by_line_and_field_and_nothing_is_booked(
    driver: Driver, families: Families, path: Path, cells: str, field: str
) -> None:
    good = families.person(HOHHOT, balance_fen=0).account_id
    bad = cells.format(id=good, long="字" * 201)
    found = bad_rows(driver, written(path, f"{_BY_ID},kind,memo", f"{good},5,2025-05,,", bad))
    assert found == [(3, field)]


def test_an_account_that_is_not_of_the_regions_books_or_is_closed_is_told(
    driver: Driver, families: Families, path: Path
) -> None:
    of_another = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    closed = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    accounts = [new_id(HOHHOT), of_another, closed]
    lines = [f"{account_id},5,2025-05" for account_id in accounts]
    assert bad_rows(driver, written(path, _BY_ID, *lines)) == [
        (2, "account_id"),
        (3, "account_id"),
        (4, "account_id"),
    ]


def test_a_provinces_file_may_name_accounts_of_its_cities_only(
    driver: Driver, families: Families, path: Path
) -> None:
    inside, outside = (families.person(one, balance_fen=0) for one in (ULANQAB, ELSEWHERE))
    lines = [f"{one.account_id},5,2025-05" for one in (inside, outside)]
    assert bad_rows(driver, written(path, _BY_ID, *lines), PROVINCE) == [(3, "account_id")]


def test_a_certificate_must_lead_to_one_account(
    driver: Driver, families: Families, path: Path
) -> None:
    several, only_closed, without = (families.person(HOHHOT) for _ in range(3))
    for kind in ("CURRENT_YEAR", "PAST_YEARS"):
        account_of(several, families, HOHHOT, kind=kind)
    account_of(only_closed, families, HOHHOT, state="CLOSED")
    named = families.person(HOHHOT, balance_fen=0)
    lines = [
        "account_id,certificate_number,account_kind,amount_fen,month",
        f",{several.certificate_number},,5,2025-05",
        f",{several.certificate_number},GENERAL,5,2025-05",
        f",{only_closed.certificate_number},,5,2025-05",
        f",{without.certificate_number},,5,2025-05",
        ",150199198001019990,,5,2025-05",
        f"{named.account_id},{named.certificate_number},,5,2025-05",
        f",{named.certificate_number},SAVINGS,5,2025-05",
    ]
    assert bad_rows(driver, written(path, *lines)) == [
        (2, "account_kind"),
        (3, "certificate_number"),
        (4, "certificate_number"),
        (5, "certificate_number"),
        (6, "certificate_number"),
        (7, "account_id"),
        (8, "account_kind"),
    ]


def test_every_bad_row_of_a_long_file_is_told_in_the_order_of_lines(
    driver: Driver, path: Path
) -> None:
    lines = [f"{new_id(HOHHOT)},5,2025-0{5 if number % 2 else 0}" for number in range(3000)]
    found = bad_rows(driver, written(path, _BY_ID, *lines))
    fields = ("month", "account_id")
    assert found == [(line, fields[line % 2]) for line in range(2, 3002)]


def test_a_header_that_is_wrong_is_told_by_column(driver: Driver, path: Path) -> None:
    assert bad_rows(driver, written(path, "account,amount_fen")) == [(1, "month"), (1, "account")]


def test_a_row_whose_account_is_closed_meanwhile_is_told_and_the_others_are_booked(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None
) -> None:
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(10)]
    closed = owners[4].account_id
    assert closed is not None

    def close() -> None:
        with database.connect() as tx:
            tx.execute("UPDATE accounts SET state = 'CLOSED' WHERE id = %s", [closed])

    seen = Seen(meanwhile=close)
    lines = [f"{owner.account_id},5,2025-05" for owner in owners]
    done = booked(driver, written(path, _BY_ID, *lines), seen=seen)
    assert (done.faults, done.booked_rows, seen.faults) == (0, 9, [(6, "account_id")])
    assert (done.now.rows_booked, done.now.rows_refused, done.now.done) == (9, 1, True)
    assert balances(database)[closed] == 0
    again = Seen()
    assert booked(driver, path, seen=again).now == done.now
    assert again.faults == [(6, "account_id")]
    expect_sound_books(database)


def test_a_row_that_would_make_a_balance_too_large_is_told_and_the_rest_is_booked(
    driver: Driver, families: Families, database: Database, path: Path
) -> None:
    full = account_of(families.person(HOHHOT), families, HOHHOT, balance_fen=_GREATEST_FEN - 9)
    other = families.person(HOHHOT, balance_fen=0)
    lines = [f"{full},5,2025-05", f"{other.account_id},5,2025-05", f"{full},5,2025-06"]
    seen = Seen()
    done = booked(driver, written(path, _BY_ID, *lines), seen=seen)
    assert (done.booked_rows, seen.faults) == (2, [(4, "amount_fen")])
    assert balances(database) == {full: _GREATEST_FEN - 4, other.account_id: 5}
    expect_sound_books(database)


class BrokenOff(Seen):
    """Stops after a chunk."""

    def booked(self, rows: int) -> None:
        super().booked(rows)
        raise KeyboardInterrupt


def test_what_was_broken_off_goes_on_behind_its_last_chunk(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None
) -> None:
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(20)]
    written(path, _BY_ID, *(f"{owner.account_id},5,2025-05" for owner in owners))

    for came in (7, 14):
        broken = BrokenOff()
        with pytest.raises(KeyboardInterrupt):
            booked(driver, path, seen=broken)
        assert broken.came == [came - 7, came]
    seen = Seen()
    done = booked(driver, path, seen=seen)
    assert (seen.came, done.before.rows, done.booked_rows) == ([14, 20], 14, 6)
    assert set(balances(database).values()) == {5}
    assert len(rows(database, "SELECT DISTINCT journal_id FROM entries")) == 3


@pytest.mark.parametrize("column", ["account_id", "certificate_number"])
def test_what_has_begun_comes_to_its_end_without_the_accounts_closed_since(
    driver: Driver, families: Families, database: Database, path: Path, small_chunks: None,
    column: str,
) -> None:  # fmt: skip
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(20)]
    lines = [f"{getattr(owner, column)},5,2025-05" for owner in owners]
    written(path, f"{column},amount_fen,month", *lines)
    with pytest.raises(KeyboardInterrupt):
        booked(driver, path, seen=BrokenOff())
    closing = """UPDATE accounts SET state = 'CLOSED' WHERE id IN
                 (SELECT id FROM accounts WHERE balance_fen = 0 LIMIT 2) RETURNING id"""
    closed = {account_id for (account_id,) in rows(database, closing)}
    seen = Seen()
    done = booked(driver, path, seen=seen)
    told = [(2 + at, column) for at, one in enumerate(owners) if one.account_id in closed]
    assert (done.faults, done.booked_rows, seen.faults) == (0, 11, told)
    assert (done.now.rows_booked, done.now.rows_refused, done.now.done) == (18, 2, True)
    assert {fen for one, fen in balances(database).items() if one not in closed} == {5}
    expect_sound_books(database)


def test_what_has_begun_for_a_province_is_not_ended_for_a_city(
    driver: Driver, families: Families, path: Path, small_chunks: None
) -> None:
    homes = (HOHHOT, ULANQAB)
    owners = [families.person(homes[number % 2], balance_fen=0) for number in range(20)]
    lines = [
        f"{owner.account_id},,5,2025-05"
        if number < 10
        else f",{owner.certificate_number},5,2025-05"
        for number, owner in enumerate(owners)
    ]
    written(path, "account_id,certificate_number,amount_fen,month", *lines)
    with pytest.raises(KeyboardInterrupt):
        booked(driver, path, PROVINCE, BrokenOff())
    seen = Seen()
    done = booked(driver, path, HOHHOT, seen)
    assert [line for line, _ in seen.faults] == list(range(3, 22, 2))
    assert (done.faults, done.booked_rows, done.now) == (10, 0, done.before)
    assert booked(driver, path, PROVINCE).now.rows_booked == 20


def test_a_file_that_is_written_to_while_it_is_read_is_not_booked(
    driver: Driver, families: Families, database: Database, path: Path
) -> None:
    row = f"{families.person(HOHHOT, balance_fen=0).account_id},5,2025-05"
    written(path, _BY_ID, *[row] * 600)

    class Written(Seen):
        def read(self, more_bytes: int) -> None:  # noqa: ARG002 - the watch's shape
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{row}\n")

    with pytest.raises(FileChanged):
        booked(driver, path, seen=Written())
    assert rows(database, "SELECT FROM entries") == []
