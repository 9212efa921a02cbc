"""Many tills at once, on one front and its writers."""

from collections.abc import Sequence

import grpc
import pytest

from gongji.v1 import settlement_pb2 as pb
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import ULANQAB, purchase
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service, Till
from tests.families import Families, Made


def all_of(till: Till, requests: Sequence[pb.SettleRequest]) -> list[pb.SettleResponse]:
    """Every answer, to requests sent without waiting."""
    calls = [till.begin(request) for request in requests]
    return [call.result() for call in calls]


def family(families: Families) -> Made:
    """A patient with money and two relatives who pay for the patient."""
    patient = families.person(ULANQAB, balance_fen=30_000)
    for rank, balance_fen in enumerate((50_000, 40_000), 1):
        donor = families.person(ULANQAB, balance_fen=balance_fen)
        families.bind(donor, patient, rank=rank)
    return patient


def test_sixty_settlements_on_one_family_overdraw_nobody_and_lose_nothing(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = family(families)
    before = Books.read(service.database)
    requests = [purchase(code, patient, total_fen=2_500) for _ in range(60)]
    answers = all_of(service.till(code), requests)
    Books.read(service.database).check_since(before, answers)
    # 60 x 25.00 yuan: the family's 1200.00 all went, the rest was cash.
    sums = [answer.settlement.breakdown for answer in answers]
    assert sum(one.account_pay_fen for one in sums) == 120_000
    assert sum(one.mutual_aid_pay_fen for one in sums) == 90_000
    assert sum(one.cash_pay_fen for one in sums) == 30_000


def test_twenty_repeats_of_one_request_settle_once_and_get_equal_answers(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    request = purchase(code, family(families))
    before = Books.read(service.database)
    answers = all_of(service.till(code), [request] * 20)
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    assert len({answer.settlement.SerializeToString() for answer in answers}) == 1
    Books.read(service.database).check_since(before, answers[:1])


def test_a_request_id_used_for_something_else_is_refused_naming_what_differs(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient, other = family(families), family(families)
    till = service.till(code)
    till.settle(purchase(code, patient, request_id="once"))
    again = purchase(code, other, total_fen=20_000, request_id="once")
    before = Books.read(service.database)
    with pytest.raises(grpc.RpcError) as caught:
        till.settle(again)
    refusal = refusal_of(caught.value)
    assert refusal.code is grpc.StatusCode.ALREADY_EXISTS
    assert refusal.reason == "REQUEST_ID_REUSED"
    assert refusal.fields == ["credential", "occurred_at", "items", "total_fen"]
    Books.read(service.database).check_since(before, [])
