"""While the database is away a call says so, and when to try again; it is no internal fault."""

import pytest
from google.protobuf.message import Message

from gongji.v1 import account_pb2, clearing_pb2, settlement_pb2
from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.services.applications import header, upload
from tests.services.driver import Driver

NOWHERE = "postgresql://gongji:none@127.0.0.1:1/gongji"


@pytest.mark.parametrize(
    ("service", "rpc", "request_"),
    [
        (
            "SettlementService",
            "GetSettlement",
            settlement_pb2.GetSettlementRequest(settlement_id=str(new_id("150100"))),
        ),
        (
            "AccountService",
            "GetAccount",
            account_pb2.GetAccountRequest(account_id=str(new_id("150100"))),
        ),
    ],
)
def test_a_read_says_when_to_try_again(service: str, rpc: str, request_: Message) -> None:
    driver = Driver(Database(NOWHERE))
    with pytest.raises(ServiceUnavailable) as away:
        driver.call("agency", "150100", service, rpc, request_, actor="a-1")
    assert away.value.retry_after_seconds


def test_a_command_that_reads_first_says_so_too() -> None:
    driver = Driver(Database(NOWHERE))
    request = clearing_pb2.ConfirmWindowRequest(
        request_id=str(new_id("150100")), window_id=str(new_id("150100"))
    )
    with pytest.raises(ServiceUnavailable) as away:
        driver.call("agency", "150100", "ClearingService", "ConfirmWindow", request, actor="a-1")
    assert away.value.retry_after_seconds


def test_an_upload_says_so_too() -> None:
    with pytest.raises(ServiceUnavailable) as away:
        upload(Driver(Database(NOWHERE)), new_id("150100"), header())
    assert away.value.retry_after_seconds
