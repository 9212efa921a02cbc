"""What a caller has left, by a clock that the test moves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji.v1 import account_pb2, binding_pb2, settlement_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import PersonNotMatched, RateLimited
from gongji_svc.domain.limits import Limits
from gongji_svc.services.buckets import Buckets
from gongji_svc.services.contract import Method, method_of
from gongji_svc.services.limits import Limiter, Standing, count_answer, count_guesses
from gongji_svc.services.weights import asks_much, items_in, weight

_SETTLE = method_of("SettlementService", "Settle")
_IDENTIFY = method_of("SettlementService", "IdentifyPatient")
_REFUND = method_of("SettlementService", "RefundSettlement")
_LIST = method_of("SettlementService", "ListSettlements")
_CREATE_BINDING = method_of("BindingService", "CreateBinding")
_BATCH_CREDIT = method_of("AccountService", "BatchCredit")
_POS, _OTHER = Caller(Role.POS, "P1"), Caller(Role.POS, "P2")
_GATEWAY = "10.0.0.1"


@dataclass(slots=True)
class Door:
    """A limiter and its clock."""

    limits: Limits
    now: float = 1000.0
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.limits, lambda: self.now)

    def call(self, caller: Caller = _POS, method: Method = _REFUND, body: bytes = b"") -> Standing:
        """A call that is over at once."""
        standing = self.limiter.enter(caller, method, body)
        self.limiter.leave(standing)
        return standing

    def wait(self, caller: Caller = _POS, method: Method = _REFUND, body: bytes = b"") -> float:
        """How long a call that is refused is told to wait."""
        with pytest.raises(RateLimited) as refused:
            self.limiter.enter(caller, method, body)
        assert refused.value.retry_after_seconds is not None
        return refused.value.retry_after_seconds

    def passed(self, caller: Caller = _POS, method: Method = _REFUND, body: bytes = b"") -> int:
        """How many calls pass at this moment."""
        for number in count():
            try:
                self.call(caller, method, body)
            except RateLimited:
                return number
        raise AssertionError


def door(**limits: int) -> Door:
    return Door(Limits(**limits))


def test_four_seconds_worth_may_come_at_once_and_then_what_the_rate_gives() -> None:
    at = door(institution_calls=10)
    assert at.passed() == 40
    at.now += 1.0
    assert at.passed() == 10


def test_who_waits_as_long_as_told_passes() -> None:
    at = door(institution_calls=10)
    at.passed()
    wait = at.wait()
    assert wait == pytest.approx(0.1)
    at.now += wait / 2
    assert at.wait() == pytest.approx(wait / 2)
    at.now += wait / 2
    at.call()


def test_nobody_pays_for_another() -> None:
    at = door(institution_calls=10, person_calls=10)
    at.passed()
    assert at.passed(_OTHER) == 40
    assert at.passed(Caller(Role.CITIZEN, "P1")) == 40


def test_behind_a_gateway_each_person_has_limits_of_their_own() -> None:
    at = door(person_calls=10)
    one, other = (Caller(Role.CITIZEN, person, origin=_GATEWAY) for person in ("a", "b"))
    at.passed(one)
    assert at.passed(other) == 40
    assert at.passed(Caller(Role.CITIZEN, "a", origin="10.0.0.2")) == 0
    clerks = [Caller(Role.COUNTER, "150100", actor) for actor in ("c-1", "c-2")]
    assert [at.passed(clerk) for clerk in clerks] == [40, 40]


@pytest.mark.parametrize("role", [Role.PLATFORM, Role.AGENCY, Role.TAX])
def test_who_acts_for_a_region_has_a_regions_limits(role: Role) -> None:
    at = door(region_calls=30, institution_calls=10, person_calls=10)
    assert at.passed(Caller(role, "150100", "a-1")) == 120


def test_no_more_calls_at_once_than_allowed() -> None:
    at = door(institution_at_once=2)
    first, _ = (at.limiter.enter(_POS, _SETTLE, b"") for _ in range(2))
    at.wait()
    at.call(_OTHER)
    at.limiter.leave(first)
    at.call()


def test_a_batch_counts_for_each_of_its_items_and_is_taken_whole() -> None:
    at = door(region_calls=100)
    agency = Caller(Role.AGENCY, "150100", "a-1")
    batch = account_pb2.BatchCreditRequest(credits=[account_pb2.CreditRequest()] * 1000)
    body = batch.SerializeToString()
    at.call(agency, _BATCH_CREDIT, body)
    assert at.wait(agency, _BATCH_CREDIT, body) == pytest.approx(6.01)


def test_a_long_request_counts_for_as_many_calls_as_it_costs() -> None:
    at = door(institution_calls=10)
    at.call(method=_SETTLE, body=bytes(1023))
    at.call(method=_SETTLE, body=bytes(59 * 1024))
    assert at.wait(method=_SETTLE) == pytest.approx(2.1)


def test_a_long_answer_counts_when_it_is_there_and_the_next_call_waits() -> None:
    at = door(institution_calls=10)
    for size in (4095, 400 * 1024):
        standing = at.call(method=_LIST)
        count_answer(standing, _LIST, b"", bytes(size))
    assert at.wait(method=_LIST) == pytest.approx(6.2)
    at.call(_OTHER, _LIST)


def test_a_person_asks_seldom_and_may_ask_for_more_at_a_time() -> None:
    at, citizen = door(person_calls=10), Caller(Role.CITIZEN, "a")
    count_answer(at.call(citizen, _LIST), _LIST, b"", bytes(4096 * 16 * 30))
    assert at.passed(citizen, _LIST) == 10


def test_a_batch_weighs_by_its_bytes_where_those_are_more_than_its_items() -> None:
    one = account_pb2.CreditRequest(memo="备" * 1000)
    few = account_pb2.BatchCreditRequest(credits=[one] * 10).SerializeToString()
    assert weight(_BATCH_CREDIT, few) == len(few) // 1024 == 29
    assert weight(_BATCH_CREDIT, few, bytes(4096 * 5)) == 34
    many = account_pb2.BatchCreditRequest(credits=[account_pb2.CreditRequest()] * 100)
    assert weight(_BATCH_CREDIT, many.SerializeToString(), bytes(4096 * 99)) == 100


@pytest.mark.parametrize(("rows", "much"), [(0, False), (200, False), (201, True), (-1, False)])
def test_a_long_page_is_known_before_it_is_read(rows: int, much: bool) -> None:
    request = settlement_pb2.ListSettlementsRequest(page_size=rows)
    assert asks_much(_LIST, request.SerializeToString()) is much


def test_what_is_no_request_for_a_page_is_none() -> None:
    assert not asks_much(_LIST, b"\xff")
    assert not asks_much(_SETTLE, b"")


def test_what_is_nobodys_counts_for_its_address() -> None:
    at = door(address_calls=5)
    for _ in range(20):
        at.limiter.enter_unnamed("10.0.0.7")
    with pytest.raises(RateLimited) as refused:
        at.limiter.enter_unnamed("10.0.0.7")
    assert refused.value.retry_after_seconds == pytest.approx(0.2)
    at.limiter.enter_unnamed("10.0.0.8")
    at.call(Caller(Role.POS, "P1", origin="10.0.0.7"))
    at.now += 0.2
    at.limiter.enter_unnamed("10.0.0.7")


def test_who_asks_once_a_second_is_never_refused() -> None:
    at = Door(Limits())
    for _ in range(1000):
        at.limiter.enter_unnamed("10.0.0.7")
        at.now += 1.0


def test_identifying_has_a_limit_of_its_own() -> None:
    at = door(identifications=60)
    assert at.passed(method=_IDENTIFY) == 60
    at.call(method=_SETTLE)
    at.now += at.wait(method=_IDENTIFY)
    at.call(method=_IDENTIFY)


def test_who_guesses_cards_names_nobody_for_a_while_and_goes_on_otherwise() -> None:
    at = door(guesses=3)
    for _ in range(3):
        count_guesses(at.call(method=_SETTLE), PersonNotMatched().reason.encode())
    for method in (_SETTLE, _IDENTIFY, method_of("SettlementService", "BatchSettle")):
        assert at.wait(method=method) == pytest.approx(20)
    at.call(method=_REFUND)
    at.call(_OTHER, _SETTLE)
    at.now += 20
    at.call(method=_SETTLE)


def test_a_batch_of_guesses_counts_for_each() -> None:
    at = door(guesses=10)
    count_guesses(at.call(method=_SETTLE), b"...PERSON_NOT_MATCHED..." * 500)
    assert at.wait(method=_SETTLE) == pytest.approx(491 * 6)


def test_bindings_that_are_only_checked_have_a_limit_of_their_own() -> None:
    at = door(checks=5, person_calls=100)
    citizen = Caller(Role.CITIZEN, "a")
    only_checked = binding_pb2.CreateBindingRequest(validate_only=True).SerializeToString()
    assert at.passed(citizen, _CREATE_BINDING, only_checked) == 5
    at.call(citizen, _CREATE_BINDING, b"")
    at.call(citizen, _CREATE_BINDING, b"\xff")


def test_zero_is_no_limit() -> None:
    at = Door(Limits.parse("off"))
    for _ in range(2000):
        at.limiter.enter(_POS, _IDENTIFY, bytes(100_000))
        at.limiter.enter_unnamed("10.0.0.7")


def test_callers_without_number_fill_no_memory_and_free_nobody_under_way() -> None:
    at = door(institution_at_once=1)
    at.limiter.enter(_POS, _SETTLE, b"")
    for number in range(100_000):
        at.call(Caller(Role.POS, f"Q{number}"))
    assert len(at.limiter) <= 40_000
    at.wait()


def test_keys_without_number_fill_no_memory() -> None:
    buckets = Buckets(1, 1)
    for number in range(100_000):
        buckets.take(number)
    assert len(buckets) == 20_000


def test_limits_are_written_by_name() -> None:
    limits = Limits.parse("previews=60, person_calls=0")
    assert limits == Limits(previews=60, person_calls=0)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("preview=1", "'preview' is no limit: write off, or NAME=NUMBER with institution_calls"),
        ("previews", "previews: '' is no number: write one, 0 for no limit"),
        ("previews=-1", "previews: '-1' is no number"),
        ("previews=1.5", "previews: '1.5' is no number"),
        ("previews=1,person_calls=2,previews=3", "previews is given twice: write it once"),
        ("off,previews=1", "'off' is no limit"),
    ],
)
def test_a_limit_that_is_none_is_told_with_the_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy.replace("'", ".")):
        Limits.parse(text)


def _requests() -> Iterator[settlement_pb2.BatchSettleRequest]:
    for size in (0, 1, 7, 500):
        one = settlement_pb2.SettleRequest(request_id="r" * size, total_fen=size)
        yield settlement_pb2.BatchSettleRequest(settlements=[one] * size)


def test_items_are_counted_without_reading_them() -> None:
    field_number = settlement_pb2.BatchSettleRequest.DESCRIPTOR.fields[0].number
    for request in _requests():
        body = request.SerializeToString()
        assert items_in(body, field_number) == len(request.settlements)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_request_are_counted_without_a_fault(body: bytes) -> None:
    assert 0 <= items_in(body, 1) <= 200
