"""`gongji load allocations` as an operator reads it: what it says, and its exit status."""

from pathlib import Path

import psycopg
import pytest

from gongji_svc.cli import main
from gongji_svc.storage.database import Database
from tests.commands.allocation_files import HOHHOT, Seen, balances, booked, written
from tests.commands.test_load import rows
from tests.families import KEYS, Families
from tests.services.driver import Driver

ULANQAB, PROVINCE = "150900", "150000"
_HEADER = "account_id,amount_fen,month"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def folder(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files lie; the settings lead to the database."""
    (tmp_path / "keys").write_text(KEYS.dump())
    monkeypatch.setenv("GONGJI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GONGJI_DATABASE_URL", database.runtime_url)
    monkeypatch.setenv("GONGJI_DATA_KEY", str(tmp_path / "keys"))
    return tmp_path


def loading(path: Path, region: str = HOHHOT, *words: str) -> int:
    return main(["load", "allocations", str(path), "--region", region, *words])


def test_a_provinces_file_says_of_how_many_regions_its_rows_were(
    families: Families, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = [families.account(region) for region in (HOHHOT, ULANQAB, HOHHOT)]
    path = written(folder / "a.csv", _HEADER, *(f"{one},5,2025-05" for one in accounts))
    for _ in range(2):
        assert loading(path, PROVINCE) == 0
        assert "3 rows of 2 regions, 0.15 yuan" in capsys.readouterr().out


def test_a_month_that_is_booked_is_refused_with_the_way_to_add_to_it(
    database: Database, families: Families, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = families.account(HOHHOT)
    loading(written(folder / "first.csv", _HEADER, f"{account_id},5,2025-05"))
    path = written(folder / "second.csv", _HEADER, f"{account_id},6,2025-05")
    capsys.readouterr()
    assert loading(path) == 1
    told = capsys.readouterr().err
    [(sha256,)] = rows(database, "SELECT left(encode(sha256, 'hex'), 12) FROM allocation_files")
    first = f"2025-05 ALLOCATION of {HOHHOT} was booked by first.csv (sha256 {sha256}) on 20"
    assert f"{path}: {first}" in told
    assert ", 1 row in all\n" in told
    assert f"{path}: nothing was booked: if it adds to what is booked, say --supplement\n" in told
    assert loading(path, HOHHOT, "--supplement") == 0
    assert balances(database) == {account_id: 11}


def test_of_many_months_that_are_booked_ten_are_named_and_the_others_counted(
    families: Families, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = families.account(HOHHOT)
    months = [f"2024-{month:02d}" for month in range(1, 13)]
    for fen in (5, 6):
        lines = (f"{account_id},{fen},{month}" for month in months)
        loading(written(folder / f"{fen}.csv", _HEADER, *lines))
    told = capsys.readouterr().err
    assert told.count("was booked by 5.csv") == 10
    assert "nothing was booked, 2 more like these: " in told


def test_a_supplement_of_anything_else_is_the_users_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "persons", str(folder / "p.csv"), "--supplement"]) == 2
    assert "--supplement" in capsys.readouterr().err


def test_a_database_that_goes_away_leaves_word_of_how_far_it_came(
    database: Database,
    families: Families,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts = [families.account(HOHHOT) for _ in range(20)]
    path = written(folder / "a.csv", _HEADER, *(f"{one},5,2025-05" for one in accounts))
    monkeypatch.setattr("gongji_svc.storage.allocations.CHUNK_ROWS", 7)

    def ended(*_: object) -> None:
        query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE pid <> pg_backend_pid() AND usename = current_user
                       AND datname = current_database()"""
        rows(database, query)

    with monkeypatch.context() as once:
        once.setattr("gongji_svc.commands.load._Bars.booked", ended)
        assert loading(path) == 2
    told = capsys.readouterr().err
    assert "7 rows are known to be booked: run the same command again, it goes on" in told
    assert loading(path) == 0
    assert set(balances(database).values()) == {5}


def test_a_database_that_goes_away_before_a_row_is_booked_says_so(
    database: Database, families: Families, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(folder / "a.csv", _HEADER, f"{families.account(HOHHOT)},5,2025-05")
    monkeypatch.setattr("gongji_svc.storage.ledger._SETTINGS", ("SET lock_timeout = '100ms'",))
    with psycopg.connect(database.runtime_url) as holder:
        holder.execute("SELECT FROM accounts FOR UPDATE")
        with pytest.raises(Exception, match="no row is known to be booked: run the same"):
            booked(Driver(database), path, seen=Seen())
