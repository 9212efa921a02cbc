"""Notices: a donor is told of each debit and of what comes back, nobody of what did not happen."""

import time
from datetime import UTC
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.terms import Insurance
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.account_work import close
from tests.services.driver import Driver
from tests.services.holds import capture, family, hold, holding
from tests.services.refunds import basket, cancel, family_of_three, refund, refunding, send_refund
from tests.services.till import HOHHOT, ULANQAB, asked, request_of, settle

Told = tuple[str, str, str, int]
"""Kind, whom, the binding, and fen."""


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def notices(database: Database) -> list[Any]:
    """All rows, in the order they were written."""
    query = (
        "SELECT region, kind, person_id::text, binding_id::text, amount_fen, source_id::text,"
        " recorded_at, taken_at FROM notices ORDER BY id"
    )
    with database.connect() as tx:
        return tx.execute(query).fetchall()


def told(database: Database) -> list[Told]:
    return [(kind, who, binding, fen) for _, kind, who, binding, fen, *_ in notices(database)]


def test_each_donor_is_told_of_the_leg_that_was_theirs(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=5_000, insurance=Insurance.RESIDENT)
    donors = [
        families.person(region, balance_fen=fen)
        for region, fen in ((ULANQAB, 2_000), (HOHHOT, 9_000))
    ]
    bindings = [families.bind(donor, patient, rank=rank) for rank, donor in enumerate(donors, 1)]
    settlement = settle(driver, code, request_of(code, patient)).settlement
    source, moment = settlement.settlement_id, settlement.recorded_at.ToDatetime(UTC)
    first, second = notices(database)
    assert first[:6] == (ULANQAB, "DEBIT", str(donors[0]), str(bindings[0]), 2_000, source)
    assert second[:6] == (HOHHOT, "DEBIT", str(donors[1]), str(bindings[1]), 3_000, source)
    assert first[6:] == second[6:] == (moment, None)


@pytest.mark.parametrize("use", [pb.ACCOUNT_USE_NONE, pb.ACCOUNT_USE_OWN])
def test_a_bill_without_a_donor_tells_nobody(
    driver: Driver, families: Families, database: Database, use: pb.AccountUse.ValueType
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    settle(driver, code, request_of(code, patient, account_use=use))
    assert told(database) == []


def test_previews_refusals_and_repeats_tell_nobody_anything(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    request = request_of(code, patient)
    driver.call("pos", code, "SettlementService", "PreviewSettlement", asked(request))
    with pytest.raises(errors.PreviewOutdated):
        settle(driver, code, request_of(code, patient, expected_cash_pay_fen=1))
    assert told(database) == []
    settlement = settle(driver, code, request).settlement
    binding = settlement.legs[1].binding_id
    assert settle(driver, code, request).replayed
    assert told(database) == [("DEBIT", str(donor), binding, 5_000)]


def test_a_donor_is_told_of_each_step_that_gives_back(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    binding = settled.legs[1].binding_id
    refund(driver, settled, (1, "6"))  # cash alone
    assert [kind for kind, *_ in told(database)] == ["DEBIT"]
    asked_again = refunding(settled, (1, "6"))
    for _ in range(2):
        send_refund(driver, "pos", code, asked_again)
    refund(driver, settled)
    assert told(database) == [
        ("DEBIT", str(donor), binding, 8_000),
        ("REFUND", str(donor), binding, 5_000),
        ("REFUND", str(donor), binding, 3_000),
    ]
    assert {row[5] for row in notices(database)} == {settled.settlement_id}


def test_a_cancellation_tells_once_what_came_back(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    request = basket(code, patient, [("XA01", 20, 10)])
    binding = settle(driver, code, request).settlement.legs[1].binding_id
    for _ in range(2):
        cancel(driver, code, request.request_id)
    cancel(driver, code, "never-made")
    assert told(database)[1:] == [("REFUND", str(donor), binding, 8_000)]


def test_the_owner_of_a_closed_account_is_told_that_the_money_waits(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    close(driver, donor.account_id, agency=ULANQAB)
    refund(driver, settled)
    binding = settled.legs[1].binding_id
    assert told(database)[1:] == [("REFUND_IN_SUSPENSE", str(donor), binding, 8_000)]


def test_a_donor_is_told_of_a_captured_hold(
    driver: Driver, families: Families, database: Database
) -> None:
    donor, relative, binding_id = family(families)
    code = families.institution(HOHHOT)
    held = hold(driver, "pos", code, holding(donor.account_id, relative, 500))
    capture(driver, "pos", code, held.hold_id, 300)
    assert told(database) == [("DEBIT", str(donor), str(binding_id), 300)]


@pytest.mark.parametrize("by_region", [False, True])
def test_both_forms_of_the_statements_tell_the_donors_of_all_bills_of_a_batch(
    database: Database, families: Families, by_region: bool
) -> None:
    families.item("150000", "XA01")
    code, office = families.institution(HOHHOT), Driver(database).office
    patient = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    expected = []
    for rank, region in enumerate((HOHHOT, ULANQAB), 1):
        donor = families.person(region, balance_fen=15_000)
        expected.append((region, str(donor), str(families.bind(donor, patient, rank=rank))))
    method = method_of("SettlementService", "Settle")
    commands = [
        routes.read_command(
            office,
            method,
            Caller(Role.POS, code),
            request_of(code, patient, request_id=f"{number}").SerializeToString(),
            time.time() + 30,
        )
        for number in range(3)
    ]
    engine = Engine(database, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    first, second = expected
    rows = [(region, who, binding, fen) for region, _, who, binding, fen, *_ in notices(database)]
    assert rows == [(*first, 10_000), (*first, 5_000), (*second, 5_000), (*second, 10_000)]
