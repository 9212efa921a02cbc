"""Three workers at once, with something due for every job there is: each thing is done once."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.domain.window import last_day_from
from gongji_svc.storage.database import Database
from gongji_svc.upkeep import JOBS
from gongji_svc.upkeep.windows import JOB as CLOSE_WINDOWS
from tests.commands.test_work import lapsed_families
from tests.families import Families, Made
from tests.services.accounts import PARTED, account_of
from tests.services.applications import header, upload
from tests.services.changes import purchase
from tests.services.credentials import buying, code_of, preview
from tests.services.driver import Driver
from tests.services.holds import HOHHOT, family, hold, holding, move
from tests.storage.test_seals import expect_each_entry_sealed_once, rows
from tests.upkeep.outbox import KEY, silent_bureau, waiting
from tests.upkeep.processes import rules_in, worker
from tests.upkeep.test_killed import expect_days_summed_once

_MANY = 40  # more than one batch of any job that has small ones
_DAY = timedelta(days=1)
_RULES = {
    **{f"accounts.{name}": kinds for name, kinds in PARTED.items()},
    "accounts.year_end_move": True,
    "clearing.close_after_days": 3,
}
_BOOKED_BEFORE_TODAY = """SELECT count(*) FROM settlements
    WHERE recorded_at < date_trunc('day', now(), 'Asia/Shanghai')"""
_TAKEN = "UPDATE tax_messages SET taken_at = now() - %s, due_at = recorded_at WHERE id = ANY(%s)"


def due_of_old(driver: Driver, families: Families, code: str, patient: Made) -> date:
    """What is due by its age: purchases of months ago; documents and codes of two days ago; holds
    that have ended, and purchases, of two hours ago. The first day.
    """
    move(driver, -100 * _DAY)
    first = driver.office.today()
    for _ in range(10):
        purchase(driver, code, patient, 100)
        move(driver, 9.8 * _DAY)
    donor, relative, _ = family(families)
    for _ in range(_MANY):
        upload(driver, donor, header())
        preview(driver, code, buying(code, patient, code_of(driver, patient), str(uuid4())))
    move(driver, 2 * _DAY - timedelta(hours=2))
    for _ in range(_MANY):
        hold(driver, "pos", code, holding(donor.account_id, relative, 10))
        purchase(driver, code, patient, 100)
    move(driver, timedelta(hours=2))
    return first


def due_otherwise(driver: Driver, families: Families) -> None:
    """Donors who have lapsed, money of the year before, messages to the tax authority."""
    lapsed_families(driver.office, _MANY)
    for _ in range(_MANY):
        owner = families.person(HOHHOT)
        account_of(owner, families, HOHHOT, kind="CURRENT_YEAR", balance_fen=300)
        waiting(families, families.person(HOHHOT))
    overdue = {"answer_due_on": driver.office.today() - 3 * _DAY}
    answered = {"state": PremiumState.CONFIRMED}
    with families.database.connect() as tx:
        for fields, ago in ((overdue, 2 * _DAY), (answered, 200 * _DAY)):
            ids = [waiting(families, families.person(HOHHOT), **fields) for _ in range(_MANY)]
            tx.execute(_TAKEN, [ago, ids])


def months_over(first: date, today: date) -> int:
    """The months from that day's on that ended three days ago or before."""
    months, last_day = 0, last_day_from(first.replace(day=1))
    while last_day <= today - 3 * _DAY:
        months, last_day = months + 1, last_day_from(last_day + _DAY)
    return months


def all_at_once(
    database: Database, folder: Path, processes: int, settings: Mapping[str, str]
) -> Counter[str]:
    """What so many workers have done together, by job, until nothing was due."""
    with ExitStack() as stack:
        once = (
            worker(database, folder, folder / "rules", "--once", **settings)
            for _ in range(processes)
        )
        started = [stack.enter_context(one) for one in once]
        told = [process.communicate(timeout=120) for process in started]
        assert [process.returncode for process in started] == [0] * processes, told
    return sum((Counter(json.loads(printed)) for printed, _ in told), Counter())


def test_whatever_comes_due_is_done_once_by_three_workers_at_once(
    database: Database, tmp_path: Path
) -> None:
    families, driver = Families(database), Driver(database)
    families.item("150000", "XA01")
    code, patient = families.institution(HOHHOT), families.person(HOHHOT, balance_fen=1_000_000)
    first = due_of_old(driver, families, code, patient)
    due_otherwise(driver, families)
    rules_in(tmp_path / "rules", {HOHHOT: _RULES})
    (tmp_path / "tax.key").write_text(KEY.hex())
    with silent_bureau() as bureau:
        settings = {
            "GONGJI_TAX_URL": bureau.endpoint.url,
            "GONGJI_TAX_KEY": str(tmp_path / "tax.key"),
        }
        done = all_at_once(database, tmp_path, 3, settings)
        left = all_at_once(database, tmp_path, 1, settings)
        assert Counter(bureau.kept.heard.values()) == {1: 2 * _MANY}
    assert set(left) <= {"seal-entries"}  # what a job made that comes after the sealing
    done += left
    done.pop("tell-seals", None)  # who seals tells the block, or another who was quicker
    assert done.pop("sum-days") > 0  # empty days are turns too
    assert done.pop("expire-holds") >= _MANY  # each says how many it found ended
    assert rows(database, "SELECT state, count(*) FROM holds GROUP BY state") == [
        ("EXPIRED", _MANY)
    ]
    assert rows(database, "SELECT sum(held_fen) FROM accounts") == [(0,)]
    ((entries,),) = rows(database, "SELECT count(*) FROM entries")
    ((over,),) = rows(database, _BOOKED_BEFORE_TODAY)
    expect_days_summed_once(database, 100 * over, over)
    apart = {"sum-days", "expire-holds", "tell-seals"}
    due = {job.name: _MANY for job in JOBS if job.name not in apart}
    of_their_own = {
        "seal-entries": entries,
        "send-premiums": 2 * _MANY,
        CLOSE_WINDOWS: months_over(first, driver.office.today()),
    }
    assert done == due | of_their_own
    expect_each_entry_sealed_once(database)
