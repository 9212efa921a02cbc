"""expected_cash_pay_fen: who was shown a sum pays that sum, or nothing moves."""

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.status import status_of
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.refunds import basket, family_of_three
from tests.services.till import ULANQAB, asked, counts, settle


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def shown(driver: Driver, code: str, patient: Made, yuan: int) -> pb.SettleRequest:
    """A purchase that expects the cash which its preview has just shown."""
    request = basket(code, patient, [("XA01", 1, yuan)])
    preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", asked(request))
    request.expected_cash_pay_fen = preview.breakdown.cash_pay_fen
    return request


def batch(driver: Driver, code: str, *requests: pb.SettleRequest) -> list[pb.BatchSettleResult]:
    request = pb.BatchSettleRequest(settlements=requests)
    return list(driver.call("pos", code, "SettlementService", "BatchSettle", request).results)


@pytest.mark.parametrize("yuan", [30, 200])
def test_what_was_shown_is_paid(driver: Driver, families: Families, yuan: int) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    request = shown(driver, code, patient, yuan)
    cash_pay_fen = settle(driver, code, request).settlement.breakdown.cash_pay_fen
    assert cash_pay_fen == request.expected_cash_pay_fen == max(0, yuan * 100 - 13_000)


@pytest.mark.parametrize("off_fen", [-1, 1])
def test_a_fen_more_or_less_is_refused_and_the_same_request_may_come_again(
    driver: Driver, families: Families, database: Database, off_fen: int
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    request = shown(driver, code, patient, 200)
    request.expected_cash_pay_fen += off_fen
    with pytest.raises(errors.PreviewOutdated) as refused:
        settle(driver, code, request)
    assert refused.value.details == {"cash_pay_fen": "7000", "cash_pay_yuan": "70.00"}
    assert counts(database) == {"settlements": 0, "entries": 0, "requests": 0}
    request.expected_cash_pay_fen -= off_fen
    assert not settle(driver, code, request).replayed


def test_nothing_in_cash_is_a_sum_that_can_be_expected(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    request = basket(code, patient, [("XA01", 1, 200)])
    request.expected_cash_pay_fen = 0
    with pytest.raises(errors.PreviewOutdated):
        settle(driver, code, request)


def test_in_one_call_a_bill_may_outdate_the_preview_of_the_next_and_no_other(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    stranger = families.person(ULANQAB, balance_fen=1_000)
    first, second = (shown(driver, code, patient, 100) for _ in range(2))
    other = shown(driver, code, stranger, 30)
    last = basket(code, patient, [("XA01", 1, 30)], expected_cash_pay_fen=0)
    results = batch(driver, code, first, second, other, last)
    assert [one.WhichOneof("result") for one in results] == [
        "settlement",
        "error",
        "settlement",
        "settlement",
    ]
    # 130 less 100 are left for the second; what it would have taken is there for the last.
    outdated = errors.PreviewOutdated(cash_pay_fen="7000", cash_pay_yuan="70.00")
    assert results[1].error == status_of(outdated)
    assert results[3].settlement.breakdown.account_pay_fen == 3_000
    assert counts(database)["settlements"] == 3
    Books.read(database).check()
    second.expected_cash_pay_fen = 10_000
    again = batch(driver, code, first, second)
    assert [one.replayed for one in again] == [True, False]
    assert again[1].settlement.breakdown.cash_pay_fen == 10_000
