"""CancelSettlement: what is known is reversed, what is unknown can never settle."""

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.refunds import (
    basket,
    cancel,
    cancelling,
    family_of_three,
    given_back,
    read,
    refund,
    send_cancel,
    state_of,
)
from tests.services.till import HOHHOT, ULANQAB, counts, paid, settle

REVERSED, BLOCKED = pb.CANCEL_OUTCOME_REVERSED, pb.CANCEL_OUTCOME_BLOCKED


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def request_(families: Families) -> pb.SettleRequest:
    """20 pieces at 10 yuan: personal 200 = own 50 + donor 80 + cash 70."""
    patient, _, code = family_of_three(families, ULANQAB)
    return basket(code, patient, [("XA01", 20, 10)])


@pytest.mark.requirement("RF-01", "RF-02")
def test_a_known_settlement_is_reversed_whole(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    settled = settle(driver, code, request_).settlement
    answer = cancel(driver, code, request_.request_id, reason="应答丢失")
    assert answer.outcome == REVERSED
    assert given_back(answer.refund) == ([5_000, 8_000], 0, 7_000)
    assert (answer.refund.cancellation, answer.refund.reason) == (True, "应答丢失")
    assert state_of(answer.settlement) == "CANCELLED"
    assert answer.settlement.remaining.total_fen == 0
    assert read(driver, settled) == answer.settlement
    assert list(answer.settlement.refunds) == [answer.refund]
    Books.read(database).check()


@pytest.mark.requirement("RF-01")
def test_what_a_refund_has_left_is_reversed(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    refund(driver, settle(driver, code, request_).settlement, (1, "10"))
    answer = cancel(driver, code, request_.request_id)
    assert given_back(answer.refund) == ([5_000, 5_000], 0, 0)
    assert [step.cancellation for step in answer.settlement.refunds] == [False, True]
    assert state_of(answer.settlement) == "CANCELLED"
    Books.read(database).check()


@pytest.mark.requirement("RF-02")
def test_what_has_nothing_left_is_told_as_it_stands(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    settled = settle(driver, code, request_).settlement
    whole = refund(driver, settled)
    before = Books.read(database)
    answer = cancel(driver, code, request_.request_id)
    assert (answer.outcome, answer.HasField("refund")) == (REVERSED, False)
    assert answer.settlement == whole.settlement
    after = Books.read(database)
    assert (after.entries, after.refunds, after.lines) == (
        before.entries,
        before.refunds,
        before.lines,
    )


@pytest.mark.requirement("RF-02")
def test_cancelling_twice_says_the_same_and_moves_once(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    settle(driver, code, request_)
    asked = cancelling(request_.request_id)
    first = send_cancel(driver, "pos", code, asked)
    again = send_cancel(driver, "pos", code, asked)
    assert again.replayed and not first.replayed
    assert (again.outcome, again.settlement, again.refund) == (
        REVERSED,
        first.settlement,
        first.refund,
    )
    anew = cancel(driver, code, request_.request_id)
    assert not anew.replayed
    assert (anew.outcome, anew.settlement) == (REVERSED, first.settlement)
    assert counts(database)["entries"] == 4


@pytest.mark.requirement("RF-02")
def test_an_original_that_comes_late_is_refused(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    asked = cancelling(request_.request_id)
    answer = send_cancel(driver, "pos", code, asked)
    assert (answer.outcome, answer.HasField("settlement")) == (BLOCKED, False)
    for _ in range(2):
        with pytest.raises(errors.RequestIdCancelled):
            settle(driver, code, request_)
    again, anew = send_cancel(driver, "pos", code, asked), cancel(driver, code, request_.request_id)
    assert (again.outcome, again.replayed) == (BLOCKED, True)
    assert (anew.outcome, anew.replayed) == (BLOCKED, False)
    assert counts(database) == {"settlements": 0, "entries": 0, "requests": 3}
    named = pb.GetSettlementRequest(request_id=request_.request_id)
    with pytest.raises(errors.SettlementNotFound):
        driver.call("pos", code, "SettlementService", "GetSettlement", named)
    request_.request_id = "anew"
    assert paid(settle(driver, code, request_).settlement) == [("SELF", 5_000), ("DONOR", 8_000)]


def test_another_institution_may_use_the_number_that_was_cancelled(
    driver: Driver, families: Families, request_: pb.SettleRequest
) -> None:
    other = families.institution(ULANQAB)
    assert cancel(driver, other, request_.request_id).outcome == BLOCKED
    settle(driver, request_.institution_code, request_)


def test_an_original_that_was_refused_is_blocked(
    driver: Driver, request_: pb.SettleRequest
) -> None:
    code = request_.institution_code
    request_.expected_cash_pay_fen = 1
    with pytest.raises(errors.PreviewOutdated):
        settle(driver, code, request_)
    assert cancel(driver, code, request_.request_id).outcome == BLOCKED
    request_.ClearField("expected_cash_pay_fen")
    with pytest.raises(errors.RequestIdCancelled):
        settle(driver, code, request_)


def test_the_number_of_another_kind_of_request_cancels_nothing(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    settled = settle(driver, code, request_).settlement
    refund(driver, settled, (1, "1"), request_id="refund-1")
    cancel(driver, code, "never", request_id="cancel-1")
    before = counts(database)
    for other in ("refund-1", "cancel-1"):
        with pytest.raises(errors.SettlementNotFound) as refused:
            cancel(driver, code, other, request_id="cancel-2")
        assert [one.field for one in refused.value.violations] == ["original_request_id"]
    assert counts(database) == before
    assert cancel(driver, code, settled.request_id, request_id="cancel-2").outcome == REVERSED


def test_a_cancellation_is_of_another_request_than_itself(
    driver: Driver, families: Families
) -> None:
    with pytest.raises(errors.InvalidField):
        cancel(driver, families.institution(ULANQAB), "one", request_id="one")


def test_a_number_that_was_cancelled_can_not_cancel(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB)
    cancel(driver, code, "lost")
    with pytest.raises(errors.RequestIdCancelled):
        cancel(driver, code, "other", request_id="lost")


def test_a_till_cancels_its_own_and_a_platform_names_whose(
    driver: Driver, families: Families, request_: pb.SettleRequest
) -> None:
    code = request_.institution_code
    settle(driver, code, request_)
    other = families.institution(ULANQAB)
    unnamed, named = (cancelling(request_.request_id, institution_code=one) for one in ("", code))
    for role, subject, asked in (
        ("pos", other, named),
        ("platform", HOHHOT, named),
        ("platform", ULANQAB, unnamed),
        ("platform", ULANQAB, cancelling("x", institution_code="NOWHERE")),
    ):
        with pytest.raises(errors.AccessDenied):
            send_cancel(driver, role, subject, asked)
    assert cancel(driver, other, request_.request_id).outcome == BLOCKED
    assert send_cancel(driver, "platform", ULANQAB, named).outcome == REVERSED


def test_after_a_cancellation_the_money_pays_again(
    driver: Driver, request_: pb.SettleRequest, database: Database
) -> None:
    code = request_.institution_code
    settled = settle(driver, code, request_).settlement
    cancel(driver, code, request_.request_id)
    request_.request_id = "anew"
    assert paid(settle(driver, code, request_).settlement) == paid(settled)
    with database.connect() as tx:
        accounts = tx.execute("SELECT id FROM accounts").fetchall()
    assert [money_of(database, account)[::2] for (account,) in accounts] == [(0, 3), (0, 3)]
