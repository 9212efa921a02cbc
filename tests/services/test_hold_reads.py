"""GetHold and ListHolds: what is shown, to whom, in which order."""

from collections.abc import Sequence
from typing import Any

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.accounts import account_of
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    HOUR,
    TIELING,
    ULANQAB,
    capture,
    family,
    hold,
    holding,
    list_holds,
    move,
    release,
    state_of,
)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def pages(
    driver: Driver, owner: object, account_id: object, size: int, **fields: Any
) -> list[list[str]]:
    """The ids of all holds, page by page."""
    found: list[list[str]] = []
    token = ""
    while not found or token:
        answer = list_holds(
            driver, "citizen", owner, account_id, page_size=size, page_token=token, **fields
        )
        found.append([one.hold_id for one in answer.holds])
        token = answer.next_page_token
    return found


def test_an_owner_sees_what_is_held_for_whom_newest_first(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    made = [
        hold(driver, "pos", pharmacy, holding(donor.account_id, beneficiary, 100 + number))
        for number, beneficiary in enumerate((donor, relative, donor))
    ]
    listed = list_holds(driver, "citizen", donor, donor.account_id)
    assert list(listed.holds) == made[::-1]
    assert not listed.next_page_token


def test_an_account_without_holds_has_an_empty_list(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    assert not list_holds(driver, "citizen", owner, owner.account_id).holds


def test_pages_are_stable_while_holds_come_and_end(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=9_000)

    def make() -> str:
        return hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 100)).hold_id

    made = [make() for _ in range(7)]
    expected = made[::-1]
    for size in (1, 2, 3, 7, 50):
        starts = range(0, 7, size)
        found = pages(driver, owner, owner.account_id, size)
        assert found == [expected[start : start + size] for start in starts]
    first = list_holds(driver, "citizen", owner, owner.account_id, page_size=3)
    make()
    release(driver, "pos", pharmacy, made[0])
    rest = list_holds(
        driver, "citizen", owner, owner.account_id, page_size=9, page_token=first.next_page_token
    )
    assert [one.hold_id for one in (*first.holds, *rest.holds)] == expected


def test_holds_are_chosen_by_the_state_in_which_they_are_now(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=9_000)
    made = {}
    for state, hours in (("CAPTURED", 1), ("RELEASED", 1), ("EXPIRED", 1), ("OPEN", 3)):
        request = holding(owner.account_id, owner, 100, hours * HOUR)
        made[state] = hold(driver, "pos", pharmacy, request).hold_id
    capture(driver, "pos", pharmacy, made["CAPTURED"])
    release(driver, "pos", pharmacy, made["RELEASED"])
    move(driver, HOUR)
    for state, hold_id in made.items():
        states = [pb.HoldState.Value(f"HOLD_STATE_{state}")]
        listed = list_holds(driver, "citizen", owner, owner.account_id, states=states).holds
        assert [(one.hold_id, state_of(one)) for one in listed] == [(hold_id, state)]
    both = [pb.HOLD_STATE_OPEN, pb.HOLD_STATE_EXPIRED]
    found = pages(driver, owner, owner.account_id, 1, states=both)
    assert found == [[made["OPEN"]], [made["EXPIRED"]]]


def test_holds_are_listed_for_the_owner_a_guardian_and_the_agencies_of_the_account(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    guardian = families.person(TIELING)
    owner = families.person(
        ULANQAB, home=HOHHOT, guardians=[Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    )
    account_id = account_of(owner, families, ULANQAB, balance_fen=900)
    made = hold(driver, "pos", code, holding(account_id, owner))
    callers: Sequence[tuple[str, object]] = [
        ("citizen", owner),
        ("citizen", guardian),
        ("agency", ULANQAB),
        ("agency", HOHHOT),
    ]
    for role, subject in callers:
        assert list(list_holds(driver, role, subject, account_id).holds) == [made]


def test_a_strangers_account_and_none_are_answered_alike(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative))
    for account_id in (donor.account_id, new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001"):
        for role, subject in (("citizen", relative), ("agency", ULANQAB), ("agency", TIELING)):
            with pytest.raises(errors.AccessDenied):
                list_holds(driver, role, subject, account_id)


def test_a_page_token_is_of_one_accounts_list(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner, other = (families.person(HOHHOT, balance_fen=900) for _ in range(2))
    for _ in range(2):
        hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 1))
    token = list_holds(driver, "agency", HOHHOT, owner.account_id, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        list_holds(driver, "agency", HOHHOT, other.account_id, page_size=1, page_token=token)
