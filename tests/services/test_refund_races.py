"""Settling, giving back and cancelling at once: nothing comes back twice, nothing is lost.

Rule: every thread works through an office of its own, as processes do. What it does is seeded; how
the threads take turns is not, so a test asserts only what holds in any order.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.refunds import (
    basket,
    cancel,
    counted,
    family_of_three,
    read,
    refund,
    refunding,
    send_refund,
    state_of,
)
from tests.services.test_binding_races import all_at_once, all_of, offices
from tests.services.till import ULANQAB, paid, settle

REVERSED, BLOCKED = pb.CANCEL_OUTCOME_REVERSED, pb.CANCEL_OUTCOME_BLOCKED


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.mark.requirement("RF-02")
def test_tills_that_refund_at_once_never_give_back_twice(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    with offices(database, 4) as tills:
        for _ in range(8):
            bought = basket(code, patient, [("XA01", 20, 10)])
            settled = settle(driver, code, bought).settlement
            assert paid(settled) == [("SELF", 5_000), ("DONOR", 8_000)]
            # Two ask for 12 of 20, two for all that is left.
            lines: list[list[tuple[int, str]]] = [[(1, "12")], [(1, "12")], [], []]
            pairs = zip(tills, lines, strict=True)
            outcomes = all_at_once([partial(refund, till, settled, *some) for till, some in pairs])
            lost = {errors.RefundExceedsRest, errors.SettlementRefunded}
            assert {one for one in outcomes if isinstance(one, type)} <= lost
            assert state_of(read(driver, settled)) == "REFUNDED"
            assert money_of(database, patient.account_id)[0] == 5_000
            assert money_of(database, donor.account_id)[0] == 8_000
    Books.read(database).check()


@pytest.mark.requirement("RF-02")
def test_one_refund_sent_by_many_at_once_is_made_once(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    asked = refunding(settled, (1, "10"))
    with offices(database, 6) as tills:
        outcomes = all_at_once([partial(send_refund, till, "pos", code, asked) for till in tills])
    assert sorted(answer.replayed for answer in outcomes) == [False] + [True] * 5
    assert len({answer.refund.refund_id for answer in outcomes}) == 1
    assert money_of(database, donor.account_id)[0] == 3_000


@pytest.mark.requirement("RF-02")
def test_an_original_and_its_cancellation_at_once_exclude_each_other(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    with offices(database, 3) as (till, lost, other):
        for number in range(60):
            bought = basket(code, patient, [("XA01", 20, 10)], request_id=f"r-{number}")
            order = random.Random(number).sample(range(3), 3)  # noqa: S311 - a seeded choice, no secret
            calls: list[Callable[[], Any]] = [
                partial(settle, till, code, bought),
                partial(cancel, lost, code, bought.request_id),
                partial(cancel, other, code, bought.request_id),
            ]
            answers = dict(zip(order, all_at_once([calls[one] for one in order]), strict=True))
            settled, cancelled = answers[0], (answers[1], answers[2])
            (outcome,) = {answer.outcome for answer in cancelled}
            if outcome == BLOCKED:
                assert settled is errors.RequestIdCancelled
                continue
            assert paid(settled.settlement) == [("SELF", 5_000), ("DONOR", 8_000)]
            assert sorted(answer.HasField("refund") for answer in cancelled) == [False, True]
            assert state_of(read(driver, settled.settlement)) == "CANCELLED"
    assert money_of(database, patient.account_id)[0] == 5_000
    assert money_of(database, donor.account_id)[0] == 8_000
    Books.read(database).check()


@dataclass(slots=True)
class Traffic:
    """Two families that share a donor, and a till; whatever is done to their settlements."""

    code: str
    patients: list[Made]
    settled: list[pb.Settlement] = field(default_factory=list)

    def act(self, office: Driver, seed: int, turns: int) -> None:
        """A till at work; a refusal is an answer too."""
        chance = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
        for turn in range(turns):
            steps = [self._buy, self._refund, self._refund, self._cancel, self._cancel_unknown]
            try:
                chance.choice(steps)(office, chance, f"{seed}-{turn}")
            except errors.Refusal as refusal:
                assert not isinstance(refusal, errors.ServiceUnavailable)

    def _buy(self, office: Driver, chance: random.Random, name: str) -> None:
        lines = [(chance.choice(["XA01", "OTHER"]), chance.randint(1, 9), 10) for _ in range(2)]
        bought = basket(self.code, chance.choice(self.patients), lines, request_id=name)
        self.settled.append(settle(office, self.code, bought).settlement)

    def _refund(self, office: Driver, chance: random.Random, name: str) -> None:
        lines = [(chance.randint(1, 2), str(chance.randint(1, 4)))] * chance.randint(0, 1)
        refund(office, chance.choice(self.settled), *lines, request_id=name)

    def _cancel(self, office: Driver, chance: random.Random, name: str) -> None:
        original = chance.choice(self.settled).request_id
        cancel(office, self.code, original, request_id=name)

    def _cancel_unknown(self, office: Driver, chance: random.Random, name: str) -> None:
        # Perhaps what another till is about to settle.
        original = f"{chance.randint(0, 3)}-{chance.randint(0, 80)}"
        cancel(office, self.code, original, request_id=name)


def test_after_any_traffic_the_books_and_the_limits_agree(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item(ULANQAB, "XA01")
    patients = [families.person(ULANQAB, balance_fen=10_000) for _ in range(2)]
    donor = families.person(ULANQAB, balance_fen=60_000)
    bindings = [
        families.bind(donor, patient, limits=Caps(per_year_fen=25_000)) for patient in patients
    ]
    traffic = Traffic(families.institution(ULANQAB), patients)
    bought = basket(traffic.code, patients[0], [("XA01", 3, 10)])
    traffic.settled.append(settle(driver, traffic.code, bought).settlement)
    with offices(database, 4) as tills:
        all_of(*(partial(traffic.act, till, seed, 80) for seed, till in enumerate(tills)))
    books = Books.read(database)
    books.check()
    assert {row["state"] for row in books.settlements.values()} >= {"CANCELLED", "REFUNDED"}
    given_fen: Counter[Any] = Counter()
    for history in books.entries.values():
        for entry in history:
            given_fen[entry["binding_id"]] -= entry["amount_fen"]
    for binding_id in bindings:
        assert sum(counted(database, binding_id).values()) == given_fen[binding_id]
    left_fen = 60_000 - sum(given_fen[binding_id] for binding_id in bindings)
    assert money_of(database, donor.account_id)[0] == left_fen
