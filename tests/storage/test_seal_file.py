"""The file of seals: every block has its line, whoever sealed it and whatever was cut off."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.storage.database import Database
from gongji_svc.storage.seal_file import Head, SealFile, read_heads
from gongji_svc.upkeep.seals import tell_seals
from tests.services.accounts import HOHHOT, ULANQAB
from tests.services.driver import Driver
from tests.storage.test_seals import book, let_pass, new_account, rows, seal_all, seal_as_another


@pytest.fixture
def driver(database: Database, tmp_path: Path) -> Driver:
    driver = Driver(database)
    driver.office.seal_file = tmp_path / "new folder" / "seals.jsonl"
    return driver


@pytest.fixture
def file(driver: Driver) -> Path:
    assert driver.office.seal_file is not None
    return driver.office.seal_file


@pytest.fixture
def account_id(driver: Driver) -> UUID:
    return new_account(driver)


def make_blocks(driver: Driver, account_id: UUID, count: int) -> None:
    """One entry a block."""
    for _ in range(count):
        let_pass(driver.office)
        book(driver, account_id, 100)
        let_pass(driver.office)
        assert seal_all(driver.office) == 1


def told(file: Path) -> list[tuple[Any, ...]]:
    """What the lines say that can be read."""
    heads = read_heads(file, file.stat().st_size)
    return [(h.region, h.block_no, h.hash) for h in heads if isinstance(h, Head)]


def blocks(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT region, block_no, hash FROM blocks ORDER BY block_no")


def test_only_its_owner_reads_a_new_file(driver: Driver, file: Path, account_id: UUID) -> None:
    make_blocks(driver, account_id, 1)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_block_that_is_sealed_has_a_line(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    make_blocks(driver, account_id, 2)
    assert told(file) == blocks(database)
    ((_, _, of_block),) = [block for block in blocks(database) if block[1] == 2]
    ((sealed_at,),) = rows(database, "SELECT sealed_at FROM blocks WHERE block_no = 2")
    assert json.loads(file.read_text().splitlines()[1]) == {
        "region": HOHHOT,
        "block_no": 2,
        "hash": of_block.hex(),
        "entries": 1,
        "sealed_at": sealed_at.isoformat(),
    }


@pytest.mark.parametrize("left_bytes", [0, 20, 300])
def test_lines_that_were_cut_off_are_written_again(
    driver: Driver, database: Database, file: Path, account_id: UUID, left_bytes: int
) -> None:
    make_blocks(driver, account_id, 3)
    with file.open("r+b") as cut:
        cut.truncate(left_bytes)
    make_blocks(driver, account_id, 1)
    assert told(file) == blocks(database)


def test_a_file_has_the_blocks_that_were_sealed_elsewhere(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    make_blocks(driver, account_id, 1)
    book(driver, account_id, 200)
    seal_as_another(database)
    make_blocks(driver, account_id, 1)
    assert told(file) == blocks(database)


def test_several_processes_write_a_line_once(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    make_blocks(driver, account_id, 1)
    book(driver, account_id, 200)
    seal_as_another(database, seal_file=file)
    make_blocks(driver, account_id, 1)
    seal_as_another(database, seal_file=file)
    assert told(file) == blocks(database)
    assert len(file.read_text().splitlines()) == 3


def test_sealing_goes_on_while_the_file_cannot_be_written(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    file.parent.write_text("a file where the folder should be")
    make_blocks(driver, account_id, 2)
    file.parent.unlink()
    make_blocks(driver, account_id, 1)
    assert told(file) == blocks(database)
    assert len(told(file)) == 3


def test_a_file_that_cannot_be_written_is_a_failure_until_it_can(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    file.mkdir(parents=True)
    make_blocks(driver, account_id, 2)
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            tell_seals(driver.office)
    assert len(blocks(database)) == 2
    file.rmdir()
    assert tell_seals(driver.office) == 2
    assert told(file) == blocks(database)
    file.unlink()
    file.mkdir()
    with pytest.raises(IsADirectoryError):  # though there is nothing to tell
        tell_seals(driver.office)


def test_a_file_catches_up_with_nothing_to_seal(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    make_blocks(driver, account_id, 1)
    book(driver, account_id, 200)
    book(driver, new_account(driver, ULANQAB), 300, agency=ULANQAB)
    assert seal_as_another(database) == 2
    assert tell_seals(driver.office) == 2
    assert sorted(told(file)) == sorted(blocks(database))
    assert tell_seals(driver.office) == 0


def test_where_no_file_is_named_nothing_is_told(driver: Driver, account_id: UUID) -> None:
    driver.office.seal_file = None
    make_blocks(driver, account_id, 1)
    assert tell_seals(driver.office) == 0


def test_a_line_that_cannot_be_read_is_given_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "seals.jsonl"
    path.write_text('{"region": "150100", "block_no": 1, "hash": "00ff"}\n{"regi\n[]\n')
    heads = list(read_heads(path, path.stat().st_size))
    assert heads == [Head(1, HOHHOT, 1, b"\x00\xff"), 2, 3]


def test_what_is_appended_later_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "seals.jsonl"
    line = '{"region": "150100", "block_no": 1, "hash": "00ff"}\n'
    path.write_text(line * 3)
    assert len(list(read_heads(path, 2 * len(line)))) == 2


def test_catching_up_twice_writes_nothing_more(
    driver: Driver, database: Database, file: Path, account_id: UUID
) -> None:
    make_blocks(driver, account_id, 1)
    before = file.read_bytes()
    with database.reader() as tx:
        SealFile(file).catch_up(tx, HOHHOT)
    assert file.read_bytes() == before
