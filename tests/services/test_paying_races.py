"""Premiums ordered at once: a year is paid once, and no account pays what it does not have.

Rule: every thread works through an office of its own, as processes do; a test asserts only what
holds in whatever order they take turns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import pytest

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.applications import HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.premiums import (
    BALANCE_FEN,
    STANDARD_FEN,
    bind,
    driver_on,
    family,
    pay,
    paying,
    quote,
    rows_of,
    send,
)
from tests.services.test_binding_races import all_at_once
from tests.services.till import request_of, settle

ROUNDS = 12


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@contextmanager
def offices(database: Database, count: int) -> Iterator[list[Driver]]:
    """So many offices on one database, on a day of the window."""
    drivers = [driver_on(database) for _ in range(count)]
    yield drivers
    for driver in drivers:
        driver.close()


def child_of(families: Families, donors: list[Made], region: str = HOHHOT) -> Made:
    child = families.person(region, insurance=Insurance.RESIDENT)
    for donor in donors:
        bind(families, donor, child)
    return child


@pytest.mark.requirement("PRE-02")
def test_of_donors_who_order_at_the_same_moment_one_pays(
    families: Families, database: Database
) -> None:
    donors = [
        families.person(region, balance_fen=ROUNDS * STANDARD_FEN)
        for region in (HOHHOT, ULANQAB, HOHHOT, ULANQAB)
    ]
    with offices(database, len(donors)) as drivers:
        for _ in range(ROUNDS):
            child = child_of(families, donors)
            pairs = zip(drivers, donors, strict=True)
            outcomes = all_at_once([partial(pay, one, donor, child) for one, donor in pairs])
            won = [one for one in outcomes if isinstance(one, pb.PayPremiumResponse)]
            assert len(won) == 1
            assert outcomes.count(errors.PremiumAlreadyPaid) == len(donors) - 1
    left_fen = sum(money_of(database, donor.account_id)[0] for donor in donors)
    assert left_fen == (len(donors) - 1) * ROUNDS * STANDARD_FEN
    assert len(rows_of(database, "tax_messages")) == ROUNDS
    Books.read(database).check()


def test_one_order_sent_many_times_at_once_is_one_payment(
    families: Families, database: Database
) -> None:
    of = family(families)
    order = paying(of.donor, of.child)
    with offices(database, 6) as drivers:
        outcomes = all_at_once(
            [partial(send, one, "citizen", of.donor, "PayPremium", order) for one in drivers]
        )
    assert sorted(answer.replayed for answer in outcomes) == [False] + [True] * 5
    assert len({answer.payment.payment_id for answer in outcomes}) == 1
    assert money_of(database, of.donor.account_id)[0] == BALANCE_FEN - STANDARD_FEN


@pytest.mark.requirement("PRE-03")
def test_an_account_with_money_for_one_premium_pays_one_of_several(
    families: Families, database: Database
) -> None:
    with offices(database, 4) as drivers:
        for _ in range(ROUNDS):
            donor = families.person(TIELING, balance_fen=2 * STANDARD_FEN - 1)
            children = [child_of(families, [donor], TIELING) for _ in drivers]
            pairs = zip(drivers, children, strict=True)
            outcomes = all_at_once([partial(pay, one, donor, child) for one, child in pairs])
            assert outcomes.count(errors.PremiumFundsInsufficient) == len(drivers) - 1
            assert money_of(database, donor.account_id)[0] == STANDARD_FEN - 1


def test_a_premium_and_purchases_share_one_balance(families: Families, database: Database) -> None:
    families.item(ULANQAB, "XA01")
    code = families.institution(ULANQAB)
    with offices(database, 3) as drivers:
        for number in range(ROUNDS):
            of = family(families, ULANQAB, balance_fen=STANDARD_FEN + 5_000)
            buys = [request_of(code, of.child, 10_000, f"r-{number}-{one}") for one in range(2)]
            for buy in buys:
                buy.occurred_at.FromDatetime(drivers[0].office.now())
            calls: list[partial[Any]] = [partial(pay, drivers[0], of.donor, of.child)]
            calls += [
                partial(settle, till, code, buy)
                for till, buy in zip(drivers[1:], buys, strict=True)
            ]
            order = Random(number).sample(range(3), 3)  # noqa: S311 - a seeded choice, no secret
            all_at_once([calls[one] for one in order])
            assert money_of(database, of.donor.account_id)[0] >= 0
    Books.read(database).check()


def test_a_quote_beside_payments_is_of_one_moment(families: Families, database: Database) -> None:
    with offices(database, 2) as (payer, reader):
        for _ in range(ROUNDS):
            of = family(families)
            paid, quoted = all_at_once(
                [
                    partial(pay, payer, of.donor, of.child),
                    partial(quote, reader, "citizen", of.child, of.child),
                ]
            )
            assert paid.payment.legs
            assert quoted.payers[0].can_pay == (not quoted.paid)
