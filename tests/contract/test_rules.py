"""The field rules of the contract: each bad message is refused at the field that is bad."""

from collections.abc import Callable

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from gongji.v1 import account_pb2, settlement_pb2, types_pb2
from gongji.v1.settlement_pb2 import SettleRequest
from tests.contract.descriptors import methods

SOME_ID = "018f2a00-0000-8000-8000-000000000001"
REQUESTS = {method.input_type.full_name: method.input_type for method in methods()}
VALIDATOR = protovalidate.Validator()


def purchase() -> SettleRequest:
    """A purchase of one line that keeps every rule."""
    return SettleRequest(
        request_id="till-1:0001",
        institution_code="P15010000001",
        credential=settlement_pb2.Credential(
            type=settlement_pb2.CREDENTIAL_TYPE_ID_CARD, value="150102199001010011"
        ),
        visit_type=settlement_pb2.VISIT_TYPE_PHARMACY,
        occurred_at=Timestamp(seconds=1_750_000_000),
        account_use=settlement_pb2.ACCOUNT_USE_MUTUAL_AID,
        items=[line()],
        total_fen=1000,
    )


def line(amount_fen: int = 1000) -> settlement_pb2.SettlementItem:
    return settlement_pb2.SettlementItem(
        line_no=1,
        catalog_code="XA01",
        name="维生素C片",
        quantity="1",
        unit_price_yuan="10.00",
        amount_fen=amount_fen,
    )


def buyer(number: str) -> settlement_pb2.ProxyBuyer:
    certificate = types_pb2.Certificate(type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number=number)
    return settlement_pb2.ProxyBuyer(name="王某", certificate=certificate)


def bad_fields(message: Message) -> list[str]:
    """Paths of the fields that break a rule, each once, in order."""
    violations = VALIDATOR.collect_violations(message)
    paths = (violation.proto.field for violation in violations)
    names = (".".join(step.field_name for step in path.elements) for path in paths if path)
    return list(dict.fromkeys(names))


def test_a_good_purchase_breaks_no_rule() -> None:
    assert bad_fields(purchase()) == []


@pytest.mark.parametrize("request_type", REQUESTS.values(), ids=REQUESTS)
def test_the_rules_of_every_request_compile(request_type: Descriptor) -> None:
    VALIDATOR.collect_violations(GetMessageClass(request_type)())


Change = Callable[[SettleRequest], object]

BAD_PURCHASES: list[tuple[str, str, Change]] = [
    ("request_id", "absent", lambda r: r.ClearField("request_id")),
    ("request_id", "too long", lambda r: setattr(r, "request_id", "a" * 65)),
    ("request_id", "with a blank", lambda r: setattr(r, "request_id", "a b")),
    ("request_id", "with a new line", lambda r: setattr(r, "request_id", "a\n")),
    ("institution_code", "absent", lambda r: r.ClearField("institution_code")),
    ("institution_code", "with NUL", lambda r: setattr(r, "institution_code", "P\0")),
    ("credential", "absent", lambda r: r.ClearField("credential")),
    ("credential.type", "absent", lambda r: r.credential.ClearField("type")),
    ("credential.type", "not known", lambda r: setattr(r.credential, "type", 9)),
    ("credential.value", "absent", lambda r: r.credential.ClearField("value")),
    ("credential.value", "too long", lambda r: setattr(r.credential, "value", "1" * 65)),
    ("credential.value", "full width", lambda r: setattr(r.credential, "value", "１２３")),
    ("credential.name", "with NUL", lambda r: setattr(r.credential, "name", "王\0")),
    ("insurance", "not known", lambda r: setattr(r, "insurance", 9)),
    ("insured_region", "too short", lambda r: setattr(r, "insured_region", "1501")),
    ("visit_type", "absent", lambda r: r.ClearField("visit_type")),
    ("occurred_at", "absent", lambda r: r.ClearField("occurred_at")),
    ("account_use", "absent", lambda r: r.ClearField("account_use")),
    ("account_use", "not known", lambda r: setattr(r, "account_use", 7)),
    ("items", "absent", lambda r: r.ClearField("items")),
    ("items", "too many", lambda r: r.items.extend([line()] * 10_000)),
    ("items.line_no", "zero", lambda r: setattr(r.items[0], "line_no", 0)),
    ("items.catalog_code", "absent", lambda r: r.items[0].ClearField("catalog_code")),
    ("items.name", "absent", lambda r: r.items[0].ClearField("name")),
    ("items.name", "with a tab", lambda r: setattr(r.items[0], "name", "a\tb")),
    ("items.quantity", "absent", lambda r: r.items[0].ClearField("quantity")),
    ("items.quantity", "negative", lambda r: setattr(r.items[0], "quantity", "-1")),
    ("items.quantity", "five places", lambda r: setattr(r.items[0], "quantity", "1.00001")),
    ("items.quantity", "no decimal", lambda r: setattr(r.items[0], "quantity", "1e3")),
    ("items.unit_price_yuan", "comma", lambda r: setattr(r.items[0], "unit_price_yuan", "1,5")),
    ("items.unit_price_yuan", "bare point", lambda r: setattr(r.items[0], "unit_price_yuan", "1.")),
    ("items.amount_fen", "negative", lambda r: setattr(r.items[0], "amount_fen", -1)),
    ("items.amount_fen", "too much", lambda r: setattr(r.items[0], "amount_fen", 10**12 + 1)),
    ("items.trace_codes.code", "empty", lambda r: r.items[0].trace_codes.add()),
    ("total_fen", "absent", lambda r: r.ClearField("total_fen")),
    ("total_fen", "negative", lambda r: setattr(r, "total_fen", -1)),
    ("expected_cash_pay_fen", "negative", lambda r: setattr(r, "expected_cash_pay_fen", -1)),
    ("hold_ids", "no id", lambda r: r.hold_ids.append("x")),
    ("hold_ids", "twice", lambda r: r.hold_ids.extend([SOME_ID, SOME_ID])),
    ("chosen_binding_id", "no id", lambda r: setattr(r, "chosen_binding_id", "x")),
    ("agent.certificate.number", "with a blank", lambda r: r.agent.CopyFrom(buyer("1 2"))),
    ("agent.certificate", "absent", lambda r: setattr(r.agent, "name", "王某")),
    ("disease_code", "too long", lambda r: setattr(r, "disease_code", "M" * 31)),
    ("terminal.device_no", "with NUL", lambda r: setattr(r.terminal, "device_no", "\0")),
    (
        "given_breakdown.total_fen",
        "negative",
        lambda r: setattr(r.given_breakdown, "total_fen", -1),
    ),
    ("person_id", "no id", lambda r: setattr(r, "person_id", "x")),
]


@pytest.mark.parametrize(
    ("field", "change"),
    [pytest.param(field, change, id=f"{field} {how}") for field, how, change in BAD_PURCHASES],
)
def test_a_bad_purchase_is_refused_at_the_bad_field(field: str, change: Change) -> None:
    message = purchase()
    change(message)
    assert field in bad_fields(message)
    assert {path.partition(".")[0] for path in bad_fields(message)} == {field.partition(".")[0]}


@pytest.mark.parametrize("amount_fen", [0, -1, 10**12 + 1])
def test_a_credit_is_above_zero_and_bounded(amount_fen: int) -> None:
    credit = account_pb2.CreditRequest(
        request_id="1",
        account_id=SOME_ID,
        amount_fen=amount_fen,
        kind=account_pb2.CREDIT_KIND_ALLOCATION,
    )
    assert bad_fields(credit) == ["amount_fen"]


def test_an_adjustment_may_be_negative_but_not_zero() -> None:
    taken = account_pb2.ProposeAdjustmentRequest(
        request_id="1", account_id=SOME_ID, amount_fen=-5, reason="重复划入"
    )
    assert bad_fields(taken) == []
    taken.amount_fen = 0
    assert bad_fields(taken) == ["amount_fen"]


def test_a_settlement_is_asked_for_by_one_name() -> None:
    assert VALIDATOR.collect_violations(settlement_pb2.GetSettlementRequest())
    assert not VALIDATOR.collect_violations(settlement_pb2.GetSettlementRequest(request_id="1"))


def test_a_batch_has_at_most_five_hundred_bills() -> None:
    batch = settlement_pb2.BatchSettleRequest(settlements=[purchase()] * 501)
    assert bad_fields(batch) == ["settlements"]
