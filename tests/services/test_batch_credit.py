"""BatchCredit: many credits in one call, in their order, each with a result of its own."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.pipe import Answer, AnswerReader, Request
from gongji_svc.services.contract import method_of
from gongji_svc.services.status import status_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from gongji_svc.writer import Writer
from tests.families import Families
from tests.services.accounts import (
    HOHHOT,
    SERVICE,
    ULANQAB,
    account_of,
    credit,
    crediting,
    written,
)  # fmt: skip
from tests.services.driver import Driver
from tests.services.test_credit import sums

_MOST = 1_000


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def batch(driver: Driver, requests: Sequence[pb.CreditRequest]) -> Sequence[pb.BatchCreditResult]:
    """The results that the agency of Hohhot is answered."""
    request = pb.BatchCreditRequest(credits=requests)
    answer = driver.call("agency", HOHHOT, SERVICE, "BatchCredit", request)
    assert isinstance(answer, pb.BatchCreditResponse)
    assert [result.index for result in answer.results] == list(range(len(requests)))
    return answer.results


def numbered(account_id: object, count: int) -> list[pb.CreditRequest]:
    """Credits of 1 fen, 2 fen, ... to one account."""
    return [crediting(account_id, fen, request_id=f"b-{fen}") for fen in range(1, count + 1)]


def test_credits_are_booked_in_their_order_each_with_its_entry(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    results = batch(driver, numbered(owner.account_id, 5))
    assert [(one.entry.seq, one.entry.balance_after_fen) for one in results] == [
        (1, 1), (2, 3), (3, 6), (4, 10), (5, 15),
    ]  # fmt: skip
    assert [entry[2] for entry in written(database, owner.account_id)] == [1, 2, 3, 4, 5]
    assert sums(database) == []


def test_a_refused_credit_leaves_the_others_alone_and_tells_what_a_single_call_would(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    closed = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    elsewhere = families.person(ULANQAB, balance_fen=0)
    unlikely = crediting(owner.account_id, request_id="c-5")
    unlikely.occurred_at.seconds = 10**15
    named = (closed, elsewhere.account_id, new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001")
    bad = [crediting(one, request_id=f"c-{place}") for place, one in enumerate(named)]
    results = batch(driver, [crediting(owner.account_id, 7), *bad, unlikely])
    assert results[0].entry.balance_after_fen == 7
    for request, result in zip((*bad, unlikely), results[1:], strict=True):
        with pytest.raises(errors.Refusal) as refused:
            credit(driver, request)
        assert result.error == status_of(refused.value)
        assert not result.HasField("entry")
    assert [len(written(database, one)) for one in (owner.account_id, closed)] == [1, 0]


def test_a_repeat_gets_the_first_results_and_moves_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    requests = numbered(owner.account_id, 3)
    first = batch(driver, requests)
    again = batch(driver, [*requests, crediting(owner.account_id, 9, request_id="b-9")])
    assert [one.replayed for one in first] == [False] * 3
    assert [one.replayed for one in again] == [True, True, True, False]
    assert [one.entry for one in again[:3]] == [one.entry for one in first]
    assert len(written(database, owner.account_id)) == 4


def test_a_request_id_means_the_same_in_a_single_call(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    one, other = numbered(owner.account_id, 2)
    single = credit(driver, one)
    results = batch(driver, [one, other])
    assert (results[0].replayed, results[0].entry) == (True, single.entry)
    assert credit(driver, other).replayed


def test_the_same_request_twice_in_one_call_is_booked_once(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    request = crediting(owner.account_id, 5)
    first, again, other = batch(driver, [request, request, crediting(owner.account_id, 6)])
    assert (again.replayed, again.entry) == (True, first.entry)
    assert other.error == status_of(_reused("amount_fen"))
    assert len(written(database, owner.account_id)) == 1


def _reused(field: str) -> errors.Refusal:
    violation = errors.Violation(field, "与该请求编号首次提交的内容不同")
    return errors.RequestIdReused(fields=field, violations=[violation])


def test_a_field_that_is_wrong_is_named_with_its_place_and_nothing_is_booked(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    requests = [*numbered(owner.account_id, 2), crediting(owner.account_id, 0)]
    with pytest.raises(errors.InvalidField) as refused:
        batch(driver, requests)
    assert [one.field for one in refused.value.violations] == ["credits[2].amount_fen"]
    assert written(database, owner.account_id) == []


@pytest.mark.parametrize("count", [0, _MOST + 1])
def test_a_call_has_one_to_a_thousand_credits(
    driver: Driver, families: Families, count: int
) -> None:
    with pytest.raises(errors.InvalidField):
        batch(driver, numbered(new_id(HOHHOT), count))


class Front:
    """What a front sends to a writer of this process, and what it is answered."""

    def __init__(self, driver: Driver) -> None:
        self._socket, theirs = socket.socketpair()
        self._writer = threading.Thread(target=Writer(theirs, driver.office).work)
        self._writer.start()
        self._answers = AnswerReader()

    def send(self, call: int, rpc: str, request: Any) -> None:
        """Send a request of the agency of Hohhot."""
        caller, deadline = Caller(Role.AGENCY, HOHHOT), time.time() + 60
        number = method_of(SERVICE, rpc).number
        body = request.SerializeToString()
        self._socket.sendall(Request(call, number, deadline, caller, body).dump())

    def answers(self, count: int) -> dict[int, Answer]:
        """The next answers, by call."""
        found: dict[int, Answer] = {}
        while len(found) < count:
            found |= {one.call: one for one in self._answers.feed(self._socket.recv(1 << 16))}
        return found

    def hang_up(self) -> None:
        """Send no more; the writer finishes what it has."""
        self._socket.shutdown(socket.SHUT_WR)
        self._writer.join(60)
        self._socket.close()


@pytest.fixture
def front(driver: Driver) -> Iterator[Front]:
    fresh = Front(driver)
    yield fresh
    fresh.hang_up()


def test_the_writer_answers_a_call_once_with_all_its_results(
    front: Front, families: Families, database: Database
) -> None:
    first, second = (families.person(HOHHOT, balance_fen=0) for _ in range(2))
    closed = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    whole = [*numbered(first.account_id, _MOST - 1), crediting(closed, request_id="b-0")]
    front.send(1, "BatchCredit", pb.BatchCreditRequest(credits=whole))
    front.send(2, "Credit", crediting(second.account_id, request_id="s-2"))
    front.send(3, "BatchCredit", pb.BatchCreditRequest(credits=whole[:3]))
    answers = front.answers(3)
    assert [answers[call].code for call in (1, 2, 3)] == [0, 0, 0]
    results = pb.BatchCreditResponse.FromString(answers[1].body).results
    assert [one.entry.seq for one in results[:-1]] == list(range(1, _MOST))
    assert results[-1].error == status_of(errors.AccountClosed())
    again = pb.BatchCreditResponse.FromString(answers[3].body).results
    assert [one.replayed for one in again] == [True] * 3
    assert [one.entry for one in again] == [one.entry for one in results[:3]]
    assert len(written(database, first.account_id)) == _MOST - 1


def test_the_writer_answers_a_call_without_a_single_sound_credit(front: Front) -> None:
    stranger = crediting("018f2a00-0000-7000-8000-000000000001")
    front.send(1, "BatchCredit", pb.BatchCreditRequest(credits=[stranger]))
    front.send(2, "BatchCredit", pb.BatchCreditRequest())
    answers = front.answers(2)
    (result,) = pb.BatchCreditResponse.FromString(answers[1].body).results
    assert result.error == status_of(errors.AccessDenied())
    reason = Status.FromString(answers[2].body).details[0].value
    assert (answers[2].code, b"INVALID_FIELD" in reason) == (3, True)
