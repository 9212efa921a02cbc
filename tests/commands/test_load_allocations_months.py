"""`gongji load allocations`: a month's money twice, in one file or in two; months too far away."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from gongji_svc.storage import allocations
from gongji_svc.storage.database import Database
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
from tests.services.accounts import account_of
from tests.services.driver import Driver

ULANQAB, PROVINCE = "150900", "150000"
_BY_ID = "account_id,amount_fen,month,kind,memo"


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 12, 31))


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of rows is several chunks."""
    monkeypatch.setattr(allocations, "CHUNK_ROWS", 7)


def file_of(path: Path, accounts: Sequence[object], fen: int = 5, month: str = "2025-05") -> Path:
    """A row an account."""
    return written(path, _BY_ID, *(f"{account_id},{fen},{month},," for account_id in accounts))


def test_a_row_that_repeats_another_is_told_with_the_line_of_the_first(
    driver: Driver, families: Families, tmp_path: Path
) -> None:
    one, other = families.person(HOHHOT, balance_fen=0), families.person(HOHHOT, balance_fen=0)
    lines = [
        "account_id,certificate_number,account_kind,amount_fen,month,kind,memo",
        f"{one.account_id},,,5,2025-05,,",
        f"{other.account_id},,,5,2025-05,,",
        f"{one.account_id},,,5,2025-06,,",
        f"{one.account_id},,,5,2025-05,INTEREST,",
        f"{one.account_id},,,5,2025-05,,补发",
        f"{one.account_id},,,7,2025-05,ALLOCATION,2025年5月划入",
        f",{one.certificate_number},,5,2025-05,,",
        f",{other.certificate_number},GENERAL,5,2025-05,,",
        f"{one.account_id},,,5,2025-05,,补发",
    ]
    path, seen = written(tmp_path / "a.csv", *lines), Seen()
    done = booked(driver, path, seen=seen)
    assert seen.faults == [(7, "memo"), (8, "memo"), (9, "memo"), (10, "memo")]
    assert [text[:5] for text in seen.texts] == ["与第2行重", "与第2行重", "与第3行重", "与第6行重"]
    assert (done.faults, done.now.rows_booked) == (4, 0)


def test_repeated_rows_stand_among_the_other_bad_rows_by_line(
    driver: Driver, families: Families, tmp_path: Path
) -> None:
    good = families.person(HOHHOT, balance_fen=0).account_id
    closed = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    lines = [f"{good},5,2025-05,,", f"{good},0,2025-05,,", f"{good},5,2025-05,,"]
    lines += [f"{closed},5,2025-05,,"] * 2 + [f"{good},5,2025-13,,", f"{good},6,2025-05,,"]
    assert bad_rows(driver, written(tmp_path / "a.csv", _BY_ID, *lines)) == [
        (3, "amount_fen"),
        (4, "memo"),
        (5, "account_id"),
        (6, "account_id"),
        (7, "month"),
        (8, "memo"),
    ]


def test_another_file_for_a_month_that_is_booked_is_refused_and_names_the_first(
    driver: Driver, families: Families, database: Database, tmp_path: Path
) -> None:
    accounts = [families.account(HOHHOT) for _ in range(3)]
    first = booked(driver, file_of(tmp_path / "first.csv", accounts))
    done = booked(driver, file_of(tmp_path / "second.csv", accounts[:2], fen=6))
    (earlier,) = done.earlier
    assert (earlier.month, earlier.kind, earlier.regions) == ("2025-05", "ALLOCATION", [HOHHOT])
    assert (earlier.name, earlier.rows_booked) == ("first.csv", 3)
    assert earlier.updated_at == first.now.updated_at
    assert (done.booked_rows, set(balances(database).values())) == (0, {5})
    assert len(rows(database, "SELECT FROM allocation_files")) == 1
    added = booked(driver, tmp_path / "second.csv", supplement=True)
    assert (added.earlier, added.booked_rows) == ((), 2)
    assert sorted(balances(database).values()) == [5, 11, 11]
    names = [one.name for one in booked(driver, file_of(tmp_path / "3.csv", accounts, 7)).earlier]
    assert names == ["first.csv", "second.csv"]
    expect_sound_books(database)


def test_another_month_kind_or_region_is_not_the_same(
    driver: Driver, families: Families, tmp_path: Path
) -> None:
    one, other = families.account(HOHHOT), families.account(ULANQAB)
    booked(driver, file_of(tmp_path / "a.csv", [one]))
    assert booked(driver, file_of(tmp_path / "b.csv", [one], month="2025-06")).booked_rows == 1
    interest = written(tmp_path / "c.csv", _BY_ID, f"{one},5,2025-05,INTEREST,")
    assert booked(driver, interest).booked_rows == 1
    assert booked(driver, file_of(tmp_path / "d.csv", [other]), ULANQAB).booked_rows == 1


def test_a_provinces_file_is_refused_for_the_cities_that_have_the_month(
    driver: Driver, families: Families, database: Database, tmp_path: Path
) -> None:
    accounts = [families.account(region) for region in (HOHHOT, ULANQAB)]
    booked(driver, file_of(tmp_path / "city.csv", accounts[1:]), ULANQAB)
    done = booked(driver, file_of(tmp_path / "province.csv", accounts), PROVINCE)
    assert [one.regions for one in done.earlier] == [[ULANQAB]]
    assert sorted(balances(database).values()) == [0, 5]


def test_a_file_of_which_no_row_was_booked_hinders_no_other(
    driver: Driver, families: Families, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = families.account(HOHHOT)
    monkeypatch.setattr("gongji_svc.services.allocating.GREATEST_BALANCE_FEN", 1)
    assert booked(driver, file_of(tmp_path / "a.csv", [account_id])).now.rows_refused == 1
    assert booked(driver, file_of(tmp_path / "b.csv", [account_id], fen=1)).booked_rows == 1


def test_a_file_that_goes_on_is_not_hindered_by_what_was_booked_since(
    driver: Driver, families: Families, database: Database, tmp_path: Path, small_chunks: None
) -> None:
    accounts = [families.account(HOHHOT) for _ in range(20)]
    path = file_of(tmp_path / "a.csv", accounts)

    class BrokenOff(Seen):
        def booked(self, rows: int) -> None:  # noqa: ARG002 - the watch's shape
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        booked(driver, path, seen=BrokenOff())
    other = file_of(tmp_path / "b.csv", accounts, fen=7)
    assert [one.rows_booked for one in booked(driver, other).earlier] == [7]
    assert booked(driver, other, supplement=True).booked_rows == 20
    assert booked(driver, path).now.rows_booked == 20
    assert set(balances(database).values()) == {12}


def test_of_two_files_for_a_month_at_once_one_is_booked(
    driver: Driver, families: Families, database: Database, tmp_path: Path, small_chunks: None
) -> None:
    accounts = [families.account(HOHHOT) for _ in range(30)]
    paths = [file_of(tmp_path / f"{fen}.csv", accounts, fen) for fen in (5, 6, 7)]
    with ThreadPoolExecutor(len(paths)) as pool:
        done = list(pool.map(lambda path: booked(Driver(database), path), paths))
    assert sorted(one.booked_rows for one in done) == [0, 0, 30]
    assert sorted(len(one.earlier) for one in done) == [0, 1, 1]
    assert len(set(balances(database).values())) == 1


@pytest.mark.parametrize("month", ["2000-01", "2025-12", "2026-01"])
def test_a_month_up_to_the_next_is_booked(
    driver: Driver, families: Families, tmp_path: Path, month: str
) -> None:
    account_id = families.account(HOHHOT)
    assert booked(driver, file_of(tmp_path / "a.csv", [account_id], month=month)).booked_rows == 1


@pytest.mark.parametrize("month", ["0001-01", "1999-12", "2026-02", "2099-01", "9999-12"])
def test_a_month_before_2000_or_after_the_next_is_told_with_the_months_that_may_be(
    driver: Driver, families: Families, tmp_path: Path, month: str
) -> None:
    path, seen = file_of(tmp_path / "a.csv", [families.account(HOHHOT)], month=month), Seen()
    assert booked(driver, path, seen=seen).booked_rows == 0
    assert seen.faults == [(2, "month")]
    assert "2000-01至2026-01" in seen.texts[0]


def test_who_has_accounts_inside_and_outside_is_to_be_named_by_account(
    driver: Driver, families: Families, tmp_path: Path
) -> None:
    both, outside = families.person(ULANQAB), families.person(ULANQAB)
    for region, kind in ((HOHHOT, "GENERAL"), (ULANQAB, "CURRENT_YEAR")):
        account_of(both, families, region, kind=kind)
    account_of(outside, families, HOHHOT)
    lines = [f"{one.certificate_number},5,2025-05" for one in (both, outside)]
    path = written(tmp_path / "a.csv", "certificate_number,amount_fen,month", *lines)
    seen = Seen()
    booked(driver, path, ULANQAB, seen)
    assert seen.faults == [(2, "account_kind"), (3, "certificate_number")]
    assert "account_id" in seen.texts[0]
    assert ULANQAB in seen.texts[1]
