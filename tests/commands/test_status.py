"""`gongji status`: what waits, the last audit, and the processes that can be asked."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gongji_svc.cli import main
from gongji_svc.storage import tables
from gongji_svc.storage.audit_result import read_result, result_beside
from gongji_svc.storage.database import Database
from tests.commands.program import gongji
from tests.end_to_end.service import free_address, until
from tests.services.accounts import HOHHOT
from tests.services.driver import Driver
from tests.signals.scraped import health
from tests.storage.test_seals import book, new_account, seal_as_another


@pytest.fixture
def status(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """What `gongji status` prints, as JSON with `--json`."""
    monkeypatch.setenv("GONGJI_DATABASE_URL", database.runtime_url)
    monkeypatch.setenv("GONGJI_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        assert main(["status", *arguments]) == 0
        printed = capsys.readouterr().out
        return json.loads(printed) if arguments else printed

    return run


def test_it_shows_what_waits(database: Database, status: Any) -> None:
    driver = Driver(database)
    book(driver, new_account(driver), 500, 700)
    told = status("--json")
    assert told["waiting"]["gongji_unsealed_entries"] == 2
    assert told["waiting"]["gongji_tax_messages_waiting"] == 0
    assert told["waiting"]["gongji_unresolved_differences"] == 0
    assert told["rows"]["entries"] == 2
    assert told["processes"] == {}
    assert "gongji_unsealed_entries" in status()


def test_it_shows_the_last_audit(
    database: Database, tmp_path: Path, status: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("--json")["waiting"]["audit"] == "none is known here"
    assert main(["audit"]) == 0
    assert status("--json")["waiting"]["audit"].startswith("no difference, ")
    driver = Driver(database)
    account = new_account(driver)
    with database.transaction() as tx:
        its_own = tables.accounts.c.id == account
        tx.execute(tables.accounts.update().where(its_own).values(balance_fen=5))
    assert main(["audit", "--region", HOHHOT]) == 1
    assert status("--json")["waiting"]["audit"].startswith("SOMETHING DIFFERS, ")
    result = read_result(result_beside(tmp_path / "seals.jsonl"))
    assert result is not None
    assert (result.is_whole, result.ended_at < datetime.now(UTC)) == (False, True)


def test_an_audit_of_one_region_says_nothing_good_of_the_others(
    tmp_path: Path, status: Any
) -> None:
    assert main(["audit", "--region", HOHHOT]) == 0
    assert status("--json")["waiting"]["audit"] == "none is known here"


def test_an_audit_against_another_file_says_nothing_of_the_own_one(
    database: Database, tmp_path: Path, status: Any
) -> None:
    book(Driver(database), new_account(Driver(database)), 500)
    seal_as_another(database, seal_file=tmp_path / "seals.jsonl")
    (whole,) = (tmp_path / "seals.jsonl").read_text().splitlines()
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(whole + "\n")
    bad.write_text(json.dumps({**json.loads(whole), "hash": "00" * 32}) + "\n")
    assert main(["audit", "--head", str(bad)]) == 1
    assert status("--json")["waiting"]["audit"] == "none is known here"
    assert main(["audit"]) == 0
    assert main(["audit", "--head", str(bad)]) == 1
    assert status("--json")["waiting"]["audit"].startswith("no difference, ")
    (tmp_path / "seals.jsonl").write_text(bad.read_text())
    assert main(["audit"]) == 1
    assert main(["audit", "--head", str(good)]) == 0
    assert status("--json")["waiting"]["audit"].startswith("SOMETHING DIFFERS, ")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ended_at": "soon", "ok": true}'])
def test_a_result_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "audit.json").write_text(content)
    assert read_result(tmp_path / "audit.json") is None


def test_it_asks_the_processes_of_this_machine(
    database: Database,
    tmp_path: Path,
    status: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = free_address()
    monkeypatch.setenv("GONGJI_METRICS_LISTEN", address)
    monkeypatch.setenv("GONGJI_WORKERS", "1")
    with gongji(database, tmp_path, "work", GONGJI_METRICS_LISTEN=address) as process:
        _begun(process)
        until(lambda: health(address).status_code == 200)
        until(lambda: "gongji_unsealed_entries" in status("--json")["processes"][address])
        told = status("--json")["processes"][address]
        assert told["gongji_database_up"] == 1
        assert told["gongji_job_rows_total expire-holds"] == 0
        expect_the_processes_without_a_database(address, monkeypatch, capsys)


def expect_the_processes_without_a_database(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are shown also where the database can't be reached, which still is the last word."""
    nowhere = f"postgresql://gongji@{free_address()}/gongji"
    monkeypatch.setenv("GONGJI_DATABASE_URL", nowhere)
    capsys.readouterr()
    assert main(["status", "--json"]) == 2
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["database"], "rows" in told) == ("away", False)
    assert "gongji_unsealed_entries" in told["processes"][address]
    assert printed.err.startswith("gongji: ")
    assert main(["status"]) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("database  away")
    assert "gongji_unsealed_entries" in printed.out


def _begun(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith("gongji ")
