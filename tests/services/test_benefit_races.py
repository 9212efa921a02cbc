"""Pooled outpatient benefit of one 铁岭 patient while many tills settle and give back at once.

Rule: what the fund paid is compared with a plain model, which goes through the same events one by
one in the order in which they were recorded, told by the patient's own account. What the tills do
is seeded; how they take turns is not.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.refunds import basket, cancel, counted, read, refund
from tests.services.test_binding_races import all_of, offices
from tests.services.till import TIELING, settle

CAP_FEN, PIECES = 300_000, 10
LEVELS = {"PRIMARY": (20_000, 70), "SECONDARY": (20_000, 60), "TERTIARY": (30_000, 50)}
"""Deductible of a year in fen, and per cent, of somebody in work (TIL-29, TIL-32 to TIL-34)."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What the model keeps of a visit: its terms, what is left of it, and the sums of that."""

    percent: int
    line_fen: int
    cap_fen: int
    piece_fen: int
    pieces: int = PIECES

    def less(self, pieces: int) -> "Visit":
        """The visit with so many pieces fewer."""
        left = self.pieces - pieces
        return Visit(self.percent, self.line_fen, self.cap_fen, self.piece_fen, left)

    @property
    def deductible_fen(self) -> int:
        return min(self.line_fen, self.pieces * self.piece_fen)

    @property
    def fund_fen(self) -> int:
        above = Decimal(self.pieces * self.piece_fen - self.deductible_fen)
        exact = above * self.percent / 100
        return min(self.cap_fen, int(exact.quantize(Decimal(1), ROUND_HALF_UP)))


@dataclass(slots=True)
class Year:
    """The plain model: what was borne and paid, one event after the other."""

    borne_fen: int = 0
    fund_fen: int = 0
    visits: dict[str, Visit] = field(default_factory=dict)

    def visit(self, settlement: pb.Settlement, level: str) -> tuple[int, int]:
        """(deductible, fund) of a visit."""
        deductible_fen, percent = LEVELS[level]
        line_fen = max(0, deductible_fen - self.borne_fen)
        piece_fen = settlement.breakdown.total_fen // PIECES
        made = Visit(percent, line_fen, max(0, CAP_FEN - self.fund_fen), piece_fen)
        self.visits[settlement.settlement_id] = made
        self._count(made.deductible_fen, made.fund_fen)
        return made.deductible_fen, made.fund_fen

    def give_back(self, settlement_id: str, step: pb.Refund) -> tuple[int, int]:
        """(deductible, fund) that a step gives back."""
        before = self.visits[settlement_id]
        after = before.less(sum(int(line.quantity) for line in step.lines))
        self.visits[settlement_id] = after
        back = before.deductible_fen - after.deductible_fen, before.fund_fen - after.fund_fen
        self._count(-back[0], -back[1])
        return back

    def _count(self, deductible_fen: int, fund_fen: int) -> None:
        self.borne_fen += deductible_fen
        self.fund_fen += fund_fen
        assert 0 <= self.fund_fen <= CAP_FEN


@dataclass(slots=True)
class Tills:
    """Hospitals of every level, whom one patient visits."""

    patient: Made
    codes: dict[str, str]
    settled: list[pb.Settlement] = field(default_factory=list)

    def work(self, office: Driver, seed: int, turns: int) -> None:
        """Visits, returns and reversals; a refusal is an answer too."""
        chance = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
        for turn in range(turns):
            steps = [self._visit, self._visit, self._refund, self._refund, self._cancel]
            try:
                chance.choice(steps)(office, chance, f"{seed}-{turn}")
            except errors.Refusal as refusal:
                late = errors.RefundExceedsRest | errors.SettlementRefunded
                assert isinstance(refusal, late | errors.SettlementCancelled)

    def _visit(self, office: Driver, chance: random.Random, name: str) -> None:
        code = self.codes[chance.choice(sorted(self.codes))]
        yuan = chance.randint(1, 150)
        self.settled.append(visit(office, code, self.patient, yuan, request_id=name))

    def _refund(self, office: Driver, chance: random.Random, name: str) -> None:
        settlement = chance.choice(self.settled)
        refund(office, settlement, (1, str(chance.randint(1, 6))), request_id=name)

    def _cancel(self, office: Driver, chance: random.Random, name: str) -> None:
        settlement = chance.choice(self.settled)
        cancel(office, settlement.institution_code, settlement.request_id, request_id=name)


def visit(driver: Driver, code: str, patient: Made, yuan: int, **fields: Any) -> pb.Settlement:
    """Ten pieces at so many yuan each, in scope, now or `ahead` of it."""
    ahead = fields.pop("ahead", timedelta())
    visit_type = pb.VISIT_TYPE_OUTPATIENT
    request = basket(code, patient, [("XA01", PIECES, yuan)], visit_type=visit_type, **fields)
    request.occurred_at.FromDatetime(driver.office.now() + ahead)
    return settle(driver, code, request).settlement


def recorded(database: Database, account_id: object) -> Iterator[tuple[str, str]]:
    """The kind and the settlement of each movement of an account, in order."""
    query = "SELECT kind, source_id::text FROM entries WHERE account_id = %s ORDER BY seq"
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query, [str(account_id)]).fetchall()
    yield from rows


@pytest.mark.requirement("TIL-29", "TIL-31", "RF-04")
def test_whatever_tills_do_at_once_the_years_sums_are_those_of_one_after_the_other(
    database: Database,
) -> None:
    families, driver = Families(database), Driver(database)
    families.item("210000", "XA01")
    codes = {one: families.institution(TIELING, kind="HOSPITAL", level=one) for one in LEVELS}
    # The own account is never empty, so that it moves in every event and tells their order.
    patient = families.person(TIELING, balance_fen=10**9)
    tills = Tills(patient, codes)
    tills.settled.append(visit(driver, codes["PRIMARY"], patient, 30))
    with offices(database, 4) as at_work:
        all_of(*(partial(tills.work, till, seed, 60) for seed, till in enumerate(at_work)))
    year, steps, told = Year(), dict[str, Iterator[pb.Refund]](), Counter[str]()
    level_of = {code: level for level, code in codes.items()}
    seen = {one.settlement_id: read(driver, one) for one in tills.settled}
    for kind, settlement_id in recorded(database, patient.account_id):
        told[kind] += 1
        settlement = seen[settlement_id]
        if kind == "REFUND_OWN":
            step = next(steps[settlement_id])
            expected = year.give_back(settlement_id, step)
            sums = step.breakdown
        else:
            steps[settlement_id] = iter(settlement.refunds)
            expected = year.visit(settlement, level_of[settlement.institution_code])
            sums = settlement.breakdown
        assert (sums.deductible_fen, sums.fund_pay_fen) == expected
    assert sum(told.values()) > 100 and told["REFUND_OWN"] > 20
    assert not any(list(rest) for rest in steps.values())
    sums_of_year = {kind: fen for (kind, _), fen in counted(database, patient).items()}
    in_model = {"DEDUCTIBLE:EMPLOYEE": year.borne_fen, "FUND:EMPLOYEE": year.fund_fen}
    assert sums_of_year == {kind: fen for kind, fen in in_model.items() if fen}
    Books.read(database).check()


# --- over the turn of the year


@pytest.fixture
def january(database: Database) -> Driver:
    """The service on 4 January 2027."""
    return Driver(database, on=date(2027, 1, 4))


@pytest.fixture
def in_turn(database: Database, january: Driver) -> Callable[[int, int], tuple[int, int]]:
    """A visit so many days ago at so many yuan: (deductible, fund)."""
    families = Families(database)
    families.item("210000", "XA01")
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(TIELING, balance_fen=0)

    def buy(days_ago: int, yuan: int) -> tuple[int, int]:
        sums = visit(january, code, patient, yuan, ahead=-timedelta(days=days_ago)).breakdown
        return sums.deductible_fen, sums.fund_pay_fen

    return buy


@pytest.mark.requirement("TIL-31", "TIL-D6")
def test_what_occurred_in_december_and_is_settled_in_january_counts_in_the_old_year(
    in_turn: Callable[[int, int], tuple[int, int]],
) -> None:
    assert in_turn(6, 600) == (30_000, 285_000)
    assert in_turn(0, 20) == (20_000, 0)
    assert in_turn(5, 600) == (0, 15_000)
    assert in_turn(4, 600) == (0, 0)  # 31 December: the old year's cap is used up
    assert in_turn(3, 600) == (10_000, 295_000)  # 1 January: 100 of 300 yuan were left to bear
    assert in_turn(0, 600) == (0, 5_000)
    assert in_turn(7, 600) == (0, 0)
