"""Refunds over random families and bills: two equal families do the same in different ways, and
their money, counters and books end up equal.

Rule: what is compared is what the database holds. Which account gets what is the same in steps as
at once wherever accounts may pay for every line, or the fund pays nothing
(docs/decisions/readings.md#refund-in-steps): only such bills are compared.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.refunds import basket, cancel, counted, refund, state_of
from tests.services.till import HOHHOT, TIELING, ULANQAB, settle

SEEDED = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],  # to shrink what failed would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FEN = st.integers(0, 60_000)
STEPS = st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=1, max_size=3)
Line = tuple[str, int, int]


def lines_of(codes: str) -> st.SearchStrategy[list[Line]]:
    line = st.tuples(st.sampled_from(codes), st.integers(1, 9), st.integers(1, 300))
    return st.lists(line, min_size=1, max_size=4)


@dataclass(frozen=True, slots=True)
class Case:
    """A family, a bill, and the quantities that come back of each line, step by step."""

    region: str
    own_fen: int | None
    donors: list[tuple[int, int | None]]  # balance, limit a day
    visit: int
    lines: list[Line]
    steps: list[list[int]]


def cases(codes: str, visit: int, regions: Sequence[str]) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        region=st.sampled_from(regions),
        own_fen=st.none() | FEN,
        donors=st.lists(st.tuples(FEN, st.none() | FEN), max_size=2),
        visit=st.just(visit),
        lines=lines_of(codes),
        steps=STEPS,
    )


CASES = cases("ABC", pb.VISIT_TYPE_OUTPATIENT, [TIELING, ULANQAB, HOHHOT]) | cases(
    "ABCN", pb.VISIT_TYPE_PHARMACY, [TIELING, ULANQAB, HOHHOT]
)


@dataclass(frozen=True, slots=True)
class House:
    """One of the equal families, its place of care, and what it bought there."""

    database: Database
    code: str
    people: list[Made]
    bindings: list[UUID]
    before: tuple[Any, ...]
    settlement: pb.Settlement

    def held(self) -> tuple[Any, ...]:
        """Balances, counters of the patient and of each binding, and what the place is owed."""
        accounts = [one.account_id for one in self.people if one.account_id is not None]
        return _held(self.database, accounts, [self.people[0], *self.bindings], self.code)


def _held(
    database: Database, accounts: Sequence[UUID], counting: Sequence[object], code: str
) -> tuple[Any, ...]:
    balances = [money_of(database, one)[0] for one in accounts]
    query = "SELECT coalesce(sum(amount_fen), 0)::bigint FROM ledger_lines WHERE counterparty = %s"
    with database.connect() as tx:
        owed: Any = tx.execute(query, [code]).fetchone()
    return balances, [counted(database, one) for one in counting], owed[0]


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Iterator[Families]:
    """Builders on a database with prices of every kind, whose books are checked at the end."""
    families = Families(shared_database)
    for region in (HOHHOT, ULANQAB, TIELING):
        families.item(region, "A")
        families.item(region, "B", catalog_class="B", self_pay_bp=1_250)
        families.item(region, "C", catalog_class="C")
        families.item(region, "N", account_payable=False)
    yield families
    Books.read(shared_database).check()


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


def bought(families: Families, driver: Driver, case: Case) -> House:
    """A new family that has bought what the case says."""
    pharmacy = case.visit == pb.VISIT_TYPE_PHARMACY
    kind, level = ("PHARMACY", "NONE") if pharmacy else ("HOSPITAL", "PRIMARY")
    code = families.institution(case.region, kind=kind, level=level)
    insurance = Insurance.RESIDENT if case.region == HOHHOT else Insurance.EMPLOYEE
    patient = families.person(case.region, balance_fen=case.own_fen, insurance=insurance)
    donors, bindings = [], []
    for rank, (balance_fen, limit_fen) in enumerate(case.donors, 1):
        donors.append(families.person(case.region, balance_fen=balance_fen))
        limits = Caps(per_day_fen=limit_fen)
        bindings.append(families.bind(donors[-1], patient, rank=rank, limits=limits))
    people, database = [patient, *donors], families.database
    accounts = [one.account_id for one in people if one.account_id is not None]
    before = _held(database, accounts, [patient, *bindings], code)
    bill = basket(code, patient, case.lines, visit_type=case.visit)
    settlement = settle(driver, code, bill).settlement
    return House(database, code, people, bindings, before, settlement)


def in_steps(case: Case) -> Iterator[list[tuple[int, int]]]:
    """What each step gives back, line by line, no more than is left."""
    left = dict(enumerate((quantity for _, quantity, _ in case.lines), 1))
    for step in case.steps:
        back = {n: min(left[n], some) for n, some in zip(left, step, strict=False)}
        left = {n: left[n] - back[n] for n in left}
        if any(back.values()):
            yield [(n, quantity) for n, quantity in back.items() if quantity]


def gave(driver: Driver, house: House, lines: Sequence[tuple[int, int]]) -> Counter[str]:
    """What a refund says that it gives back, by source and account; nothing named: all."""
    named = [(number, str(quantity)) for number, quantity in lines]
    step = refund(driver, house.settlement, *named).refund
    back = Counter({"fund": step.breakdown.fund_pay_fen, "cash": step.breakdown.cash_pay_fen})
    bindings = ["", *map(str, house.bindings)]
    for leg in step.legs:
        back[f"account {bindings.index(leg.binding_id)}"] += leg.amount_fen
    return back


@pytest.mark.requirement("RF-01", "RF-04")
@given(case=CASES)
@SEEDED
def test_after_a_refund_of_everything_all_is_as_before_just_as_after_a_reversal(
    families: Families, driver: Driver, case: Case
) -> None:
    refunded, reversed_, stepwise = (bought(families, driver, case) for _ in range(3))
    assert refunded.before == reversed_.before
    assert refunded.held() == reversed_.held()
    last = refund(driver, refunded.settlement).settlement
    undone = cancel(driver, reversed_.code, reversed_.settlement.request_id)
    assert (state_of(last), state_of(undone.settlement)) == ("REFUNDED", "CANCELLED")
    assert [leg.refunded_fen for leg in last.legs] == [
        leg.refunded_fen for leg in undone.settlement.legs
    ]
    for step in in_steps(case):
        gave(driver, stepwise, step)
    cancel(driver, stepwise.code, stepwise.settlement.request_id)
    for house in (refunded, reversed_, stepwise):
        assert house.held() == house.before


@pytest.mark.requirement("RF-01", "RF-04")
@given(case=CASES)
@SEEDED
def test_in_steps_everybody_gets_what_they_get_at_once(
    families: Families, driver: Driver, case: Case
) -> None:
    stepwise, at_once = (bought(families, driver, case) for _ in range(2))
    back, all_lines = Counter[str](), Counter[int]()
    for step in in_steps(case):
        back.update(gave(driver, stepwise, step))
        all_lines.update(dict(step))
    if all_lines:
        assert +back == +gave(driver, at_once, sorted(all_lines.items()))
    assert stepwise.held() == at_once.held()
