"""`gongji work`: once, beside others, until it is told to stop, and killed in the middle."""

import signal
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from gongji_svc.services.binding_changes import check_row
from gongji_svc.services.binding_checking import JOB
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import region_of
from gongji_svc.upkeep import JOBS, Job, work
from tests.commands.program import gongji
from tests.end_to_end.service import until
from tests.families import LAPSED, Families, Made
from tests.services.changes import trail
from tests.services.driver import Driver

HOHHOT, ULANQAB = "150100", "150900"


@pytest.fixture
def office(database: Database) -> Office:
    return Driver(database).office


def lapsed_families(office: Office, count: int) -> dict[str, Made]:
    """Donors who have lapsed and are due, by the id of the one binding that each has given."""
    families = Families(office.database)
    donors: dict[str, Made] = {}
    for number in range(count):
        home = (HOHHOT, ULANQAB)[number % 2]
        donor, child = (families.person(HOHHOT, periods=LAPSED, home=home) for _ in range(2))
        donors[str(families.bind(donor, child))] = donor
        families.write(("binding_checks", check_row(donor.person_id, office.today())[1]))
    return donors


def suspended(database: Database) -> int:
    """How many bindings are suspended."""
    with database.connect() as tx:
        return tx.execute("SELECT FROM bindings WHERE state = 'SUSPENDED'").rowcount


def expect_all_changed_once(database: Database, bindings: Collection[str]) -> None:
    assert suspended(database) == len(bindings)
    assert Counter(one.subject_id for one in trail(database, *bindings)) == Counter(list(bindings))


def test_once_does_all_that_is_due_and_says_what(office: Office, tmp_path: Path) -> None:
    donors = lapsed_families(office, 3)
    with gongji(office.database, tmp_path, "work", "--once") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    done = {job.name: 0 for job in JOBS} | {JOB: 3}
    assert output.splitlines() == [f"{name}: {count}" for name, count in done.items()]
    expect_all_changed_once(office.database, donors)


def test_several_processes_share_the_work(office: Office, tmp_path: Path) -> None:
    donors = lapsed_families(office, 150)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(gongji(office.database, tmp_path, "work", "--once"))
            for _ in range(3)
        ]
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sum(int(output.split()[1]) for output in outputs) == len(donors)
    expect_all_changed_once(office.database, donors)


def test_one_that_is_killed_in_the_middle_loses_and_repeats_nothing(
    office: Office, tmp_path: Path
) -> None:
    donors = lapsed_families(office, 80)  # 40 a region: more than one batch of what one takes
    last = [max(one for one in donors if region_of(UUID(one)) == at) for at in (HOHHOT, ULANQAB)]
    with office.database.connect() as blocking:
        held = [donors[one].person_id for one in last]
        blocking.execute("SELECT FROM persons WHERE id = ANY(%s) FOR UPDATE", [held])
        with gongji(office.database, tmp_path, "work") as process:
            until(lambda: suspended(office.database) > 0, 30)
            process.kill()
            process.wait()
        assert 0 < suspended(office.database) < len(donors)
    with gongji(office.database, tmp_path, "work", "--once") as process:
        assert process.communicate(timeout=60)[0].startswith(f"check-bindings: {len(donors)}\n")
    expect_all_changed_once(office.database, donors)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_until_it_is_told_to_stop(
    office: Office, tmp_path: Path, ending: signal.Signals
) -> None:
    with gongji(office.database, tmp_path, "work") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("gongji works")
        lapsed_families(office, 1)
        until(lambda: suspended(office.database) == 1, 30)
        process.send_signal(ending)
        assert process.wait(20) == 0


def test_the_service_that_is_brought_up_does_the_work_itself(
    office: Office, tmp_path: Path
) -> None:
    lapsed_families(office, 1)
    with gongji(office.database, tmp_path, "up") as process:
        until(lambda: suspended(office.database) == 1, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_job_that_fails_is_tried_again_and_stops_no_other(office: Office) -> None:
    stopping, calls = threading.Event(), Counter[str]()

    def fails(_: Office) -> int:
        calls["fails"] += 1
        if calls["fails"] == 2:
            stopping.set()
        raise RuntimeError("just once more")

    def works(_: Office) -> int:
        calls["works"] += 1
        return 0

    work(office, stopping, [Job("fails", fails, 0.1), Job("works", works, 0.1)])
    assert calls["fails"] == 2
    assert calls["works"] > 0
