"""Two processes, each with writers of its own, on one database: the row locks are the truth.

`GONGJI_TEST_MINUTES` lengthens the race between families from 20 seconds to so many minutes.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import grpc
import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import HOHHOT, ULANQAB, at_work, purchase
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import Service, Till
from tests.families import Families, Made

_MINUTES = os.environ.get("GONGJI_TEST_MINUTES")
_RACE_SECONDS = 20.0 if _MINUTES is None else 60 * float(_MINUTES)
_TILLS = 16

Outcome = pb.SettleResponse | Refusal


def outcomes(till: Till, requests: list[pb.SettleRequest]) -> list[Outcome]:
    """The answer or the refusal of each request, all sent without waiting."""
    return [outcome_of(call) for call in [till.begin(request) for request in requests]]


def outcome_of(call: "grpc._CallFuture[pb.SettleResponse]") -> Outcome:
    try:
        return call.result()
    except grpc.RpcError as error:
        return refusal_of(error)


def test_one_request_id_for_two_patients_at_once_settles_once(two: Service) -> None:
    """In either process the others of the batch are settled as if nothing had happened."""
    families = Families(two.database)
    code = families.institution(ULANQAB)
    patients = [families.person(ULANQAB, balance_fen=1_000_000) for _ in range(2)]
    before = Books.read(two.database)
    rounds = 20

    def buy(front: int) -> list[Outcome]:
        patient = patients[front]
        requests = []
        for number in range(rounds):
            requests.append(purchase(code, patient, 300))
            requests.append(purchase(code, patient, 200, f"shared-{number}"))
            requests.append(purchase(code, patient, 300))
        return outcomes(two.till(code, front), requests)

    with ThreadPoolExecutor(2) as buyers:
        first, second = buyers.map(buy, range(2))
    shared = list(zip(first[1::3], second[1::3], strict=True))
    for pair in shared:
        (refusal,) = (one for one in pair if isinstance(one, Refusal))
        assert refusal.reason == "REQUEST_ID_REUSED"
        assert refusal.fields[0] == "credential"
    answers = [one for one in (*first, *second) if isinstance(one, pb.SettleResponse)]
    assert len(answers) == 2 * 2 * rounds + rounds
    Books.read(two.database).check_since(before, answers)


def test_repeats_of_one_request_in_two_processes_settle_once(two: Service) -> None:
    families = Families(two.database)
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=1_000_000)
    before = Books.read(two.database)
    request = purchase(code, patient)
    calls = [two.till(code, number % 2).begin(request) for number in range(20)]
    answers = [call.result() for call in calls]
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({answer.settlement.SerializeToString() for answer in answers}) == 1
    Books.read(two.database).check_since(before, answers[:1])


def cross_city_families(families: Families) -> Iterator[tuple[Made, str]]:
    """Patients of two cities, who share the same donors of both cities in opposite orders; where
    each of them buys.
    """
    donors = [families.person(city, balance_fen=10**9) for city in (HOHHOT, ULANQAB) * 2]
    for home, order in ((HOHHOT, donors), (ULANQAB, donors[::-1])):
        patient = families.person(home, insurance=Insurance.RESIDENT)
        for rank, donor in enumerate(order, 1):
            limits = Caps(per_settlement_fen=400)
            families.bind(donor, patient, rank=rank, limits=limits)
        yield patient, families.institution(home)


@pytest.mark.timeout(_RACE_SECONDS + 100)
def test_cross_city_families_that_share_donors_never_deadlock(
    start: Callable[..., Service],
) -> None:
    two = start(fronts=2)
    families = at_work(two.database)
    buyers = list(cross_city_families(families))
    before = Books.read(two.database)
    until = time.monotonic() + _RACE_SECONDS
    answers: list[pb.SettleResponse] = []
    numbers = count(1)

    def buy(place: int) -> int:
        patient, code = buyers[place % 2]
        till = two.till(code, place // 2 % 2)
        bought = 0
        while time.monotonic() < until:
            answer = till.settle(purchase(code, patient, 1_000 + next(numbers) % 600))
            assert len(answer.settlement.legs) >= 3
            answers.append(answer)
            bought += 1
        return bought

    with ThreadPoolExecutor(_TILLS) as pool:
        assert min(pool.map(buy, range(_TILLS))) > 0
    Books.read(two.database).check_since(before, answers)
    two.workers.stop()
    assert deadlocks(two.database) == 0


def deadlocks(database: Database) -> int:
    """How many the server has found in this database; a session counts at the latest at its end."""
    with database.connect() as tx:
        found = tx.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert found is not None
    return int(str(found[0]))
