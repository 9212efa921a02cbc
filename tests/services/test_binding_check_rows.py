"""When bindings are looked at: who asks for it, what a look leaves, many workers at once."""

import io
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.usability import Why
from gongji_svc.services.binding_changes import check_row
from gongji_svc.services.loading import load
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.bindings import check_bindings
from tests.end_to_end.service import until
from tests.families import LAPSED, Families
from tests.services.applications import DAY, HOHHOT, ULANQAB, donor_in, relative_in
from tests.services.changes import bound, kept, trail
from tests.services.driver import Driver
from tests.services.looks import asked_for, look, over, paused, restate, state_of, stated
from tests.services.test_registry_persons import batch, enrolment, period, person, put

A_DAY = timedelta(days=1)
SUSPENDED = BindingState.SUSPENDED


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    office = Driver(database, on=DAY)
    yield office
    office.close()


# --- when to look again


def test_a_look_leaves_one_row_a_person_for_the_first_day_on_which_anything_changes(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    restate(driver, pair.donor, enrolment(HOHHOT, period("2015-01-01", "2025-05-20")))
    families.write(("binding_checks", check_row(pair.donor.person_id, date(2025, 6, 1))[1]))
    look(driver)
    people = (pair.donor.person_id, pair.beneficiary.person_id)
    assert asked_for(database) == {one: [date(2025, 5, 21)] for one in people}
    assert look(driver) == 0


def test_a_row_of_somebody_without_bindings_goes_without_another(
    driver: Driver, families: Families, database: Database
) -> None:
    alone = donor_in(families, HOHHOT)
    restate(driver, alone, paused())
    assert asked_for(database) == {alone.person_id: [DAY]}
    assert look(driver) == 1
    assert asked_for(database) == {}


def test_a_binding_that_cannot_be_judged_is_tried_again_tomorrow_and_holds_nobody_up(
    driver: Driver, families: Families, database: Database
) -> None:
    broken, sound = (bound(driver, families, HOHHOT) for _ in range(2))
    for pair in (broken, sound):
        restate(driver, pair.donor, paused())
    with database.connect() as tx:
        tx.execute("UPDATE bindings SET relation = 'NOBODY' WHERE id = %s", [broken.id])
    look(driver)
    assert state_of(database, sound) == (SUSPENDED, (Why.DONOR_LAPSED,))
    assert asked_for(database)[broken.donor.person_id] == [DAY + A_DAY]


# --- who asks for a look


def test_only_what_bindings_rest_on_asks_for_a_look(
    driver: Driver, families: Families, database: Database
) -> None:
    known = donor_in(families, HOHHOT)
    put(driver, HOHHOT, person(enrolment(HOHHOT)))
    restate(driver, known, enrolment(HOHHOT))
    restate(driver, known, enrolment(HOHHOT), chronic_diseases=["DIABETES"])
    assert asked_for(database) == {}
    restate(driver, known, enrolment(HOHHOT), identities=["PUBLICLY_FUNDED"])
    assert asked_for(database) == {known.person_id: [DAY]}


def test_a_batch_asks_for_a_look_at_each_who_changed(
    driver: Driver, families: Families, database: Database
) -> None:
    changed, same = donor_in(families, HOHHOT), donor_in(families, HOHHOT)
    batch(
        driver,
        HOHHOT,
        stated(changed, over()),
        stated(same, enrolment(HOHHOT)),
        person(enrolment(HOHHOT)),
        stated(changed, paused()),
    )
    assert asked_for(database) == {changed.person_id: [DAY]}


def test_a_file_that_is_loaded_asks_for_a_look_at_each_who_changed(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    look(driver)
    before = asked_for(database)
    columns = "certificate_number,name,birth_date,insurance,person_type,from,to,card_no"
    lines = [columns, "150102198001019991,张三,1980-01-01,EMPLOYEE,ACTIVE,2015-01-01,,"]
    for made, insurance, kind, last in (
        (pair.donor, "EMPLOYEE", "ACTIVE", "2025-04-30"),
        (pair.beneficiary, "RESIDENT", "RESIDENT", ""),
    ):
        start = f"{made.certificate_number},{made.name},1980-01-01"
        lines.append(f"{start},{insurance},{kind},2015-01-01,{last},{made.card_no}")
    file = io.BytesIO("\n".join(lines).encode())
    faults: list[Any] = []
    load(driver.office, KINDS["persons"], file, HOHHOT, faults.append, lambda _: None)
    assert faults == []
    assert asked_for(database) == {**before, pair.donor.person_id: [DAY]}
    look(driver)
    assert state_of(database, pair) == (SUSPENDED, (Why.DONOR_NOT_INSURED,))


# --- several workers


@pytest.mark.parametrize("workers", [2, 4])
def test_of_several_workers_at_once_one_looks_at_each_person_and_each_binding_changes_once(
    families: Families, database: Database, workers: int
) -> None:
    made: list[UUID] = []
    people: set[UUID] = set()
    regions = (HOHHOT, ULANQAB)
    for number in range(60):
        donor = families.person(HOHHOT, periods=LAPSED, home=regions[number % 2])
        children = [relative_in(families, HOHHOT, home=regions[n]) for n in range(2)]
        made += [families.bind(donor, child) for child in children]
        people |= {one.person_id for one in (donor, *children)}
    office = Driver(database)
    today = office.office.today()
    families.write(*(("binding_checks", check_row(one, today)[1]) for one in people))
    together = threading.Barrier(workers)

    def work() -> int:
        together.wait()
        return look(office)

    with ThreadPoolExecutor(workers) as pool:
        looked = sum(one.result() for one in [pool.submit(work) for _ in range(workers)])
    assert looked + look(office) == len(people)
    office.close()
    named = [str(binding_id) for binding_id in made]
    assert {kept(database, one).binding.state for one in named} == {SUSPENDED}
    assert Counter(one.subject_id for one in trail(database, *named)) == Counter(named)
    again = asked_for(database)
    assert again.keys() == people
    assert {len(days) for days in again.values()} == {1}


def test_what_changes_while_a_worker_looks_is_looked_at_again(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    first, second = sorted((pair.donor, pair.beneficiary), key=lambda made: made.person_id)
    with database.connect() as blocking, ThreadPoolExecutor(1) as pool:
        blocking.execute("SELECT FROM persons WHERE id = %s FOR UPDATE", [first.person_id])
        looking = pool.submit(check_bindings, driver.office)
        until(lambda: waiting_for_a_lock(database))
        insurance = "EMPLOYEE" if second is pair.donor else "RESIDENT"
        restate(driver, second, over(insurance=insurance))
        blocking.rollback()
        assert looking.result() == 1
    assert DAY in asked_for(database)[second.person_id]
    look(driver)
    assert state_of(database, pair)[0] is SUSPENDED
    assert DAY not in asked_for(database)[second.person_id]


def waiting_for_a_lock(database: Database) -> bool:
    query = """SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    with database.connect() as tx:
        return tx.execute(query).rowcount > 0
