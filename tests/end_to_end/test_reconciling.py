"""A till's day over the wire: compared whole, refused in words, broken off without a trace."""

import resource
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc import StatusCode

from gongji.v1 import clearing_pb2 as pb
from gongji.v1.clearing_pb2_grpc import ClearingServiceStub
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import Service, metadata_of
from tests.families import Families
from tests.services.reconciling import header, piece, pieces

DAY = date(2025, 5, 6)
# As long as rows can be.
LONGEST = pb.ReconcileRow(
    settlement_id=str(uuid4()),
    request_id="x" * 64,
    refund=True,
    total_fen=-1,
    fund_pay_fen=-1,
    account_pay_fen=-1,
)


@pytest.fixture
def code(families: Families) -> str:
    return families.institution(HOHHOT)


def send(
    service: Service, code: str, messages: Iterable[Any], timeout: float = 30
) -> pb.ReconcileDetailsResponse:
    return ClearingServiceStub(service.channel).ReconcileDetails(
        iter(messages), metadata=metadata_of("pos", code), timeout=timeout
    )


def refused(service: Service, code: str, messages: Iterable[Any]) -> Refusal:
    with pytest.raises(grpc.RpcError) as caught:
        send(service, code, messages)
    return refusal_of(caught.value)


def listed(service: Service, code: str) -> int:
    """How many differences the till is shown."""
    answer = ClearingServiceStub(service.channel).ListDifferences(
        pb.ListDifferencesRequest(page_size=1_000), metadata=metadata_of("pos", code), timeout=30
    )
    return len(answer.differences)


def test_a_day_is_compared_and_a_repeat_is_answered(service: Service, code: str) -> None:
    first, rows = header(code, DAY), [LONGEST] * 3
    answer = send(service, code, pieces(first, rows))
    assert (answer.difference_count, answer.replayed) == (3, False)
    assert send(service, code, pieces(first, rows)).replayed
    assert listed(service, code) == 3


def test_rows_before_the_header_are_refused_in_words(service: Service, code: str) -> None:
    refusal = refused(service, code, [piece(LONGEST)])
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refused(service, code, [header("P-1", DAY)]).reason == "ACCESS_DENIED"


def test_more_than_there_may_be_is_refused_before_it_is_all_held(
    service: Service, code: str
) -> None:
    many = piece(*[LONGEST] * 1_000)
    refusal = refused(service, code, [header(code, DAY), *[many] * 400])
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert listed(service, code) == 0


def test_a_client_that_breaks_off_leaves_nothing(service: Service, code: str) -> None:
    def broken() -> Iterator[pb.ReconcileDetailsRequest]:
        yield header(code, DAY)
        yield piece(LONGEST)
        raise RuntimeError("the client is gone")

    with pytest.raises(grpc.RpcError):
        send(service, code, broken())
    assert listed(service, code) == 0


def test_what_waits_for_its_turn_to_be_read_is_hardly_held(service: Service, code: str) -> None:
    (front,) = service.workers.processes()
    many, before = piece(*[LONGEST] * 1_000), resident_mb(front)

    def send_all(number: int) -> StatusCode:
        first = header(code, DAY, request_id=f"waits-{number}")
        with pytest.raises(grpc.RpcError) as caught:
            send(service, code, [first, *[many] * 190], timeout=5)
        return caught.value.code()

    with ThreadPoolExecutor(24) as clients:
        answers = [clients.submit(send_all, number) for number in range(24)]
        most = before
        while not all(answer.done() for answer in answers):
            most = max(most, resident_mb(front))
            time.sleep(0.1)
    assert {answer.result() for answer in answers} == {StatusCode.DEADLINE_EXCEEDED}
    assert most - before < 200, "two are read, of 27 MB each; of the others a window is held"


def resident_mb(process: int) -> int:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20
