"""Random days and a random copy of them: exactly what was tampered with comes out."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.driver import Driver
from tests.services.reconciling import books, details, listed, totals, written
from tests.services.refunds import basket, cancel, family_of_three, refund
from tests.services.till import ULANQAB, settle

SEEDS = range(4)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def random_day(driver: Driver, chance: random.Random) -> str:
    """An institution and its day: purchases, some of them returned in parts, some cancelled."""
    patient, _, code = family_of_three(Families(driver.office.database), ULANQAB)
    for _ in range(12):
        quantity = chance.randint(1, 3)
        bill = basket(code, patient, [("XA01", quantity, 10)])
        settled = settle(driver, code, bill).settlement
        returned = chance.randint(0, quantity) if chance.random() < 0.5 else 0
        for _ in range(returned):
            refund(driver, settled, (1, "1"))
        if returned < quantity and chance.random() < 0.2:
            cancel(driver, code, settled.request_id)
    return code


def copied(chance: random.Random, rows: Sequence[pb.ReconcileRow]) -> list[pb.ReconcileRow]:
    """The same rows as an institution sends them: in another order, each named some way."""
    sent = []
    for row in rows:
        copy = pb.ReconcileRow()
        copy.CopyFrom(row)
        match chance.choice(["both", "request", "settlement"]):
            case "request":
                copy.settlement_id = ""
            case "settlement":
                copy.request_id = ""
        sent.append(copy)
    chance.shuffle(sent)
    return sent


def tampered(
    chance: random.Random, rows: Sequence[pb.ReconcileRow]
) -> tuple[list[pb.ReconcileRow], Counter[tuple[int, str]]]:
    """The rows as spoilt, all fully named, and what was done to which request."""
    sent: list[pb.ReconcileRow] = []
    done: Counter[tuple[int, str]] = Counter()
    for row in rows:
        copy = pb.ReconcileRow()
        copy.CopyFrom(row)
        match chance.choice(["keep", "keep", "keep", "lose", "change", "double", "invent"]):
            case "lose":
                done[pb.DIFFERENCE_KIND_MISSING_THERE, row.request_id] += 1
                continue
            case "change":
                name = chance.choice(["total_fen", "fund_pay_fen", "account_pay_fen"])
                setattr(copy, name, getattr(copy, name) + chance.choice([-1, 1, 1_000]))
                done[pb.DIFFERENCE_KIND_AMOUNT_DIFFERS, row.request_id] += 1
            case "double":
                sent.append(copy)
                done[pb.DIFFERENCE_KIND_MISSING_HERE, row.request_id] += 1
            case "invent":
                strange = pb.ReconcileRow(
                    settlement_id=str(new_id(ULANQAB)),
                    request_id=f"invented-{row.request_id}"[:64],
                    total_fen=100,
                )
                sent.append(strange)
                done[pb.DIFFERENCE_KIND_MISSING_HERE, strange.request_id] += 1
        sent.append(copy)
    chance.shuffle(sent)
    return sent, done


def own_rows(driver: Driver, code: str) -> list[pb.ReconcileRow]:
    day = driver.office.today()
    return [written(row) for row in books(driver.office.database, ULANQAB, code, day)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_true_copy_balances_however_its_rows_are_named(driver: Driver, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded day, no secret
    code = random_day(driver, chance)
    rows = own_rows(driver, code)
    assert details(driver, code, copied(chance, rows)).balanced
    assert not listed(driver, "pos", code)


@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_what_was_tampered_with_comes_out(driver: Driver, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded day, no secret
    code = random_day(driver, chance)
    rows = own_rows(driver, code)
    for _ in range(4):
        sent, done = tampered(chance, rows)
        answer = details(driver, code, sent)
        assert Counter((one.kind, one.request_id) for one in answer.differences) == done
        assert answer.difference_count == done.total()
        assert answer.balanced == (not done)
        kept = listed(driver, "pos", code, page_size=1_000)
        assert Counter((one.kind, one.request_id) for one in kept) == done
    assert details(driver, code, copied(chance, rows)).balanced
    assert not listed(driver, "pos", code)


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_are_those_of_the_rows_and_of_the_settlements_as_they_stand(
    driver: Driver, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded day, no secret
    code = random_day(driver, chance)
    rows = own_rows(driver, code)
    sums = totals(driver, code).totals
    assert sums == details(driver, code, rows).totals
    assert (sums.settlements, sums.refunds) == (
        sum(not row.refund for row in rows),
        sum(row.refund for row in rows),
    )
    for name in ("total_fen", "fund_pay_fen", "account_pay_fen"):
        assert getattr(sums, name) == sum(getattr(row, name) for row in rows)
    request = settlement_pb2.ListSettlementsRequest(institution_code=code, page_size=1_000)
    found = driver.call("pos", code, "SettlementService", "ListSettlements", request).settlements
    for name in ("total_fen", "account_pay_fen", "mutual_aid_pay_fen", "cash_pay_fen"):
        settled_fen = sum(getattr(one.breakdown, name) for one in found)
        refunded_fen = sum(getattr(step.breakdown, name) for one in found for step in one.refunds)
        assert getattr(sums, name) == settled_fen - refunded_fen
