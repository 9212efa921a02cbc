"""Bindings that change while others settle, bind, review and end: each change is whole or not.

Rule: every thread works through an office of its own, as processes do. What it does is seeded; how
the threads take turns is not, so a test asserts only what holds in any order.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any
from uuid import uuid4

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.applications import (
    HOHHOT,
    TIELING,
    ULANQAB,
    application,
    create,
    donor_in,
    relative_in,
)
from tests.services.changes import (
    Pair,
    bind,
    bound,
    changes_in,
    end,
    reorder,
    review,
    trail,
    update,
)
from tests.services.driver import Driver
from tests.services.test_binding_reads import get, listed
from tests.services.till import request_of

BILL_FEN, LIMIT_FEN = 5_000, 3_000
WITH_LIMIT = pb.BindingLimits(per_settlement_fen=LIMIT_FEN)
ANY_MOMENT = [[], [("A", 3_000)], [("B", 3_000)], [("A", 3_000), ("B", 2_000)]]
ANY_MOMENT += [[("B", 3_000), ("A", 2_000)]]


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@contextmanager
def offices(database: Database, count: int) -> Iterator[list[Driver]]:
    """So many offices on one database."""
    drivers = [Driver(database) for _ in range(count)]
    yield drivers
    for driver in drivers:
        driver.close()


def all_at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call answers, or the class of its refusal."""

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except errors.Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


# --- settling while bindings come, go and move


@dataclass(slots=True)
class House:
    """A patient without money, two donors with plenty, and what the tills were answered."""

    patient: Made
    donors: dict[str, Made]
    pharmacy: str
    answers: list[settlement_pb2.SettleResponse] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)

    def bind_and_end(self, office: Driver, name: str, turns: int) -> None:
        """A donor binds the patient, first or last in the order, and ends it again."""
        chance = random.Random(name)  # noqa: S311 - a seeded choice, no secret
        donor = self.donors[name]
        for _ in range(turns):
            rank = chance.choice([None, 1])
            pair = bind(office, donor, self.patient, ULANQAB, limits=WITH_LIMIT, rank=rank)
            self.bound.append(pair.id)
            _let(errors.BindingNotActive, lambda one=pair.id: end(office, "citizen", donor, one))  # type: ignore[misc]  # mypy can't infer a lambda's default

    def reorder_and_end(self, office: Driver, turns: int) -> None:
        """The patient turns the order round, and now and then ends the first binding."""
        chance = random.Random("patient")  # noqa: S311 - a seeded choice, no secret
        for _ in range(turns):
            current = self.current(office)
            if not current:
                continue
            ends = chance.random() < 1 / 4
            turn = self._end_first if ends else self._turn_round
            _let((errors.BindingNotActive, errors.OrderIncomplete), lambda: turn(office, current))  # noqa: B023 - called at once

    def settle(self, office: Driver, turns: int) -> None:
        """A till settles one bill after another."""
        for _ in range(turns):
            request = request_of(self.pharmacy, self.patient, BILL_FEN, request_id=str(uuid4()))
            answer = office.call("pos", self.pharmacy, "SettlementService", "Settle", request)
            self.answers.append(answer)

    def current(self, office: Driver) -> list[str]:
        """The patient's bindings in force, first payer first."""
        active = [pb.BINDING_STATE_ACTIVE]
        found = listed(
            office, "citizen", self.patient, beneficiary_id=self.patient, states=active
        ).bindings
        return [one.binding_id for one in sorted(found, key=lambda one: one.rank)]

    def _turn_round(self, office: Driver, current: list[str]) -> None:
        reorder(office, "citizen", self.patient, self.patient, current[::-1])

    def _end_first(self, office: Driver, current: list[str]) -> None:
        end(office, "citizen", self.patient, current[0])


def _let(refusal: Any, call: Callable[[], object]) -> None:
    """Make a call that somebody else may have forestalled."""
    try:
        call()
    except refusal:
        return


@pytest.fixture
def house(families: Families) -> House:
    families.item(ULANQAB, "XA01")
    donors = {name: families.person(ULANQAB, balance_fen=10_000_000) for name in "AB"}
    return House(families.person(ULANQAB), donors, families.institution(ULANQAB))


@pytest.mark.requirement("ULQ-11", "ULQ-12")
def test_every_settlement_equals_one_taken_before_or_after_a_change(
    house: House, database: Database
) -> None:
    before = Books.read(database)
    with offices(database, 5) as (first, second, third, fourth, fifth):
        all_of(
            lambda: house.bind_and_end(first, "A", 40),
            lambda: house.bind_and_end(second, "B", 40),
            lambda: house.reorder_and_end(third, 60),
            lambda: house.settle(fourth, 60),
            lambda: house.settle(fifth, 60),
        )
    assert len(house.answers) == 120
    records = trail(database, *house.bound)
    for answer in house.answers:
        settled = answer.settlement
        legs = legs_by_name(settled, house, records)
        assert legs in ANY_MOMENT
        assert legs == legs_at(settled, house, records)
        assert settled.breakdown.cash_pay_fen == BILL_FEN - sum(fen for _, fen in legs)
    settled_only(Books.read(database)).check_since(before, house.answers)


def all_of(*tasks: Callable[[], None]) -> None:
    """Run the tasks side by side; the first that fails fails the test."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        for running in [pool.submit(task) for task in tasks]:
            running.result()


def settled_only(books: Books) -> Books:
    """The books without the requests that changed bindings."""
    requests = [row for row in books.requests if row["result_id"] in books.settlements]
    return replace(books, requests=requests)


def legs_by_name(
    settled: settlement_pb2.Settlement, house: House, records: Sequence[AuditRow]
) -> list[tuple[str, int]]:
    """What each donor paid, in order."""
    names = {str(donor): name for name, donor in house.donors.items()}
    made = {one.subject_id: changes_in(one) for one in records if "donor_id" in changes_in(one)}
    return [(names[made[leg.binding_id]["donor_id"][1]], leg.amount_fen) for leg in settled.legs]


def legs_at(
    settled: settlement_pb2.Settlement, house: House, records: Sequence[AuditRow]
) -> list[tuple[str, int]]:
    """What the donors had to pay, by the trail of the bindings up to the settlement's moment."""
    moment = settled.recorded_at.ToDatetime(tzinfo=UTC)
    bindings: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.recorded_at < moment:
            after = {name: value for name, (_, value) in changes_in(record).items()}
            bindings.setdefault(record.subject_id, {}).update(after)
    names = {str(donor): name for name, donor in house.donors.items()}
    active = [one for one in bindings.values() if one["state"] == "ACTIVE"]
    legs, left_fen = [], BILL_FEN
    for one in sorted(active, key=lambda one: one["rank"]):
        fen = min(left_fen, one["limits"]["per_settlement_fen"])
        legs.append((names[one["donor_id"]], fen))
        left_fen -= fen
    return legs


def test_a_settlement_keeps_to_the_limit_before_or_after_a_change_of_it(
    house: House, database: Database
) -> None:
    with offices(database, 3) as (first, second, third):
        donor = house.donors["A"]
        pair = bind(first, donor, house.patient, ULANQAB, limits=WITH_LIMIT)

        def change_limits() -> None:
            for turn in range(40):
                limits = pb.BindingLimits(per_settlement_fen=(1_000, LIMIT_FEN)[turn % 2])
                update(first, "citizen", donor, pair.id, "limits", limits=limits)

        all_of(change_limits, lambda: house.settle(second, 40), lambda: house.settle(third, 40))
    records = trail(database, pair.id)
    assert len(records) == 41
    for answer in house.answers:
        legs = legs_by_name(answer.settlement, house, records)
        assert legs == legs_at(answer.settlement, house, records)


# --- changes that meet


def test_of_two_sides_that_end_at_once_one_does_and_the_others_are_told(
    families: Families, database: Database
) -> None:
    with offices(database, 2) as drivers:
        pair = bound(drivers[0], families, ULANQAB)
        callers = [(driver, side) for driver in drivers for side in (pair.donor, pair.beneficiary)]
        answers = all_at_once(
            [lambda one=one: end(one[0], "citizen", one[1], pair.id) for one in callers]  # type: ignore[misc]  # mypy can't infer a lambda's default
        )
    assert answers.count(errors.BindingNotActive) == 3
    assert len(trail(database, pair.id)) == 2


def test_an_approval_and_a_withdrawal_at_once_leave_it_withdrawn(
    families: Families, database: Database
) -> None:
    with offices(database, 2) as (till, desk):
        for _ in range(8):
            pair = bound(till, families, TIELING)
            approved, withdrawn = all_at_once(
                [
                    lambda pair=pair: review(desk, TIELING, pair.id),  # type: ignore[misc]  # mypy can't infer a lambda's default
                    lambda pair=pair: end(till, "citizen", pair.donor, pair.id),  # type: ignore[misc]  # mypy can't infer a lambda's default
                ]
            )
            told = approved is errors.BindingNotPending
            states = [state for record in trail(database, pair.id) for state in _states_in(record)]
            passed = ["PENDING_REVIEW", "ENDED"] if told else ["PENDING_REVIEW", "ACTIVE", "ENDED"]
            assert states == passed
            assert withdrawn.binding.state == pb.BINDING_STATE_ENDED
            assert get(desk, "reviewer", TIELING, pair.id).state == pb.BINDING_STATE_ENDED


def _states_in(record: AuditRow) -> list[str]:
    """The state that a record says a binding came to, if it did."""
    changes = changes_in(record)
    return [changes["state"][1]] if "state" in changes else []


@pytest.mark.requirement("HOH-05")
def test_places_that_come_free_while_others_apply_are_taken_once_each(
    families: Families, database: Database
) -> None:
    with offices(database, 2) as (first, second):
        donor = donor_in(families, HOHHOT)
        pairs = [bind(first, donor, relative_in(families, HOHHOT), HOHHOT) for _ in range(6)]
        relatives = [relative_in(families, HOHHOT) for _ in range(6)]
        requests = [application(first, donor, one, region=HOHHOT) for one in relatives]

        def ends(pair: Pair) -> Callable[[], object]:
            return lambda: end(first, "citizen", donor, pair.id)

        def applies(request: pb.CreateBindingRequest) -> Callable[[], object]:
            return lambda: create(second, donor, request)

        answers = all_at_once([*map(ends, pairs[:3]), *map(applies, requests)])
        living = [pb.BINDING_STATE_ACTIVE]
        found = listed(first, "citizen", donor, donor_id=donor, states=living).bindings
    made = [one for one in answers if isinstance(one, pb.CreateBindingResponse)]
    assert len(found) == 3 + len(made) <= 6
    assert answers.count(errors.DonorMembersExceeded) == len(requests) - len(made)
    assert all(one.counts.members <= 6 for one in made)


def test_donors_who_come_while_the_order_is_set_leave_each_rank_to_one(
    families: Families, database: Database
) -> None:
    with offices(database, 3) as (first, second, third):
        house = House(families.person(ULANQAB), {}, "")
        house.donors = {name: families.person(ULANQAB, balance_fen=1) for name in "ABCDEFGH"}

        def bind_all(office: Driver, names: str) -> None:
            for name in names:
                bind(office, house.donors[name], house.patient, ULANQAB, rank=1)

        def turn_round() -> None:
            for _ in range(30):
                current = house.current(third)
                _let(
                    (errors.InvalidField, errors.OrderIncomplete),
                    lambda current=current: reorder(  # type: ignore[misc]  # mypy can't infer a lambda's default
                        third, "citizen", house.patient, house.patient, current[::-1]
                    ),
                )

        all_of(lambda: bind_all(first, "ABCD"), lambda: bind_all(second, "EFGH"), turn_round)
        found = listed(first, "citizen", house.patient, beneficiary_id=house.patient).bindings
    assert sorted(one.rank for one in found) == list(range(1, 9))
    ranks = {one.binding_id: one.rank for one in found}
    assert ranks == _last_ranks(trail(database, *ranks))


def _last_ranks(records: Sequence[AuditRow]) -> dict[str, int]:
    """The rank that the trail says each binding came to last."""
    return {
        one.subject_id: changes_in(one)["rank"][1] for one in records if "rank" in changes_in(one)
    }
