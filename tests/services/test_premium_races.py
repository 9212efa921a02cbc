"""Paying, answering, paying back and unbinding at once: a year is paid once, and no fen is lost.

Rule: every thread works through an office of its own, as processes do. What it does is seeded; how
the threads take turns is not, so a test asserts only what holds in any order: what a plain model
makes of the steps that the audit trail tells.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.book_checks import check_accounts, check_journals, check_suspense
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.accounts import credit, crediting
from tests.services.applications import HOHHOT
from tests.services.changes import end
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premium_answers import (
    confirm,
    confirmed,
    decide,
    messages_of,
    record,
    refund,
    reject,
    row_of,
    submitted,
)
from tests.services.premiums import (
    STANDARD_FEN,
    Family,
    bind,
    driver_on,
    pay,
    rows_of,
    state_of,
)
from tests.services.refunds import books_of
from tests.services.test_binding_races import all_at_once, all_of

DAY, YEAR = date(2035, 10, 15), 2036  # long enough after any binding that a test makes
START_FEN = 10 * STANDARD_FEN
LIVE = ("SUBMITTED", "CONFIRMED", "REFUND_REQUESTED")


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    office = driver_on(database, DAY)
    yield office
    office.close()


@contextmanager
def offices(database: Database, count: int) -> Iterator[list[Driver]]:
    """So many offices on one database, on the day."""
    drivers = [driver_on(database, DAY) for _ in range(count)]
    yield drivers
    for one in drivers:
        one.close()


def donor_in(families: Families, driver: Driver) -> Made:
    """An employee whose money has a history."""
    donor = families.person(HOHHOT, balance_fen=0)
    credit(driver, crediting(donor.account_id, START_FEN, request_id=str(donor)))
    return donor


def household(families: Families, driver: Driver, donors: int = 1) -> list[Family]:
    """A resident and so many donors, each bound."""
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    made = [donor_in(families, driver) for _ in range(donors)]
    return [
        Family(one, child, bind(families, one, child, rank=rank))
        for rank, one in enumerate(made, 1)
    ]


def check_books(database: Database) -> None:
    """Assert what `gongji audit verify` does of the books, and what the tests' own reading does."""
    with database.reader() as tx:
        findings = [
            *check_accounts(tx, HOHHOT),
            *check_journals(tx, None, lambda _: None),
            *check_suspense(tx, None),
        ]
    assert findings == []
    Books.read(database).check()


# two at once


@pytest.mark.requirement("PRE-02", "PRE-03")
def test_of_two_donors_who_pay_at_once_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    with offices(database, 4) as many:
        for _ in range(6):
            first, second = household(families, driver, 2)
            asking = [first, second, first, second]
            outcomes = all_at_once(
                [
                    partial(pay, office, one.donor, one.child, year=YEAR)
                    for office, one in zip(many, asking, strict=True)
                ]
            )
            refused = [one for one in outcomes if isinstance(one, type)]
            assert refused == [errors.PremiumAlreadyPaid] * 3
            left = sum(money_of(database, one.donor.account_id)[0] for one in (first, second))
            assert left == 2 * START_FEN - STANDARD_FEN
    check_books(database)


@pytest.mark.requirement("PRE-01")
def test_of_two_answers_at_once_one_holds(
    driver: Driver, families: Families, database: Database
) -> None:
    with offices(database, 4) as (one, two, three, four):
        for _ in range(10):
            (people,) = household(families, driver)
            payment_id = submitted(driver, people, year=YEAR)
            outcomes = all_at_once(
                [
                    partial(confirm, one, payment_id),
                    partial(reject, two, payment_id),
                    partial(confirm, three, payment_id),
                    partial(reject, four, payment_id),
                ]
            )
            state = row_of(database, payment_id)["state"]
            won, lost = (outcomes[::2], outcomes[1::2])[:: 1 if state == "CONFIRMED" else -1]
            assert [state_of(answer.payment) for answer in won] == [state] * 2
            assert lost == [errors.PremiumPaymentDecided] * 2
            kept_fen = START_FEN - STANDARD_FEN * (state == "CONFIRMED")
            assert money_of(database, people.donor.account_id)[0] == kept_fen
    check_books(database)


def test_a_rejection_and_a_refund_at_once_give_back_once(
    driver: Driver, families: Families, database: Database
) -> None:
    with offices(database, 4) as (bureau, other, home, agency):
        for _ in range(10):
            (people,) = household(families, driver)
            payment_id = submitted(driver, people, year=YEAR)
            *_, asked, decided = all_at_once(
                [
                    partial(reject, bureau, payment_id),
                    partial(confirm, other, payment_id),
                    partial(refund, home, people.donor, payment_id),
                    partial(decide, agency, payment_id),
                ]
            )
            state = row_of(database, payment_id)["state"]
            assert isinstance(asked, type) == (state in ("REJECTED", "CONFIRMED"))
            assert isinstance(decided, type) == (state != "REFUNDED")
            given_back = state in ("REJECTED", "REFUNDED")
            left_fen = START_FEN - STANDARD_FEN * (not given_back)
            assert money_of(database, people.donor.account_id)[0] == left_fen
    check_books(database)


@pytest.mark.requirement("RF-02")
def test_of_many_who_decide_a_refund_at_once_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    with offices(database, 4) as many:
        for _ in range(6):
            (people,) = household(families, driver)
            payment_id = confirmed(driver, people, year=YEAR)
            asks = [partial(refund, office, people.donor, payment_id) for office in many]
            assert all_at_once(asks).count(errors.PremiumNotConfirmed) == 3
            decisions = [partial(decide, office, payment_id) for office in many]
            assert all_at_once(decisions).count(errors.PremiumRefundNotRequested) == 3
            assert money_of(database, people.donor.account_id)[0] == START_FEN
            assert messages_of(database, payment_id) == ["COLLECT", "REFUND"]
    check_books(database)


@pytest.mark.requirement("HOH-20")
def test_a_payment_and_the_end_of_its_binding_at_once_exclude_or_follow_each_other(
    driver: Driver, families: Families, database: Database
) -> None:
    with offices(database, 2) as (home, counter):
        for number in range(12):
            (people,) = household(families, driver)
            calls: list[Callable[[], Any]] = [
                partial(pay, home, people.donor, people.child, year=YEAR),
                partial(end, counter, "citizen", people.donor, str(people.binding_id)),
            ]
            order = random.Random(number).sample(range(2), 2)  # noqa: S311 - a seeded choice, no secret
            answers = dict(zip(order, all_at_once([calls[one] for one in order]), strict=True))
            assert not isinstance(answers[1], type)
            left_fen = money_of(database, people.donor.account_id)[0]
            if isinstance(answers[0], type):
                assert (answers[0], left_fen) == (errors.PremiumBindingMissing, START_FEN)
            else:
                assert left_fen == START_FEN - STANDARD_FEN
                reject(driver, answers[0].payment.payment_id)
                assert money_of(database, people.donor.account_id)[0] == START_FEN
    check_books(database)


# anything at once, against a plain model


@dataclass(slots=True)
class Traffic:
    """Households of which everybody acts at once, with the bureau and the agency."""

    people: Sequence[Family]
    paid: list[tuple[str, Made]]  # what was paid, by whom

    def act(self, office: Driver, seed: int, turns: int) -> None:
        """An office at work; a refusal is an answer too."""
        chance = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
        steps = [self._pay, self._answer, self._refund, self._decide]
        for turn in range(turns):
            step = self._record if turn == turns - 10 else chance.choice(steps)
            try:
                step(office, chance)
            except errors.Refusal as refusal:
                assert not isinstance(refusal, errors.ServiceUnavailable)

    def _pay(self, office: Driver, chance: random.Random) -> None:
        one = chance.choice(self.people)
        made = pay(office, one.donor, one.child, year=YEAR).payment
        self.paid.append((made.payment_id, one.donor))

    def _record(self, office: Driver, chance: random.Random) -> None:
        record(office, chance.choice(self.people).child, year=YEAR)

    def _answer(self, office: Driver, chance: random.Random) -> None:
        payment_id, _ = chance.choice(self.paid[-_LATEST:])
        chance.choice([confirm, confirm, reject])(office, payment_id)

    def _refund(self, office: Driver, chance: random.Random) -> None:
        payment_id, donor = chance.choice(self.paid[-_LATEST:])
        refund(office, donor, payment_id)

    def _decide(self, office: Driver, chance: random.Random) -> None:
        payment_id, _ = chance.choice(self.paid[-_LATEST:])
        decide(office, payment_id, chance.choice(["APPROVE", "REJECT"]), reason="已核实")


_LATEST = 4
_STEPS = {
    ("", "PayPremium"): ("SUBMITTED",),
    ("", "RecordExternalPremium"): ("CONFIRMED",),
    ("SUBMITTED", "ConfirmPremium"): ("CONFIRMED",),
    ("SUBMITTED", "RejectPremium"): ("REJECTED",),
    ("CONFIRMED", "RefundPremium"): ("REFUND_REQUESTED",),
    ("REFUND_REQUESTED", "DecidePremiumRefund"): ("REFUNDED", "CONFIRMED"),
}
"""Where a payment may go, written down once more, by hand."""


def replayed(database: Database) -> Mapping[str, str]:
    """The state of each payment after the steps that the trail tells."""
    states: dict[str, str] = {}
    for row in rows_of(database, "audit_records"):
        payment_id, rpc = row["subject_id"], row["action"].rpartition("/")[2]
        told = [one for one in row["changes"] if one["field"] == "state"]
        if row["subject_kind"] != "premium_payment" or not told:
            continue
        before, after = (json.loads(told[0][side] or '""') for side in ("before", "after"))
        assert before == states.get(payment_id, "")
        assert after in _STEPS[before, rpc]
        states[payment_id] = after
    return states


def test_after_any_traffic_payments_money_years_and_messages_agree(
    driver: Driver, families: Families, database: Database
) -> None:
    people = [one for _ in range(3) for one in household(families, driver, 2)]
    traffic = Traffic(people, [(submitted(driver, people[0], year=YEAR), people[0].donor)])
    with offices(database, 4) as many:
        all_of(*(partial(traffic.act, office, seed, 100) for seed, office in enumerate(many)))
    payments = {str(row["id"]): row for row in rows_of(database, "premium_payments")}
    assert {one: row["state"] for one, row in payments.items()} == replayed(database)
    assert len({row["state"] for row in payments.values()}) >= 3
    here = {one: row for one, row in payments.items() if row["donor_id"] is not None}
    paid_here = Counter(row["beneficiary_id"] for row in here.values() if row["state"] in LIVE)
    assert all(count == 1 for count in paid_here.values())
    _check_money(database, people, here)
    _check_marks(payments)
    for one in people:
        _check_years(database, one.child, payments)
    for payment_id, row in here.items():
        back = ["REFUND"] if row["state"] == "REFUNDED" else []
        assert messages_of(database, payment_id) == ["COLLECT", *back]
    check_books(database)


def _check_money(
    database: Database, people: Sequence[Family], here: Mapping[str, Mapping[str, Any]]
) -> None:
    given: Counter[Any] = Counter()
    for row in here.values():
        given[row["donor_id"]] += row["payable_fen"] * (row["state"] in LIVE)
    for one in people:
        left_fen = money_of(database, one.donor.account_id)[0]
        assert left_fen == START_FEN - given[one.donor.person_id]
    owed_fen = books_of(database).get((HOHHOT, "PREMIUM_PAYABLE", "RESIDENT"), 0)
    assert owed_fen == given.total()


def _check_marks(payments: Mapping[str, Mapping[str, Any]]) -> None:
    live = Counter(row["beneficiary_id"] for row in payments.values() if row["state"] in LIVE)
    for row in payments.values():
        assert row["paid_twice"] == (row["state"] in LIVE and live[row["beneficiary_id"]] > 1)


def _check_years(
    database: Database, child: Made, payments: Mapping[str, Mapping[str, Any]]
) -> None:
    counts = any(
        row["state"] in ("CONFIRMED", "REFUND_REQUESTED")
        for row in payments.values()
        if row["beneficiary_id"] == child.person_id
    )
    (person,) = [row for row in rows_of(database, "persons") if row["id"] == child.person_id]
    assert [one["year"] for one in person["premium_years"]] == [YEAR] * counts
