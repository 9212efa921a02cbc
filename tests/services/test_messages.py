"""What is said of a field that is wrong: what would be right."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from gongji.v1 import account_pb2, settlement_pb2
from gongji_svc.domain.errors import InvalidField
from gongji_svc.services import messages

CREDIT = account_pb2.CreditRequest
ADJUSTMENT = account_pb2.ProposeAdjustmentRequest
COUNT = settlement_pb2.CountSettlementsRequest
MOST_FEN = 10**12


@pytest.mark.parametrize(
    ("request_", "field", "remedy"),
    [
        (CREDIT(amount_fen=-1), "amount_fen", f"须大于0、不大于{MOST_FEN}"),
        (CREDIT(amount_fen=MOST_FEN + 1), "amount_fen", f"须大于0、不大于{MOST_FEN}"),
        (account_pb2.ListEntriesRequest(page_size=-1), "page_size", "须不小于0、不大于1000"),
        (ADJUSTMENT(amount_fen=0), "amount_fen", "不能为0"),
        (ADJUSTMENT(), "account_id", "不能为空"),
        (ADJUSTMENT(), "request_id", "不能为空"),
        (ADJUSTMENT(), "reason", "不能为空"),
        (ADJUSTMENT(account_id="x"), "account_id", "编号格式不正确"),
        (CREDIT(), "kind", "请选择有效取值"),
        (
            settlement_pb2.SettleRequest(items=[settlement_pb2.SettlementItem()]),
            "items[0].line_no",
            "须不小于1、不大于10000",
        ),
        (COUNT(stretch=Duration(seconds=1)), "stretch", "须不小于60秒、不大于86400秒"),
    ],
)
def test_a_wrong_field_is_told_what_would_be_right(
    request_: Message, field: str, remedy: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        messages.check(request_)
    assert {one.field: one.message_zh for one in refused.value.violations}[field] == remedy
