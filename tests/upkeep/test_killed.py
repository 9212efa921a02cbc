"""Several `gongji work` at once, some of them killed in the middle: every job is done, and once.

Suspensions have such a test in tests/commands/test_work.py, the move at a year's end in
tests/services/test_year_end.py.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.risk import RiskKind
from gongji_svc.domain.window import first_day_after, last_day_from
from gongji_svc.storage.database import Database
from tests.commands.program import gongji
from tests.families import Families
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.holds import HOHHOT, ULANQAB, counted, family, hold, holding, money_of, move
from tests.services.risks import buy
from tests.storage.test_seals import expect_each_entry_sealed_once, rows
from tests.upkeep.outbox import KEY, due_now, silent_bureau, untaken, waiting
from tests.upkeep.processes import Process, kill_when, rules_in, unwritable, worker

_BINDINGS, _HOLDS, _PURCHASES, _MESSAGES = 4, 10, 20, 40
_MONTHS = timedelta(days=200)


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
        expect_all_to_end_well([start("--once") for _ in range(3)])
        assert untaken(database) == 0
        assert set(bureau.kept.heard) == told
    assert count(database, expired) == _BINDINGS * _HOLDS
    for account_id, binding_id in held:
        assert money_of(database, account_id)[:2] == (100_000, 0)
        assert counted(database, binding_id) == {}
    expect_each_entry_sealed_once(database)
    expect_days_summed_once(database, _PURCHASES * 1_000, _PURCHASES)


def expect_days_summed_once(database: Database, payable_fen: int, journals: int) -> None:
    """What the institutions of a region are owed by the sums is what was booked."""
    owed = "SELECT sum(payable_fen), sum(journals) FROM clearing_days WHERE kind = 'INSTITUTION'"
    assert rows(database, owed) == [(payable_fen, journals)]


def expect_all_to_end_well(processes: Iterable[Process]) -> None:
    """They have done what was due, and none failed at it."""
    for process in processes:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors


def test_windows_are_closed_once_by_processes_of_which_some_are_killed(
    database: Database, tmp_path: Path
) -> None:
    today = day_of(datetime.now().astimezone())
    families, driver = Families(database), Driver(database, on=today - _MONTHS)
    families.item("150000", "XA01")
    code, patient = families.institution(HOHHOT), families.person(HOHHOT, balance_fen=1_000_000)
    days = []
    for _ in range(_PURCHASES):
        days.append(driver.office.today())
        purchase(driver, code, patient, 1_000)
        move(driver, _MONTHS / _PURCHASES)
    rules = rules_in(tmp_path / "rules", {HOHHOT: {"clearing.close_after_days": 3}})
    closed = "SELECT count(*) FROM windows"
    with (
        unwritable(database, "window_positions") as somebody_waits,
        worker(database, tmp_path, rules) as victim,
    ):
        kill_when(victim, somebody_waits)
        assert count(database, closed) == 0
    with worker(database, tmp_path, rules) as victim:
        kill_when(victim, lambda: count(database, closed) > 1)
    with ExitStack() as stack:
        once = (worker(database, tmp_path, rules, "--once") for _ in range(3))
        expect_all_to_end_well([stack.enter_context(one) for one in once])
    expect_windows_closed_once(database, days, today - timedelta(days=3))


def expect_windows_closed_once(database: Database, days: Sequence[date], due: date) -> None:
    """Month after month up to what was due, each window with one record, and in it what was booked
    on its days.
    """
    months, first_day = [], days[0].replace(day=1)
    while last_day_from(first_day) <= due:
        months.append((first_day, last_day_from(first_day)))
        first_day = first_day_after(last_day_from(first_day), days[0])
    query = "SELECT first_day, last_day FROM windows ORDER BY first_day"
    assert rows(database, query) == months
    booked = [sum(first <= day <= last for day in days) for first, last in months]
    query = """SELECT sum(p.payable_fen), sum(p.journals) FROM windows w
               LEFT JOIN window_positions p ON p.window_id = w.id
               GROUP BY first_day ORDER BY first_day"""
    assert rows(database, query) == [(times * 1_000, times) for times in booked]
    query = "SELECT count(*), count(DISTINCT subject_id) FROM audit_records WHERE subject_kind = %s"
    assert rows(database, query, "window") == [(len(months), len(months))]


def test_purchases_are_looked_at_once_by_processes_of_which_some_are_killed(
    database: Database, tmp_path: Path
) -> None:
    families, driver = Families(database), Driver(database)
    move(driver, -timedelta(hours=1))
    families.item("150000", "XA01")
    codes = [families.institution(HOHHOT) for _ in range(4)]
    patients = [families.person(HOHHOT, balance_fen=1_000_000) for _ in range(5)]
    for patient in patients:
        for code in codes:  # the fourth is one too many
            buy(driver, code, patient, trace_codes=[f"8{patient.card_no[1:]:0>19}"])
    told = "SELECT kind, person_id FROM risk_signals"
    for table in ("risk_signals", "trace_codes"):
        with (
            unwritable(database, table) as somebody_waits,
            gongji(database, tmp_path, "work") as victim,
        ):
            kill_when(victim, somebody_waits)
            assert rows(database, told) == []
    with ExitStack() as stack:
        once = (gongji(database, tmp_path, "work", "--once") for _ in range(3))
        expect_all_to_end_well([stack.enter_context(one) for one in once])
    expected = {RiskKind.MANY_INSTITUTIONS: 1, RiskKind.REPEATED_TRACE_CODE: 3}
    assert Counter(rows(database, told)) == {
        (kind.value, one.person_id): times for kind, times in expected.items() for one in patients
    }
    assert count(database, "SELECT count(*) FROM trace_codes") == len(patients) * len(codes)
