"""A till's day over the wire: compared whole, refused in words, broken off without a trace."""

import resource
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc import StatusCode

from gongji.v1 import clearing_pb2 as pb
from gongji.v1.clearing_pb2_grpc import ClearingServiceStub
from tests.end_to_end.purchases import HOHHOT, at_work
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import Service, metadata_of, until
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


def test_what_waits_for_its_turn_to_be_read_is_hardly_held(
    start: Callable[..., Service],
) -> None:
    service = start()
    code = at_work(service.database).institution(HOHHOT)
    stub = ClearingServiceStub(service.channel)
    (front,) = service.workers.processes()
    many, before = piece(*[LONGEST] * 1_000), resident_mb(front)
    sent, looked_at = [0] * 24, threading.Event()

    def never_whole(number: int) -> Iterator[pb.ReconcileDetailsRequest]:
        yield header(code, DAY, request_id=f"waits-{number}")
        for _ in range(190):
            yield many
            sent[number] += 1
        looked_at.wait(120)

    def no_more_is_sent() -> bool:
        earlier = list(sent)
        time.sleep(1)
        return sent == earlier

    uploads = [
        stub.ReconcileDetails.future(
            never_whole(number), metadata=metadata_of("pos", code), timeout=120
        )
        for number in range(24)
    ]
    try:
        until(lambda: sent.count(190) >= 2 and no_more_is_sent(), 60)
        assert all(upload.running() for upload in uploads)
        held = resident_mb(front) - before
        assert held < 200, "two are read, of 27 MB each; of the others a window is held"
    finally:
        for upload in uploads:
            upload.cancel()
        looked_at.set()


def resident_mb(process: int) -> int:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20
