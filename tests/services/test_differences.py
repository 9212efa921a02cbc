"""ListDifferences and ResolveDifference: who sees what was found, and who puts it right, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.driver import Driver
from tests.services.reconciling import (
    MISSING_HERE,
    SERVICE,
    details,
    listed,
    resolve,
    resolving,
)
from tests.services.till import HOHHOT, TIELING

OPEN, RESOLVED = pb.DIFFERENCE_STATE_OPEN, pb.DIFFERENCE_STATE_RESOLVED
DAY = date(2025, 5, 6)


@dataclass(frozen=True, slots=True)
class World:
    """A till that has booked what nobody has settled here."""

    driver: Driver
    families: Families
    code: str

    def found(self, number: int = 1, day: date = DAY, code: str = "") -> Sequence[pb.Difference]:
        """So many differences of a day."""
        rows = [pb.ReconcileRow(request_id=f"x-{uuid4()}") for _ in range(number)]
        return details(self.driver, code or self.code, rows, day).differences

    def shown(self, role: str, subject: str, **fields: Any) -> list[str]:
        """The ids that a caller is shown."""
        if role == "agency":
            fields["region"] = subject
        return ids(listed(self.driver, role, subject, **fields))


@pytest.fixture
def world(database: Database) -> World:
    families = Families(database)
    return World(Driver(database), families, families.institution(HOHHOT))


def ids(found: Sequence[pb.Difference]) -> list[str]:
    return [one.difference_id for one in found]


# --- lists


def test_an_agency_lists_its_region_and_a_till_its_institution(world: World) -> None:
    mine, neighbour = world.found(), world.found(code=world.families.institution(HOHHOT))
    far = world.found(code=world.families.institution(TIELING))
    assert world.shown("agency", HOHHOT) == ids([*mine, *neighbour])
    assert world.shown("agency", TIELING) == ids(far)
    assert world.shown("pos", world.code) == ids(mine)


def test_the_oldest_day_comes_first_and_pages_go_on_where_they_ended(world: World) -> None:
    later = world.found(3, DAY + timedelta(days=1))
    first = world.found(4)
    expected = ids([*first, *later])
    for size in (1, 2, 3, 7, 100):
        assert world.shown("agency", HOHHOT, page_size=size) == expected


def test_pages_stay_in_order_while_differences_are_put_right(world: World) -> None:
    found = world.found(4)
    request = pb.ListDifferencesRequest(region=HOHHOT, page_size=2)
    page = world.driver.call("agency", HOHHOT, SERVICE, "ListDifferences", request)
    for one in page.differences:
        resolve(world.driver, "agency", HOHHOT, resolving(one.difference_id))
    request.page_token = page.next_page_token
    rest = world.driver.call("agency", HOHHOT, SERVICE, "ListDifferences", request)
    assert ids([*page.differences, *rest.differences]) == ids(found)


def test_the_filters_of_a_list_hold_together(world: World) -> None:
    open_one, resolved = world.found(2)
    other = world.found(code=world.families.institution(HOHHOT), day=DAY + timedelta(days=2))[0]
    resolve(world.driver, "agency", HOHHOT, resolving(resolved.difference_id))
    for fields, expected in (
        ({"states": [OPEN]}, [open_one, other]),
        ({"states": [RESOLVED]}, [resolved]),
        ({"states": [OPEN, RESOLVED]}, [open_one, resolved, other]),
        ({"kinds": [MISSING_HERE]}, [open_one, resolved, other]),
        ({"kinds": [pb.DIFFERENCE_KIND_MISSING_THERE]}, []),
        ({"institution_code": world.code, "states": [OPEN]}, [open_one]),
        ({"from_date": date_of(DAY + timedelta(days=1))}, [other]),
        ({"to_date": date_of(DAY + timedelta(days=1))}, [open_one, resolved]),
        ({"from_date": date_of(DAY), "to_date": date_of(DAY)}, [open_one, resolved]),
        ({"from_date": date_of(DAY + timedelta(days=3))}, []),
    ):
        assert world.shown("agency", HOHHOT, **fields) == ids(expected), fields


def test_a_till_that_names_another_region_or_institution_sees_nothing_of_it(
    world: World,
) -> None:
    world.found()
    neighbour = world.families.institution(HOHHOT)
    assert world.shown("pos", world.code, region=TIELING) == []
    with pytest.raises(errors.AccessDenied):
        world.shown("pos", world.code, institution_code=neighbour)
    with pytest.raises(errors.AccessDenied):
        listed(world.driver, "agency", HOHHOT, region=TIELING)
    with pytest.raises(errors.AccessDenied):
        listed(world.driver, "agency", HOHHOT, institution_code=world.code)


def test_a_page_token_of_another_list_is_refused(world: World) -> None:
    world.found(2)
    request = pb.ListDifferencesRequest(region=HOHHOT, page_size=1)
    page = world.driver.call("agency", HOHHOT, SERVICE, "ListDifferences", request)
    request.states.append(OPEN)
    request.page_token = page.next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        world.driver.call("agency", HOHHOT, SERVICE, "ListDifferences", request)


# --- putting right


@pytest.mark.parametrize("role", ["pos", "agency"])
@pytest.mark.parametrize(
    "resolution",
    [number for number in pb.DifferenceResolution.values() if number],
    ids=pb.DifferenceResolution.Name,
)
def test_a_difference_is_put_right_by_either_side(
    world: World, role: str, resolution: pb.DifferenceResolution.ValueType
) -> None:
    [found] = world.found()
    subject = world.code if role == "pos" else HOHHOT
    request = resolving(found.difference_id, resolution=resolution, note="已退费")
    after = resolve(world.driver, role, subject, request, "clerk-7").difference
    assert (after.state, after.resolution, after.note) == (RESOLVED, resolution, "已退费")
    by = after.resolved_by
    assert (by.role, by.subject, by.actor) == (
        access_pb2.Role.Value(f"ROLE_{role.upper()}"),
        subject,
        "clerk-7",
    )
    assert after.resolved_at.ToDatetime() >= after.found_at.ToDatetime()
    assert listed(world.driver, "agency", HOHHOT, region=HOHHOT) == [after]


def test_the_second_time_is_refused_and_a_repeat_is_answered(world: World) -> None:
    [found] = world.found()
    request = resolving(found.difference_id)
    first = resolve(world.driver, "agency", HOHHOT, request)
    again = resolve(world.driver, "agency", HOHHOT, request)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.difference == first.difference
    for role, subject in (("agency", HOHHOT), ("pos", world.code)):
        with pytest.raises(errors.DifferenceResolved):
            resolve(world.driver, role, subject, resolving(found.difference_id))


def test_a_strangers_difference_is_answered_like_a_missing_one(world: World) -> None:
    [found] = world.found()
    neighbour = world.families.institution(HOHHOT)
    stranger = world.families.institution(TIELING)
    missing = str(new_id(HOHHOT))
    for role, subject in (("pos", neighbour), ("pos", stranger), ("agency", TIELING)):
        for difference_id in (found.difference_id, missing, str(uuid4())):
            with pytest.raises(errors.AccessDenied):
                resolve(world.driver, role, subject, resolving(difference_id))
    assert listed(world.driver, "agency", HOHHOT, region=HOHHOT) == [found]


def test_an_agency_is_told_of_a_difference_that_is_gone(world: World) -> None:
    [found] = world.found()
    details(world.driver, world.code, [], DAY)
    with pytest.raises(errors.DifferenceNotFound):
        resolve(world.driver, "agency", HOHHOT, resolving(found.difference_id))


def test_who_put_it_right_and_how_is_in_the_trail(world: World, database: Database) -> None:
    [found] = world.found()
    resolve(world.driver, "agency", HOHHOT, resolving(found.difference_id), "clerk-7")
    query = """SELECT role, actor, action, subject_id, reason, changes FROM audit_records
               WHERE region = %s AND subject_kind = 'difference'"""
    with database.connect() as tx:
        [record] = tx.execute(query, [HOHHOT]).fetchall()
    *named, changes = record
    assert named == [
        "agency",
        "clerk-7",
        "gongji.v1.ClearingService/ResolveDifference",
        found.difference_id,
        "已与机构核实",
    ]
    assert changes == [
        {"field": "state", "before": '"OPEN"', "after": '"RESOLVED"'},
        {"field": "resolution", "before": "", "after": '"EXPLAINED"'},
    ]
