"""Settle, refund and cancel in one batch, in any order, in both forms of the statements."""

import time
from typing import Any

import pytest
from google.protobuf.message import Message

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.engine import Answered, Command, Engine, Outcome
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families
from tests.services.applications import relative_in
from tests.services.driver import Driver
from tests.services.refunds import (
    SERVICE,
    basket,
    cancelling,
    family_of_three,
    given_back,
    refunding,
    state_of,
)
from tests.services.till import HOHHOT, ULANQAB, paid, settle

REVERSED, BLOCKED = pb.CANCEL_OUTCOME_REVERSED, pb.CANCEL_OUTCOME_BLOCKED

both_forms = pytest.mark.parametrize("by_region", [False, True])


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def command(driver: Driver, code: str, rpc: str, request: Message) -> Command:
    """A till's request as the engine gets it."""
    caller, deadline = Caller(Role.POS, code), time.time() + 30
    body = request.SerializeToString()
    return routes.read_command(driver.office, method_of(SERVICE, rpc), caller, body, deadline)


def run(driver: Driver, code: str, by_region: bool, *requests: tuple[str, Message]) -> list[Any]:
    """What one batch answers to each of its requests: the response, or the refusal's class."""
    engine = Engine(driver.office.database, by_region=by_region)
    outcomes = engine.run([command(driver, code, rpc, request) for rpc, request in requests])
    engine.close()
    pairs = zip(requests, outcomes, strict=True)
    return [answer_of(rpc, outcome) for (rpc, _), outcome in pairs]


def answer_of(rpc: str, outcome: Outcome) -> Any:
    if isinstance(outcome, Answered):
        return method_of(SERVICE, rpc).response.FromString(outcome.answer)
    return type(outcome)


@both_forms
def test_what_was_settled_earlier_in_the_batch_is_reversed(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    bought = basket(code, patient, [("XA01", 20, 10)])
    settled, cancelled, again = run(
        driver,
        code,
        by_region,
        ("Settle", bought),
        ("CancelSettlement", cancelling(bought.request_id)),
        ("CancelSettlement", cancelling(bought.request_id)),
    )
    assert paid(settled.settlement) == [("SELF", 5_000), ("DONOR", 8_000)]
    assert (cancelled.outcome, again.outcome) == (REVERSED, REVERSED)
    assert given_back(cancelled.refund) == ([5_000, 8_000], 0, 7_000)
    assert state_of(cancelled.settlement) == "CANCELLED"
    assert again.settlement == cancelled.settlement and not again.HasField("refund")
    Books.read(database).check()


@both_forms
def test_what_was_cancelled_earlier_in_the_batch_does_not_settle(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    bought = basket(code, patient, [("XA01", 20, 10)])
    cancelled, refused, again = run(
        driver,
        code,
        by_region,
        ("CancelSettlement", cancelling(bought.request_id)),
        ("Settle", bought),
        ("CancelSettlement", cancelling(bought.request_id)),
    )
    assert (cancelled.outcome, again.outcome) == (BLOCKED, BLOCKED)
    assert refused is errors.RequestIdCancelled
    with pytest.raises(errors.RequestIdCancelled):
        settle(driver, code, bought)
    Books.read(database).check()


@both_forms
def test_what_was_refused_earlier_in_the_batch_is_blocked(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    outdated = basket(code, patient, [("XA01", 20, 10)], expected_cash_pay_fen=1)
    refused, cancelled = run(
        driver,
        code,
        by_region,
        ("Settle", outdated),
        ("CancelSettlement", cancelling(outdated.request_id)),
    )
    assert (refused, cancelled.outcome) == (errors.PreviewOutdated, BLOCKED)
    outdated.ClearField("expected_cash_pay_fen")
    with pytest.raises(errors.RequestIdCancelled):
        settle(driver, code, outdated)
    Books.read(database).check()


@both_forms
def test_refunds_and_a_cancellation_in_one_batch_follow_one_another(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    families.item("150000", "XA01")
    code, settled = families.institution(HOHHOT), []
    for region in (HOHHOT, ULANQAB):
        patient = relative_in(families, region, balance_fen=4_000)
        families.bind(families.person(ULANQAB, balance_fen=3_000), patient)
        settled.append(settle(driver, code, basket(code, patient, [("XA01", 9, 10)])).settlement)
    answers = run(
        driver,
        code,
        by_region,
        *(("RefundSettlement", refunding(one, (1, "4"))) for one in settled for _ in range(2)),
        *(("CancelSettlement", cancelling(one.request_id)) for one in settled),
        *(("RefundSettlement", refunding(one)) for one in settled),
    )
    assert [given_back(answer.refund) for answer in answers[::2][:3]] == [
        ([2_000], 0, 2_000),
        ([2_000], 0, 2_000),
        ([1_000], 0, 0),
    ]
    assert [given_back(answer.refund) for answer in answers[1::2][:2]] == [
        ([3_000, 1_000], 0, 0),
        ([3_000, 1_000], 0, 0),
    ]
    assert [len(answer.settlement.refunds) for answer in answers[:6]] == [1, 2, 1, 2, 3, 3]
    assert answers[6:] == [errors.SettlementCancelled] * 2
    Books.read(database).check()
