"""BatchSettle: many bills in one call, in their order, each with a result of its own."""

from collections.abc import Sequence
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.status import status_of
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.refunds import SERVICE, basket, cancel, family_of_three
from tests.services.till import HOHHOT, ULANQAB, counts, paid, settle

MOST, MOST_LINES = 500, 10_000


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def send(driver: Driver, role: str, subject: str, requests: Sequence[pb.SettleRequest]) -> Any:
    """The results that a caller is answered."""
    request = pb.BatchSettleRequest(settlements=requests)
    results = driver.call(role, subject, SERVICE, "BatchSettle", request).results
    assert [one.index for one in results] == list(range(len(requests)))
    return results


def batch(driver: Driver, code: str, requests: Sequence[pb.SettleRequest]) -> Any:
    """The results that a till is answered."""
    return send(driver, "pos", code, requests)


def bill(code: str, patient: Made, yuan: int = 10, **fields: Any) -> pb.SettleRequest:
    """A purchase of one piece."""
    return basket(code, patient, [("XA01", 1, yuan)], **fields)


def test_bills_are_settled_in_their_order_and_each_sees_the_one_before(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    results = batch(driver, code, [bill(code, patient, yuan) for yuan in (40, 60, 50)])
    assert [paid(one.settlement) for one in results] == [
        [("SELF", 4_000)],
        [("SELF", 1_000), ("DONOR", 5_000)],
        [("DONOR", 3_000)],
    ]
    assert [one.settlement.breakdown.cash_pay_fen for one in results] == [0, 0, 2_000]
    assert not any(one.replayed for one in results)
    Books.read(database).check()


def test_a_refused_bill_leaves_the_others_alone_and_tells_what_a_single_call_would(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    outdated = bill(code, patient, expected_cash_pay_fen=1)
    unsure = bill(code, patient)
    unsure.credential.name = "李某"
    unlikely = bill(code, patient)
    unlikely.occurred_at.seconds = 10**15
    wrong_sum = bill(code, patient, total_fen=999)
    wrong_sum.total_fen = 999
    cancelled = bill(code, patient)
    cancel(driver, code, cancelled.request_id)
    bad = (outdated, unsure, unlikely, wrong_sum, cancelled)
    first, *refusals, last = batch(driver, code, [bill(code, patient), *bad, bill(code, patient)])
    assert [paid(one.settlement) for one in (first, last)] == [[("SELF", 1_000)]] * 2
    for request, result in zip(bad, refusals, strict=True):
        with pytest.raises(errors.Refusal) as refused:
            settle(driver, code, request)
        assert result.WhichOneof("result") == "error"
        assert result.error == status_of(refused.value)
    assert counts(database)["settlements"] == 2


def test_a_repeat_gets_the_first_results_and_moves_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    requests = [bill(code, patient) for _ in range(3)]
    first = batch(driver, code, requests)
    before = counts(database)
    again = batch(driver, code, requests)
    assert [one.replayed for one in again] == [True] * 3
    assert [one.settlement for one in again] == [one.settlement for one in first]
    assert counts(database) == before


def test_the_same_request_twice_in_one_call_is_settled_once(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    request = bill(code, patient)
    other = bill(code, patient, 20, request_id=request.request_id)
    first, again, reused = batch(driver, code, [request, request, other])
    assert (first.replayed, again.replayed) == (False, True)
    assert again.settlement == first.settlement
    with pytest.raises(errors.RequestIdReused) as refused:
        settle(driver, code, other)
    assert reused.error == status_of(refused.value)
    assert counts(database)["settlements"] == 1


def test_a_request_id_means_the_same_in_a_single_call(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    one, other = bill(code, patient), bill(code, patient)
    single = settle(driver, code, one).settlement
    results = batch(driver, code, [one, other])
    assert (results[0].replayed, results[0].settlement) == (True, single)
    assert settle(driver, code, other).replayed


def test_a_till_sends_no_bill_of_another_institution(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    other = families.institution(ULANQAB)
    with pytest.raises(errors.AccessDenied):
        batch(driver, code, [bill(code, patient), bill(other, patient)])
    assert counts(database)["settlements"] == 0


def test_a_platform_settles_for_the_institutions_of_its_region_and_no_other(
    driver: Driver, families: Families
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    second, elsewhere = families.institution(ULANQAB), families.institution(HOHHOT)
    requests = [bill(one, patient) for one in (code, elsewhere, "P00000", second)]
    results = send(driver, "platform", ULANQAB, requests)
    assert [one.WhichOneof("result") for one in results] == [
        "settlement",
        "error",
        "error",
        "settlement",
    ]
    denied = status_of(errors.AccessDenied())
    assert [one.error for one in results[1:3]] == [denied, denied]


def test_a_field_that_is_wrong_is_named_with_its_place_and_nothing_is_settled(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    wrong = bill(code, patient)
    wrong.items[0].line_no = 0
    with pytest.raises(errors.InvalidField) as refused:
        batch(driver, code, [bill(code, patient), wrong])
    [violation] = refused.value.violations
    assert violation.field == "settlements[1].items[0].line_no"
    assert counts(database)["settlements"] == 0


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_a_call_has_one_to_500_bills(driver: Driver, families: Families, count: int) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    with pytest.raises(errors.InvalidField) as refused:
        batch(driver, code, [bill(code, patient)] * count)
    assert [one.field for one in refused.value.violations] == ["settlements"]


def test_a_call_has_at_most_10000_lines_in_all(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    half = [("XA01", 1, 1)] * (MOST_LINES // 2)
    requests = [basket(code, patient, half), basket(code, patient, [*half, ("XA01", 1, 1)])]
    with pytest.raises(errors.InvalidField) as refused:
        batch(driver, code, requests)
    assert [one.field for one in refused.value.violations] == ["settlements"]
    assert counts(database)["settlements"] == 0
