"""One-time codes that several tills use at once: each pays one of them, once.

Rule: every thread works through an office of its own, as processes do. How the threads take turns
is not seeded, so a test asserts only what holds in any order.
"""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.credentials import buy, buying, code_of, preview, refused, uses
from tests.services.driver import Driver
from tests.services.test_binding_races import all_at_once, offices, settled_only
from tests.services.test_misuse import pair_in, signals
from tests.services.till import HOHHOT, request_of, settle

ROUNDS = 12
TILLS = 6


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def patient(families: Families) -> Made:
    return families.person(HOHHOT, balance_fen=1_000_000)


@pytest.fixture
def places(families: Families) -> list[str]:
    return [families.institution(HOHHOT) for _ in range(TILLS)]


def test_of_all_tills_that_settle_by_a_code_at_once_one_is_paid(
    driver: Driver, patient: Made, places: list[str], database: Database
) -> None:
    with offices(database, TILLS) as tills:
        for number in range(ROUNDS):
            code = code_of(driver, patient)
            outcomes = all_at_once(
                [
                    partial(buy, till, place, buying(place, patient, code, f"r-{number}"))
                    for till, place in zip(tills, places, strict=True)
                ]
            )
            assert Counter(map(kind_of, outcomes)) == {"SettleResponse": 1, "CredentialUsed": 5}
    assert len(uses(database)) == ROUNDS and all(paid for _, paid in uses(database))
    settled_only(Books.read(database)).check()


def test_of_all_purchases_of_one_till_by_a_code_at_once_one_is_paid(
    driver: Driver, patient: Made, places: list[str], database: Database
) -> None:
    place = places[0]
    with offices(database, TILLS) as tills:
        for number in range(ROUNDS):
            code = code_of(driver, patient)
            preview(driver, place, buying(place, patient, code))
            outcomes = all_at_once(
                [
                    partial(buy, till, place, buying(place, patient, code, f"r-{number}-{which}"))
                    for which, till in enumerate(tills)
                ]
            )
            assert Counter(map(kind_of, outcomes)) == {"SettleResponse": 1, "CredentialUsed": 5}


def test_of_all_tills_that_preview_by_a_code_at_once_one_has_it(
    driver: Driver, patient: Made, places: list[str], database: Database
) -> None:
    with offices(database, TILLS) as tills:
        for number in range(ROUNDS):
            code = code_of(driver, patient)
            outcomes = all_at_once(
                [
                    partial(preview, till, place, buying(place, patient, code))
                    for till, place in zip(tills, places, strict=True)
                ]
            )
            kinds = [kind_of(one) for one in outcomes]
            assert sorted(kinds) == ["CredentialBoundElsewhere"] * 5 + ["PreviewSettlementResponse"]
            winner = places[kinds.index("PreviewSettlementResponse")]
            for place in set(places) - {winner}:
                request = buying(place, patient, code, f"r-{number}")
                assert refused(buy, driver, place, request) is errors.CredentialBoundElsewhere
            buy(driver, winner, buying(winner, patient, code, f"r-{number}"))


def test_a_preview_and_a_purchase_elsewhere_at_once_leave_the_code_to_one_of_them(
    driver: Driver, patient: Made, places: list[str], database: Database
) -> None:
    here, there, *_ = places
    with offices(database, 2) as (one, other):
        for number in range(ROUNDS):
            code = code_of(driver, patient)
            previewed, bought = all_at_once(
                [
                    partial(preview, one, here, buying(here, patient, code)),
                    partial(buy, other, there, buying(there, patient, code, f"r-{number}")),
                ]
            )
            kinds = (kind_of(previewed), kind_of(bought))
            assert kinds in (
                ("PreviewSettlementResponse", "CredentialBoundElsewhere"),
                ("CredentialUsed", "SettleResponse"),
            )


def test_misuses_at_once_are_all_counted_in_one_record(
    families: Families, places: list[str], database: Database
) -> None:
    parent, child = pair_in(families, HOHHOT)
    place = places[0]
    with offices(database, TILLS) as tills:
        for number in range(ROUNDS):
            outcomes = all_at_once(
                [
                    partial(settle, till, place, misused(place, parent, child, f"{number}-{which}"))
                    for which, till in enumerate(tills)
                ]
            )
            assert set(outcomes) == {errors.CredentialMisused}
    assert [signal.measured for signal in signals(database)] == [ROUNDS * TILLS]


def test_misuses_of_different_people_at_once_are_recorded_each(
    families: Families, places: list[str], database: Database
) -> None:
    pairs = [pair_in(families, HOHHOT) for _ in range(TILLS)]
    own = families.person(HOHHOT, balance_fen=1_000_000, insurance=Insurance.EMPLOYEE)

    def misuse_and_buy(till: Driver, place: str, parent: Made, child: Made) -> None:
        for number in range(ROUNDS):
            request = misused(place, parent, child, f"m-{number}")
            assert refused(settle, till, place, request) is errors.CredentialMisused
            settle(till, place, request_of(place, own, 100, f"s-{number}"))

    with offices(database, TILLS) as tills:
        all_at_once(
            [
                partial(misuse_and_buy, till, place, *pair)
                for till, place, pair in zip(tills, places, pairs, strict=True)
            ]
        )
    assert [signal.measured for signal in signals(database)] == [ROUNDS] * TILLS
    assert len(Books.read(database).settlements) == ROUNDS * TILLS


def misused(place: str, parent: Made, child: Made, request_id: str) -> pb.SettleRequest:
    """A purchase for a child by the parent's card."""
    return request_of(place, parent, 100, request_id, person_id=str(child))


def kind_of(outcome: Any) -> str:
    """The class of an answer, or of a refusal."""
    return outcome.__name__ if isinstance(outcome, type) else type(outcome).__name__
