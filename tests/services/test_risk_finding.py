"""What the worker finds in what was settled, and tells the agency."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.risk import RiskAction, RiskKind, SignalState
from gongji_svc.storage.database import Database
from gongji_svc.upkeep import risks
from gongji_svc.upkeep.risks import find_risks
from tests.families import Families
from tests.services.credentials import SERVICE
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.risks import (
    buy,
    child_of,
    looked,
    pair,
    purchase,
    resolve,
    rule,
    signals,
)
from tests.services.rules import driver_with
from tests.services.till import HOHHOT, ULANQAB, settle

CODE = "81234567890123456789"


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    driver = Driver(database)
    yield driver
    driver.close()


def refund(driver: Driver, code: str, settlement_id: str) -> None:
    request = pb.RefundSettlementRequest(
        request_id=f"back-{settlement_id}", settlement_id=settlement_id
    )
    driver.call("pos", code, SERVICE, "RefundSettlement", request)


def test_the_fourth_institution_of_a_day_is_told_with_all_four(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    codes = [families.institution(HOHHOT) for _ in range(4)]
    settlements = [buy(driver, code, child).settlement_id for code in codes]
    assert looked(driver) == 4
    (signal,) = signals(database)
    assert (signal.kind, signal.action, signal.state) == (
        RiskKind.MANY_INSTITUTIONS,
        RiskAction.ADVISE,
        SignalState.OPEN,
    )
    assert (signal.threshold, signal.measured) == (4, 4)
    assert (signal.person_id, signal.institution_code) == (child.person_id, codes[3])
    assert str(signal.settlement_id) == settlements[3]
    assert [fact["settlement_id"] for fact in signal.evidence] == settlements


def test_three_institutions_of_a_day_are_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    for _ in range(3):
        buy(driver, families.institution(HOHHOT), child)
    looked(driver)
    assert signals(database) == []


def test_it_does_not_matter_how_the_settlements_are_shared_out(
    driver: Driver, families: Families, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(risks, "_SETTLEMENTS_A_STEP", 1)
    _, child = pair(families)
    for _ in range(5):
        buy(driver, families.institution(HOHHOT), child)
    assert looked(driver) == 5
    assert [signal.measured for signal in signals(database)] == [4, 5]


def test_each_settlement_is_looked_at_once_by_any_number_of_workers(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    for _ in range(4):
        buy(driver, families.institution(HOHHOT), child)
    move(driver, timedelta(seconds=10))
    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(lambda _: find_risks(driver.office), range(4)))
    shares.append(find_risks(driver.office))
    assert sum(shares) == 4
    assert len(signals(database)) == 1
    assert looked(driver) == 0


def test_a_step_that_fails_is_taken_again(
    driver: Driver, families: Families, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, child = pair(families)
    for _ in range(4):
        buy(driver, families.institution(HOHHOT), child)
    with database.connect() as tx:
        tx.execute(
            "INSERT INTO risk_progress VALUES ('000000', now() - interval '1 day', %s)",
            ["00000000-0000-0000-0000-000000000000"],
        )
    with monkeypatch.context() as broken:
        broken.setattr(risks, "add_sales", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            looked(driver)
    assert signals(database) == []
    assert looked(driver) == 4
    assert len(signals(database)) == 1


def test_what_was_given_back_before_the_look_raises_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    codes = [families.institution(HOHHOT) for _ in range(4)]
    settlements = [buy(driver, code, child).settlement_id for code in codes]
    refund(driver, codes[1], settlements[1])
    looked(driver)
    assert signals(database) == []


def test_a_withdrawn_rule_is_off(database: Database, families: Families) -> None:
    driver = driver_with(database, HOHHOT, {"risk.many_institutions": "NONE"})
    _, child = pair(families)
    for _ in range(5):
        buy(driver, families.institution(HOHHOT), child)
    looked(driver)
    assert signals(database) == []


def test_two_cities_within_minutes_are_told_whichever_was_sent_first(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    here, there = families.institution(HOHHOT), families.institution(ULANQAB)
    late = purchase(driver, there, child)
    move(driver, timedelta(minutes=10))
    buy(driver, here, child)
    settle(driver, there, late)
    looked(driver)
    (signal,) = signals(database)
    assert (signal.kind, signal.measured) == (RiskKind.FAR_CITIES, 10)
    assert [fact["institution_code"] for fact in signal.evidence] == [here, there]


def test_the_fifth_beneficiary_of_a_donor_is_told_and_the_next_purchase_of_one_is_not(
    driver: Driver, families: Families, database: Database
) -> None:
    donor, first = pair(families)
    people = [first, *(child_of(families, donor) for _ in range(4))]
    code = families.institution(HOHHOT)
    for person in (*people, first):
        buy(driver, code, person)
    looked(driver)
    (signal,) = signals(database)
    assert (signal.kind, signal.measured) == (RiskKind.DRAINED_DONOR, 5)
    assert (signal.person_id, signal.other_id) == (people[4].person_id, donor.person_id)


def test_a_released_advice_is_not_told_again_within_a_day(
    database: Database, families: Families
) -> None:
    driver = driver_with(database, HOHHOT, {"risk.far_cities": rule(600)})
    _, child = pair(families)
    here, there = families.institution(HOHHOT), families.institution(ULANQAB)
    buy(driver, there, child)
    buy(driver, here, child)
    looked(driver)
    (signal,) = signals(database)
    resolve(driver, signal.signal_id)
    move(driver, timedelta(hours=23))
    buy(driver, there, child)
    buy(driver, here, child)
    looked(driver)
    at_here = [one for one in signals(database) if one.institution_code == here]
    assert at_here == [one for one in at_here if one.signal_id == signal.signal_id]


# --- trace codes


def test_a_package_sold_twice_is_told_with_both_sales_and_the_sale_goes_on(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    other = families.person(HOHHOT, balance_fen=50_000)
    code, elsewhere = families.institution(HOHHOT), families.institution(HOHHOT)
    first = buy(driver, code, child, trace_codes=[CODE])
    looked(driver)
    assert signals(database) == []
    second = buy(driver, elsewhere, other, trace_codes=[CODE, "9" * 20])
    looked(driver)
    (signal,) = signals(database)
    assert (signal.kind, signal.threshold, signal.measured) == (
        RiskKind.REPEATED_TRACE_CODE,
        2,
        2,
    )
    sales = [fact["settlement_id"] for fact in signal.evidence]
    assert sales == [first.settlement_id, second.settlement_id]
    assert CODE in signal.evidence[0]["text"]


def test_a_package_twice_on_one_bill_is_told(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    buy(driver, families.institution(HOHHOT), child, trace_codes=[CODE, CODE])
    looked(driver)
    (signal,) = signals(database)
    assert (signal.kind, signal.measured) == (RiskKind.REPEATED_TRACE_CODE, 2)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_package_that_was_given_back_may_be_sold_again(
    driver: Driver, families: Families, database: Database, at_once: bool
) -> None:
    _, child = pair(families)
    code = families.institution(HOHHOT)
    first = buy(driver, code, child, trace_codes=[CODE])
    if not at_once:
        looked(driver)
    refund(driver, code, first.settlement_id)
    buy(driver, code, child, trace_codes=[CODE])
    looked(driver)
    assert signals(database) == []


def test_a_package_of_a_line_that_was_given_back_may_be_sold_again(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    code = families.institution(HOHHOT)
    request = purchase(driver, code, child)
    request.items[0].trace_codes.add(code=CODE)
    line = request.items.add()
    line.CopyFrom(request.items[0])
    line.line_no = 2
    line.trace_codes[0].code = "7" * 20
    request.total_fen *= 2
    sold = settle(driver, code, request).settlement
    looked(driver)
    back = pb.RefundSettlementRequest(request_id="back", settlement_id=sold.settlement_id)
    back.lines.add(line_no=1, quantity="1")
    driver.call("pos", code, SERVICE, "RefundSettlement", back)
    buy(driver, code, child, trace_codes=[CODE])
    buy(driver, code, child, trace_codes=["7" * 20])
    looked(driver)
    (signal,) = signals(database)
    assert "7" * 20 in signal.evidence[0]["text"]


def test_a_split_package_may_come_again(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    code = families.institution(HOHHOT)
    for _ in range(2):
        request = purchase(driver, code, child)
        request.items[0].trace_codes.add(code=CODE, split_pack=True)
        settle(driver, code, request)
    looked(driver)
    assert signals(database) == []


def test_packages_of_other_regions_are_others(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child = pair(families)
    buy(driver, families.institution(HOHHOT), child, trace_codes=[CODE])
    move(driver, timedelta(hours=2))
    buy(driver, families.institution(ULANQAB), child, trace_codes=[CODE])
    looked(driver)
    assert signals(database) == []
