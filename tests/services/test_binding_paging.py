"""ListBindings, page by page, while bindings are added, decided and ended; and the review queue."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import HOHHOT, SHENYANG, TIELING, donor_in, relative_in
from tests.services.changes import bind, bound, end, review
from tests.services.driver import Driver
from tests.services.test_binding_reads import get, ids, listed

WAITING = [pb.BINDING_STATE_PENDING_REVIEW]
IN_FORCE = [pb.BINDING_STATE_ACTIVE]
BLURRED = "证件照片不清晰，请重新上传"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    office = Driver(database)
    yield office
    office.close()


def pages(
    driver: Driver, role: str, subject: object, between: Callable[[], object], **fields: Any
) -> list[str]:
    """The ids on all pages, two on each; `between` happens after each page."""
    seen: list[str] = []
    token = ""
    while True:
        page = listed(driver, role, subject, page_size=2, page_token=token, **fields)
        seen += ids(page)
        token = page.next_page_token
        if not token:
            return seen
        between()


def test_a_donors_pages_are_stable_while_bindings_are_added_and_ended(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    pairs = [bind(driver, donor, relative_in(families, HOHHOT), HOHHOT) for _ in range(5)]
    made = [pair.id for pair in pairs]
    to_end = iter([made[4], made[0], made[3]])

    def between() -> None:
        end(driver, "citizen", donor, next(to_end))
        made.append(bind(driver, donor, relative_in(families, HOHHOT), HOHHOT).id)

    seen = pages(driver, "citizen", donor, between, donor_id=donor)
    assert seen == made


def test_a_beneficiarys_pages_skip_nobody_when_what_was_read_ends(
    driver: Driver, families: Families
) -> None:
    mother = relative_in(families, HOHHOT)
    made = [bind(driver, donor_in(families, HOHHOT), mother, HOHHOT).id for _ in range(6)]
    to_end = iter([made[1], made[5]])
    seen = pages(
        driver,
        "citizen",
        mother,
        lambda: end(driver, "citizen", mother, next(to_end)),
        beneficiary_id=mother,
        states=IN_FORCE,
    )
    assert seen == made[:5]


@pytest.mark.requirement("TIL-17")
def test_the_queue_is_read_oldest_first_and_whole_while_it_is_worked_off(
    driver: Driver, families: Families
) -> None:
    made = [bound(driver, families, TIELING).id for _ in range(6)]
    to_decide = iter(made)

    def decide_two() -> None:
        for decision in ("APPROVE", "REJECT"):
            review(driver, TIELING, next(to_decide), decision, reason=BLURRED)
        made.append(bound(driver, families, TIELING).id)

    seen = pages(driver, "reviewer", TIELING, decide_two, states=WAITING)
    assert seen == made


@pytest.mark.requirement("TIL-17")
def test_what_is_decided_leaves_the_queue_and_the_rest_stays_oldest_first(
    driver: Driver, families: Families
) -> None:
    made = [bound(driver, families, TIELING).id for _ in range(4)]
    review(driver, TIELING, made[1])
    review(driver, TIELING, made[2], "REJECT", reason=BLURRED)
    queue = listed(driver, "reviewer", TIELING, states=WAITING)
    assert ids(queue) == [made[0], made[3]]
    assert ids(listed(driver, "agency", TIELING, states=WAITING)) == [made[0], made[3]]


@pytest.mark.parametrize("region", [SHENYANG, HOHHOT, "210000"])
def test_reviewers_of_other_regions_see_nothing_of_the_queue(
    driver: Driver, families: Families, region: str
) -> None:
    pair = bound(driver, families, TIELING)
    for fields in ({}, {"states": WAITING}, {"donor_id": pair.donor}):
        assert ids(listed(driver, "reviewer", region, **fields)) == []
    with pytest.raises(errors.AccessDenied):
        get(driver, "reviewer", region, pair.id)


@pytest.mark.parametrize("role", ["citizen", "counter"])
def test_only_reviewers_and_agencies_read_a_queue_without_naming_anybody(
    driver: Driver, families: Families, role: str
) -> None:
    pair = bound(driver, families, TIELING)
    with pytest.raises(errors.AccessDenied):
        listed(driver, role, pair.donor if role == "citizen" else TIELING, states=WAITING)


def test_a_regions_pages_hold_each_binding_once_while_others_bind_and_end(
    driver: Driver, families: Families, database: Database
) -> None:
    standing = [bound(driver, families, HOHHOT).id for _ in range(9)]
    to_end, read = [bound(driver, families, HOHHOT) for _ in range(9)], Event()

    def bind_and_end() -> None:
        office = Driver(database)
        for turn in range(90):
            if read.is_set():
                break
            bound(office, families, HOHHOT)
            if turn < len(to_end):
                end(office, "citizen", to_end[turn].donor, to_end[turn].id)
        office.close()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(bind_and_end)
        try:
            seen = [
                pages(driver, "agency", HOHHOT, lambda: None, states=states)
                for states in (IN_FORCE, [])
            ]
        finally:
            read.set()
        working.result()
    for found in seen:
        assert len(found) == len(set(found))
        assert [one for one in found if one in standing] == standing
