"""People whose insurance changes, and the worker's looks at their bindings."""

from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import registry_pb2
from gongji_svc.domain.binding import BindingState
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import region_of
from gongji_svc.upkeep.bindings import check_bindings
from tests.families import Made
from tests.services.applications import HOHHOT
from tests.services.changes import Pair, kept
from tests.services.driver import Driver
from tests.services.test_registry_persons import enrolment, period, person, put


def look(driver: Driver) -> int:
    """Look at all that is due; how many people."""
    people = 0
    while looked := check_bindings(driver.office):
        people += looked
    return people


def paused(region: str = HOHHOT, since: str = "2025-04-10", **fields: Any) -> Any:
    """An insurance that is paused: a pause acts from the first of the next month."""
    pause = period(since)
    pause.status = registry_pb2.INSURED_STATUS_PAUSED
    return enrolment(region, period("2015-01-01", "2025-04-09"), pause, **fields)


def over(region: str = HOHHOT, **fields: Any) -> Any:
    """An insurance that has ended."""
    return enrolment(region, period("2015-01-01", "2025-04-30"), **fields)


def stated(made: Made, *enrolments: Any, **fields: Any) -> registry_pb2.Person:
    """Somebody who is known, with other insurance."""
    known = {"number": made.certificate_number, "name": made.name, "card_no": made.card_no}
    return person(*enrolments, **known, **fields)


def restate(driver: Driver, made: Made, *enrolments: Any, **fields: Any) -> None:
    put(driver, region_of(made.person_id), stated(made, *enrolments, **fields))


def asked_for(database: Database) -> dict[UUID, list[date]]:
    """When whose bindings are to be looked at."""
    found: dict[UUID, list[date]] = {}
    query = "SELECT person_id, due_on FROM binding_checks ORDER BY due_on"
    with database.connect() as tx:
        for person_id, due_on in tx.execute(query):
            found.setdefault(UUID(str(person_id)), []).append(date.fromisoformat(str(due_on)))
    return found


def state_of(database: Database, pair: Pair) -> tuple[BindingState, tuple[str, ...]]:
    found = kept(database, pair.id)
    return found.binding.state, found.suspended_for
