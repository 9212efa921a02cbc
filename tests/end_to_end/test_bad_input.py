"""Settle with every field wrong in turn.

Rule: each is refused by name, nothing is written, and the service lives on.
"""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from gongji.v1 import settlement_pb2 as pb
from tests.end_to_end.counter import Counter
from tests.end_to_end.purchases import line
from tests.end_to_end.spoiling import ABSENT, complete, spoil

_NUL = "a\0b"
_TOO_MUCH_FEN = 10**12 + 1
_BAD_AMOUNTS = (-1, _TOO_MUCH_FEN)
_BAD_DECIMALS = (
    ABSENT, "-1", "+1", "1.", ".5", "1,5", "1e3", "0x1", " 1", "1 ", "1\n", "NaN", "Infinity",
    "一", "١", "1\0", "1.0000001", "1" * 13,
)  # fmt: skip
_BAD_DATES = (Date(year=2025, month=2, day=30), Date(year=2025, month=13, day=1), Date(year=-1))
_NO_MOMENTS = (
    ABSENT,
    Timestamp(seconds=253_402_300_800),
    Timestamp(seconds=-62_135_596_801),
    Timestamp(seconds=2**63 - 1),
    Timestamp(seconds=-(2**63)),
    Timestamp(seconds=1_700_000_000, nanos=-1),
    Timestamp(seconds=1_700_000_000, nanos=10**9),
    Timestamp(seconds=253_402_300_799),  # a moment in UTC, but no day in Shanghai
)
_HOLD = "5f0a3c7e-0000-8000-8000-000000000001"

WRONG: dict[str, tuple[Any, ...]] = {
    "request_id": (ABSENT, "x" * 65, "a b", "编号", _NUL, "r-1\n"),
    "institution_code": (ABSENT, "x" * 31, "a b", _NUL, "P1\n"),
    "credential": (ABSENT,),
    "credential.type": (ABSENT, 99, -1),
    "credential.value": (ABSENT, "x" * 65, "a b", "卡", _NUL, "K1\n"),
    "credential.name": ("王" * 51, _NUL),
    "insurance": (99, -1),
    "insured_region": ("15010", "1501000", "15010x", _NUL, "150100\n"),
    "visit_type": (ABSENT, 99, -1),
    "occurred_at": _NO_MOMENTS,
    "account_use": (ABSENT, 99, -1),
    "items": (ABSENT, [line(1)] * 10_001),
    "items[0].line_no": (ABSENT, -1, 10_001),
    "items[0].catalog_code": (ABSENT, "x" * 51, "a b", "药", _NUL, "X1\n"),
    "items[0].name": (ABSENT, "药" * 201, _NUL),
    "items[0].quantity": (*_BAD_DECIMALS, "1.00000", "0", "0.0000"),
    "items[0].unit_price_yuan": _BAD_DECIMALS,
    "items[0].amount_fen": _BAD_AMOUNTS,
    "items[0].trace_codes": ([pb.TraceCode(code=str(number)) for number in range(1001)],),
    "items[0].trace_codes[0].code": (ABSENT, "x" * 101, "a b", _NUL),
    "items[0].own_code": ("x" * 151, _NUL),
    "items[1].line_no": (1,),
    "total_fen": (ABSENT, *_BAD_AMOUNTS),
    "expected_cash_pay_fen": _BAD_AMOUNTS,
    "hold_ids": ([str(uuid4()) for _ in range(21)], [_HOLD, _HOLD]),
    "hold_ids[0]": ("hold", _NUL),
    "chosen_binding_id": ("binding", _NUL, "x" * 100),
    "agent.name": (ABSENT, "李" * 51, _NUL),
    "agent.certificate": (ABSENT,),
    "agent.certificate.type": (ABSENT, 99, -1),
    "agent.certificate.number": (ABSENT, "x" * 51, "a b", _NUL),
    "agent.phone": ("1" * 21, "phone", _NUL),
    "prescription.prescription_no": (ABSENT, "x" * 65, "a b", _NUL),
    "prescription.institution_code": ("x" * 31, "a b", _NUL),
    "prescription.doctor_code": ("x" * 31, "a b", _NUL),
    "prescription.doctor_name": ("张" * 51, _NUL),
    "prescription.prescribed_on": _BAD_DATES,
    "disease_code": ("x" * 31, "a b", _NUL),
    "terminal.device_no": ("x" * 101, _NUL),
    "terminal.operator": ("收" * 31, _NUL),
    "person_id": ("person", _NUL),
    "invoice_no": ("x" * 21, "a b", _NUL),
}  # fmt: skip


def wrong_fields() -> list[Any]:
    return [
        pytest.param(path, value, id=f"{path}: {_shown(value)}")
        for path, values in WRONG.items()
        for value in values
    ]


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = f"{len(value)} of them" if isinstance(value, list) else ascii(value)
    return " ".join(text.split())[:24]


@pytest.mark.parametrize(("path", "value"), wrong_fields())
def test_a_wrong_field_is_named_and_nothing_is_written(
    counter: Counter, path: str, value: Any
) -> None:
    request = complete(counter.code, counter.patient)
    if path.startswith("items[1]"):
        request.items.append(line(2))
        request.total_fen += line(2).amount_fen
    spoil(request, path, value)
    refusal = counter.refused(request.SerializeToString())
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields == [path]


def test_a_complete_request_is_settled(counter: Counter) -> None:
    answer = counter.till.settle(complete(counter.code, counter.patient))
    assert answer.settlement.breakdown.total_fen == 10_000
    assert answer.settlement.agent.name == "李**"


def test_ten_thousand_lines_are_settled(counter: Counter) -> None:
    request = complete(counter.code, counter.patient)
    spoil(request, "items", [line(number, amount_fen=1) for number in range(1, 10_001)])
    answer = counter.till.settle(request)
    assert len(answer.settlement.lines) == 10_000


def test_of_very_many_wrong_fields_the_first_are_named(counter: Counter) -> None:
    """All of them would not fit into what a client takes for a header."""
    request = complete(counter.code, counter.patient)
    spoil(request, "items", [pb.SettlementItem(line_no=1)] * 10_000)
    refusal = counter.refused(request.SerializeToString())
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields[:2] == ["items[0].catalog_code", "items[0].name"]
    assert len(refusal.fields) == 20


def test_an_empty_request_is_told_all_it_lacks(counter: Counter) -> None:
    refusal = counter.refused(b"")
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields == [
        "request_id",
        "institution_code",
        "credential",
        "visit_type",
        "occurred_at",
        "account_use",
        "items",
        "total_fen",
    ]


_CUT_SHORT = b"\x0a\x40r-1"
_NO_SUCH_WIRE_TYPE = b"\x0f\x01"
_ENDLESS_GROUPS = b"\x0b" * 100_000
_LINES_OF_RUBBISH = b"\x4a\x02\xff\xff"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * 100,
        _CUT_SHORT,
        _NO_SUCH_WIRE_TYPE,
        _ENDLESS_GROUPS,
        _LINES_OF_RUBBISH,
        b'{"request_id": "r-1"}',
    ],
    ids=lambda body: ascii(body)[:20],
)
def test_bytes_that_are_no_request_are_refused(counter: Counter, body: bytes) -> None:
    refusal = counter.refused(body)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    "path",
    ["request_id", "credential.name", "items[0].name", "agent.name", "terminal.operator"],
)
def test_text_that_is_not_utf_8_is_refused(counter: Counter, path: str) -> None:
    request = complete(counter.code, counter.patient)
    spoil(request, path, "mark")
    body = request.SerializeToString()
    assert body.count(b"mark") == 1
    refusal = counter.refused(body.replace(b"mark", b"\xe7\x8e\xff\xc0"))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "MALFORMED_REQUEST"


def test_a_message_too_large_is_not_taken(counter: Counter) -> None:
    before = counter.rows()
    with pytest.raises(grpc.RpcError) as caught:
        counter.till.send(b"\x4a\x00" * (3 << 20))
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert counter.rows() == before
    counter.sell()
