"""BatchSettle over the wire: what waited while the line was down, sent at once, and sent again.

Rule: a batch has as many bills as a call may have, and the answer fits what a client accepts.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from gongji.v1 import settlement_pb2 as pb
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from gongji_svc.domain.limits import Limits
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import CODE, ULANQAB, at_work, purchase
from tests.end_to_end.service import Service, free_address, metadata_of, until
from tests.families import Families, Made
from tests.services.credentials import code_of
from tests.services.driver import Driver
from tests.services.holds import holding
from tests.services.refunds import basket
from tests.services.till import asked, paid

MOST, MOST_LINES = 500, 10_000
_CLIENT_ACCEPTS_BYTES = 4 << 20
_SECONDS = 60.0


def batch(service: Service, code: str, requests: Sequence[pb.SettleRequest]) -> Any:
    """What a till is answered to these bills."""
    return SettlementServiceStub(service.channel).BatchSettle(
        pb.BatchSettleRequest(settlements=requests),
        metadata=metadata_of("pos", code),
        timeout=_SECONDS,
    )


def families_of(families: Families, count: int) -> list[Made]:
    """Patients with 30 yuan who each have a relative with 50."""
    patients = []
    for _ in range(count):
        patient = families.person(ULANQAB, balance_fen=3_000)
        families.bind(families.person(ULANQAB, balance_fen=5_000), patient)
        patients.append(patient)
    return patients


def receipts(results: Sequence[pb.BatchSettleResult]) -> list[pb.SettleResponse]:
    """Those of bills that were settled."""
    return [
        pb.SettleResponse(settlement=one.settlement, replayed=one.replayed)
        for one in results
        if one.HasField("settlement")
    ]


def test_five_hundred_bills_are_settled_in_order_and_sent_again_they_are_replayed(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patients = families_of(families, 10)
    requests = [purchase(code, patients[number % 10], 1 + number) for number in range(MOST)]
    before = Books.read(service.database)
    results = batch(service, code, requests).results
    assert [one.index for one in results] == list(range(MOST))
    assert [one.settlement.request_id for one in results] == [one.request_id for one in requests]
    left_fen = dict.fromkeys(map(str, patients), 3_000)
    for one in results:
        own_fen = sum(leg.amount_fen for leg in one.settlement.legs if not leg.binding_id)
        left_fen[one.settlement.person_id] -= own_fen
        assert one.settlement.own_balance_after_fen == left_fen[one.settlement.person_id]
    Books.read(service.database).check_since(before, receipts(results))
    again = batch(service, code, requests).results
    assert all(one.replayed for one in again) and not any(one.replayed for one in results)
    assert [one.settlement for one in again] == [one.settlement for one in results]
    Books.read(service.database).check_since(before, receipts(results))


def test_the_answer_to_the_longest_batch_fits_what_clients_accept(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patients = families_of(families, 10)
    lines = [(CODE, 1, 1)] * (MOST_LINES // MOST)
    requests = [basket(code, patients[number % 10], lines) for number in range(MOST)]
    for request in requests:
        for item in request.items:
            item.name = "感冒灵颗粒"
    answer = batch(service, code, requests)
    assert sum(len(one.settlement.lines) for one in answer.results) == MOST_LINES
    assert answer.ByteSize() < _CLIENT_ACCEPTS_BYTES


def test_others_buy_while_the_longest_batch_waits_for_a_lock(
    start: Callable[..., Service],
) -> None:
    service = start(limits=Limits.parse("off"))
    families = at_work(service.database)
    code, other_code = families.institution(ULANQAB), families.institution(ULANQAB)
    patient, other = (families.person(ULANQAB, balance_fen=100_000) for _ in range(2))
    lines = [(CODE, 1, 1)] * (MOST_LINES // MOST)
    requests = [basket(code, patient, lines) for _ in range(MOST)]
    for item in (item for request in requests for item in request.items):
        item.name = "感冒灵颗粒" * 2
    with ThreadPoolExecutor(1) as pool, service.database.connect() as holding_it:
        holding_it.execute("SELECT FROM persons WHERE id = %s FOR UPDATE", [patient.person_id])
        sending = pool.submit(batch, service, code, requests)
        until(lambda: waits_for_a_lock(service))
        service.till(other_code).settle(purchase(other_code, other, 200), timeout_seconds=8)
        assert not sending.done()
        holding_it.rollback()
        assert len(receipts(sending.result().results)) == MOST


def waits_for_a_lock(service: Service) -> bool:
    """Whether somebody in the service's database does."""
    with service.database.connect() as tx:
        waiting = tx.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        return waiting.fetchone() is not None


def test_refused_bills_hinder_no_other_and_duplicates_are_answered_as_replays(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patients = families_of(families, 10)
    requests = [purchase(code, patients[number % 10], 200) for number in range(MOST)]
    for request in requests[5::10]:
        request.expected_cash_pay_fen = 1
    for request in requests[7::10]:
        request.occurred_at.seconds -= 31 * 24 * 3_600
    requests[9::10] = requests[8::10]
    before = Books.read(service.database)
    results = batch(service, code, requests).results
    refused = [one.index for one in results if one.HasField("error")]
    assert refused == [number for number in range(MOST) if number % 10 in {5, 7}]
    assert {one.error.message for one in results[5::10]} != {
        one.error.message for one in results[7::10]
    }
    assert [one.index for one in results if one.replayed] == list(range(9, MOST, 10))
    assert [one.settlement for one in results[9::10]] == [one.settlement for one in results[8::10]]
    new = [one for one in receipts(results) if not one.replayed]
    Books.read(service.database).check_since(before, new)


def test_an_offline_sale_is_paid_by_what_was_held_for_it_and_by_nothing_that_went_meanwhile(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient, donor = families.person(ULANQAB), families.person(ULANQAB, balance_fen=5_000)
    families.bind(donor, patient)
    held = AccountServiceStub(service.channel).CreateHold(
        holding(donor.account_id, patient, 2_000), metadata=metadata_of("pos", code)
    )
    elsewhere = families.institution(ULANQAB)
    meanwhile = service.till(elsewhere).settle(purchase(elsewhere, patient, 9_000))
    assert paid(meanwhile.settlement) == [("DONOR", 3_000)]
    sales = [purchase(code, patient, 1_500) for _ in range(3)]
    for sale in sales[:2]:
        sale.hold_ids.append(held.hold.hold_id)
    first, second, without = batch(service, code, sales).results
    assert paid(first.settlement) == [("DONOR", 1_500)]
    assert first.settlement.legs[0].hold_id == held.hold.hold_id
    assert _reason(second) == "HOLD_CAPTURED"
    # The rest of the hold was released when it paid, and that is all there is.
    assert paid(without.settlement) == [("DONOR", 500)]


def test_a_code_that_no_till_saw_in_time_pays_no_more_and_one_that_was_seen_does(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patients = families_of(families, 4)
    earlier = Driver(service.database)
    earlier.office.clock_offset = timedelta(minutes=-2)
    requests = [purchase(code, patient, 1_000) for patient in patients]
    for request, patient in zip(requests[:2], patients, strict=False):
        show(request, code_of(earlier, patient))
        request.occurred_at.FromDatetime(earlier.office.now())
    question = asked(requests[1])
    earlier.call("pos", code, "SettlementService", "PreviewSettlement", question)
    earlier.close()
    show(requests[2], code_of(Driver(service.database), patients[2]))
    unseen, *others = batch(service, code, requests).results
    assert _reason(unseen) == "CREDENTIAL_EXPIRED"
    assert [paid(one.settlement) for one in others] == [[("SELF", 1_000)]] * 3
    assert _reason(batch(service, code, requests).results[0]) == "CREDENTIAL_EXPIRED"


def show(request: pb.SettleRequest, code: str) -> None:
    """The patient shows a one-time code instead of the card."""
    credential = pb.Credential(type=pb.CREDENTIAL_TYPE_E_CREDENTIAL, value=code)
    request.credential.CopyFrom(credential)


def _reason(result: pb.BatchSettleResult) -> str:
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in result.error.details)
    return info.reason


@pytest.mark.parametrize("settled_before", [1, 250])
def test_a_front_that_is_killed_amid_a_batch_settles_nothing_twice(
    start: Callable[..., Service], settled_before: int
) -> None:
    service = start(listen=free_address())
    families = at_work(service.database)
    code = families.institution(ULANQAB)
    patients = families_of(families, 10)
    requests = [purchase(code, patients[number % 10], 300) for number in range(MOST)]
    before = Books.read(service.database)
    (front,) = service.workers.processes()
    batch(service, code, requests[:settled_before])
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(batch, service, code, requests)
        until(lambda: settlements(service) > settled_before or sending.done(), 20)
        os.kill(front, signal.SIGKILL)
        lost = sending.exception()
    assert lost is None or (isinstance(lost, grpc.Call) and lost.code().name == "UNAVAILABLE")
    results = _sent_until_answered(service, code, requests)
    assert len(receipts(results)) == MOST
    assert all(one.replayed for one in results[:settled_before])
    assert settlements(service) == MOST
    Books.read(service.database).check_since(before, receipts(results))


def settlements(service: Service) -> int:
    with service.database.connect() as tx:
        row = tx.execute("SELECT count(*) FROM settlements").fetchone()
    assert row is not None
    return int(str(row[0]))


def _sent_until_answered(service: Service, code: str, requests: Sequence[pb.SettleRequest]) -> Any:
    """The results, once the front is there again."""
    for _ in range(200):
        try:
            return batch(service, code, requests).results
        except grpc.RpcError as failure:
            assert isinstance(failure, grpc.Call)
            assert failure.code() is grpc.StatusCode.UNAVAILABLE
            time.sleep(0.1)
    raise AssertionError("the front did not come back")
