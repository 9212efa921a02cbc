"""Several `gongji work` at once, some of them killed in the middle: every job is done, and once.

Suspensions have such a test in tests/commands/test_work.py, the move at a year's end in
tests/services/test_year_end.py.
"""

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.domain.calendar import day_of
from gongji_svc.storage.database import Database
from tests.commands.program import gongji
from tests.end_to_end.service import until
from tests.families import Families
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.holds import HOHHOT, ULANQAB, counted, family, hold, holding, money_of, move
from tests.storage.test_seals import expect_each_entry_sealed_once, rows
from tests.upkeep.outbox import KEY, due_now, silent_bureau, untaken, waiting

Process = subprocess.Popen[str]

_BINDINGS, _HOLDS, _PURCHASES, _MESSAGES = 4, 10, 20, 40


@pytest.fixture
def driver(database: Database) -> Driver:
    """The service, three days ago."""
    return Driver(database, on=day_of(datetime.now().astimezone()) - timedelta(days=3))


def booked(driver: Driver, families: Families) -> list[tuple[UUID, UUID]]:
    """Purchases of two days, and holds of yesterday, whose time is over; donors' accounts with
    their bindings.
    """
    code = families.institution(HOHHOT)
    patient = families.person(ULANQAB, balance_fen=1_000_000)
    for _ in range(2):
        for _ in range(_PURCHASES // 2):
            purchase(driver, code, patient, 1_000)
        move(driver, timedelta(days=1))
    held = []
    for _ in range(_BINDINGS):
        donor, relative, binding_id = family(families)
        for _ in range(_HOLDS):
            hold(driver, "pos", code, holding(donor.account_id, relative, 10))
        assert donor.account_id is not None
        held.append((donor.account_id, binding_id))
    return held


def count(database: Database, query: str) -> int:
    """A number that the database answers."""
    ((number,),) = rows(database, query)
    return int(number)


def test_of_several_processes_some_of_which_are_killed_each_job_is_done_once(
    database: Database, driver: Driver, tmp_path: Path
) -> None:
    families = Families(database)
    families.item("150000", "XA01")
    held = booked(driver, families)
    told = {str(waiting(families, families.person(HOHHOT))) for _ in range(_MESSAGES)}
    (tmp_path / "tax.key").write_text(KEY.hex())
    expired = "SELECT count(*) FROM holds WHERE state = 'EXPIRED'"
    with silent_bureau(slow_seconds=0.02) as bureau, ExitStack() as stack:
        settings: Any = {
            "GONGJI_TAX_URL": bureau.endpoint.url,
            "GONGJI_TAX_KEY": str(tmp_path / "tax.key"),
        }

        def start(*arguments: str) -> Process:
            return stack.enter_context(gongji(database, tmp_path, "work", *arguments, **settings))

        victims = [start() for _ in range(3)]
        kill_when(victims.pop(), lambda: count(database, expired) > 0)
        kill_when(victims.pop(), lambda: bool(bureau.kept.heard))
        kill_when(victims.pop(), lambda: count(database, "SELECT count(*) FROM blocks") > 0)
        due_now(database)  # the leases of those who are dead are over
        for process in [start("--once") for _ in range(3)]:
            _, errors = process.communicate(timeout=90)
            assert process.returncode == 0, errors
        assert untaken(database) == 0
        assert set(bureau.kept.heard) == told
    assert count(database, expired) == _BINDINGS * _HOLDS
    for account_id, binding_id in held:
        assert money_of(database, account_id)[:2] == (100_000, 0)
        assert counted(database, binding_id) == {}
    expect_each_entry_sealed_once(database)
    expect_days_summed_once(database)


def kill_when(process: Process, true: Callable[[], bool]) -> None:
    """Kill it as soon as something has happened."""
    until(true, 60)
    process.kill()
    process.wait()


def expect_days_summed_once(database: Database) -> None:
    """What the institutions of a region are owed by the sums is what was booked."""
    owed = "SELECT sum(payable_fen), sum(journals) FROM clearing_days WHERE kind = 'INSTITUTION'"
    assert rows(database, owed) == [(_PURCHASES * 1_000, _PURCHASES)]
