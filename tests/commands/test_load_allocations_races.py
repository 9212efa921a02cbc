"""`gongji load allocations` killed, started twice, and beside calls on the same accounts."""

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from gongji_svc.cli import main
from gongji_svc.commands import load as command
from gongji_svc.config import Config
from gongji_svc.domain.access import Caller, Role
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage import allocations
from gongji_svc.storage.database import Database, DatabaseUnavailable
from tests.commands.allocation_files import (
    HOHHOT,
    Seen,
    balances,
    booked,
    expect_sound_books,
    written,
)  # fmt: skip
from tests.commands.program import gongji
from tests.commands.test_load import arguments, rows
from tests.end_to_end.service import until
from tests.families import KEYS, Families
from tests.services.accounts import SERVICE, crediting
from tests.services.driver import Driver

_HEADER = "account_id,amount_fen,month"
_KILLS = ((0, 2_500), (5_000, 7_500), (10_000, 11_500))  # behind so many rows, at a row


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def config(database: Database, tmp_path: Path) -> Config:
    (tmp_path / "keys").write_text(KEYS.dump())
    return Config(
        data_dir=tmp_path, database_url=database.runtime_url, data_key=str(tmp_path / "keys")
    )


def file_of(folder: Path, families: Families, accounts: int, count: int) -> Path:
    """`count` rows of 1 fen, 2 fen, ... over so many accounts, in no order, each with its memo."""
    owners = [families.account(HOHHOT) for _ in range(accounts)]
    lines = [f"{owners[at % accounts]},{at + 1},2025-05,{at}" for at in range(count)]
    random.Random(5).shuffle(lines)  # noqa: S311 - the same file in every run
    return written(folder / "2025-05.csv", f"{_HEADER},memo", *lines)


def loading(config: Config, path: Path) -> int:
    return command.run(arguments("allocations", str(path), "--region", HOHHOT), config)


def test_the_command_tells_what_it_booked_and_the_second_time_when(
    config: Config, families: Families, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(tmp_path, families, 3, 10)
    assert loading(config, path) == 0
    first = capsys.readouterr().out
    assert f"{path}: 10 rows in " in first
    assert f"booked in all 10 rows of {HOHHOT}, 0.55 yuan" in first
    assert loading(config, path) == 0
    assert (
        f"{path}: already booked, 10 rows of {HOHHOT}, 0.55 yuan, on 20" in capsys.readouterr().out
    )


def test_the_command_names_bad_rows_and_exits_with_1(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "p.csv", _HEADER, "x,5,2025-05")
    assert loading(config, path) == 1
    told = capsys.readouterr().err
    assert f"{path}:2: account_id: " in told
    assert f"{path}: nothing was booked: 1 fault\n" in told


def test_rows_that_were_refused_are_told_and_exit_with_1_each_time(
    config: Config,
    families: Families,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = file_of(tmp_path, families, 3, 3)
    monkeypatch.setattr("gongji_svc.services.allocating.GREATEST_BALANCE_FEN", 1)
    told = []
    for _ in range(2):
        assert loading(config, path) == 1
        told.append(capsys.readouterr().err)
        assert f"{path}: 2 rows were refused and not booked" in told[-1]
    fen = [int(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
    refused = [line for line, one in enumerate(fen, 2) if one > 1]
    lines = [line for line in told[0].splitlines() if ": amount_fen: " in line]
    assert [line.split(":")[1] for line in lines] == [str(line) for line in refused]
    assert told[0] == told[1]


@pytest.mark.parametrize("words", [(), ("--region", "820000")])
def test_a_region_with_rules_is_needed(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "allocations", str(tmp_path / "p.csv"), *words]) == 2
    assert "region" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_the_users_error(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Config, "from_environment", lambda: config)
    words = ["load", "allocations", str(tmp_path / "none.csv"), "--region", HOHHOT]
    assert main(words) == 2


def held_back(database: Database, path: Path, row: int) -> psycopg.Connection:
    """Who holds the account of a row, by the order in which they are booked, as a call would."""
    accounts = [UUID(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]
    accounts.sort(key=lambda one: (one.int % 4, one))
    holder = psycopg.connect(database.runtime_url)
    holder.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [accounts[row]])
    return holder


def waits_for_a_lock(database: Database) -> Callable[[], bool]:
    query = """SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    return lambda: bool(rows(database, query))


def test_a_command_that_is_killed_again_and_again_books_every_row_once(
    database: Database, families: Families, tmp_path: Path
) -> None:
    path = file_of(tmp_path, families, 40, 12_000)
    words = ("load", "allocations", str(path), "--region", HOHHOT)
    for rows_before, row in _KILLS:
        with (
            held_back(database, path, row),
            gongji(database, tmp_path, *words) as running,
        ):
            until(waits_for_a_lock(database), 60)
            os.kill(running.pid, signal.SIGKILL)
            running.wait(10)
        kept = rows(database, "SELECT rows_booked, done FROM allocation_files")
        assert kept == [(rows_before, False)] * bool(rows_before)
    with gongji(database, tmp_path, *words) as running:
        assert running.wait(60) == 0
    assert sum(balances(database).values()) == 12_000 * 12_001 // 2
    query = "SELECT count(*), count(DISTINCT amount_fen) FROM entries"
    assert rows(database, query) == [(12_000, 12_000)]
    expect_sound_books(database)


def test_two_commands_of_one_file_at_once_book_it_once(
    database: Database, families: Families, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocations, "CHUNK_ROWS", 20)
    path = file_of(tmp_path, families, 30, 600)
    drivers = [Driver(database) for _ in range(3)]
    with ThreadPoolExecutor(len(drivers)) as pool:
        done = list(pool.map(lambda driver: booked(driver, path), drivers))
    assert sum(one.booked_rows for one in done) == 600
    assert {one.now.rows_booked for one in done} == {600}
    assert sum(balances(database).values()) == 600 * 601 // 2
    assert len(rows(database, "SELECT FROM entries")) == 600
    expect_sound_books(database)


def test_a_load_beside_calls_on_the_same_accounts_neither_loses_nor_deadlocks(
    database: Database, families: Families, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocations, "CHUNK_ROWS", 40)
    path = file_of(tmp_path, families, 30, 800)
    accounts = list(balances(database))

    def calls(caller: int) -> int:
        """Credits of 1 fen, many a batch, in ever other orders; how many there were."""
        driver, engine, chance = Driver(database), Engine(database), random.Random(caller)  # noqa: S311 - seeded
        method, agency = method_of(SERVICE, "Credit"), Caller(Role.AGENCY, HOHHOT)
        for turn in range(15):
            chosen = chance.sample(accounts, 12)
            requests = [
                crediting(one, 1, request_id=f"{caller}-{turn}-{at}")
                for at, one in enumerate(chosen)
            ]
            outcomes = engine.run(
                [
                    routes.read_command(
                        driver.office, method, agency, one.SerializeToString(), time.time() + 60
                    )
                    for one in requests
                ]
            )
            assert {type(outcome) for outcome in outcomes} == {Answered}
        engine.close()
        return 15 * 12

    with ThreadPoolExecutor(3) as pool:
        called = [pool.submit(calls, caller) for caller in range(2)]
        loaded = pool.submit(booked, Driver(database), path)
        credits = sum(one.result() for one in called)
        assert loaded.result().booked_rows == 800
    assert sum(balances(database).values()) == credits + 800 * 801 // 2
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert rows(database, query) == [(0,)]
    expect_sound_books(database)


def test_an_account_that_others_hold_too_long_ends_the_load_and_nothing_is_lost(
    database: Database, families: Families, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gongji_svc.storage.ledger._SETTINGS", ("SET lock_timeout = '100ms'",))
    path = file_of(tmp_path, families, 40, 6_000)
    driver, seen = Driver(database), Seen()
    told = "too long; 5000 rows are known to be booked: run the same command again"
    with held_back(database, path, 5_500), pytest.raises(DatabaseUnavailable, match=told):
        booked(driver, path, seen=seen)
    assert seen.came == [0, 5_000]
    monkeypatch.undo()
    assert booked(driver, path).now.rows_booked == 6_000
    expect_sound_books(database)
