"""Settle, its preview and what becomes of it, called as a till calls them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.families import LAPSED, Families, Made
from tests.services.driver import Driver

HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def request_of(
    code: str, patient: Made, total_fen: int = 10_000, request_id: str = "r-1", **fields: Any
) -> pb.SettleRequest:
    """A purchase of one unknown-to-nobody item at one price."""
    request = pb.SettleRequest(
        request_id=request_id,
        institution_code=code,
        credential=pb.Credential(
            type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=patient.card_no, name=patient.name
        ),
        visit_type=pb.VISIT_TYPE_PHARMACY,
        account_use=pb.ACCOUNT_USE_MUTUAL_AID,
        items=[
            pb.SettlementItem(
                line_no=1,
                catalog_code="XA01",
                name="感冒灵颗粒",
                quantity="1",
                unit_price_yuan=f"{total_fen // 100}.{total_fen % 100:02d}",
                amount_fen=total_fen,
            )
        ],
        total_fen=total_fen,
    )
    request.occurred_at.FromDatetime(datetime.now(UTC))
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def settle(driver: Driver, code: str, request: pb.SettleRequest) -> pb.SettleResponse:
    answer = driver.call("pos", code, "SettlementService", "Settle", request)
    assert isinstance(answer, pb.SettleResponse)
    return answer


def paid(settlement: pb.Settlement) -> list[tuple[str, int]]:
    return [
        (pb.AccountOwner.Name(leg.account_owner).removeprefix("ACCOUNT_OWNER_"), leg.amount_fen)
        for leg in settlement.legs
    ]


@pytest.mark.requirement("ULQ-11", "ULQ-12", "ULQ-07", "HOH-06")
def test_own_money_pays_first_then_relatives_in_order_then_cash(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=5_000, insurance=Insurance.EMPLOYEE)
    second = families.person(ULANQAB, balance_fen=2_000)
    first = families.person(ULANQAB, balance_fen=1_000)
    families.bind(second, patient, rank=2)
    families.bind(first, patient, rank=1)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert paid(settlement) == [("SELF", 5_000), ("DONOR", 1_000), ("DONOR", 2_000)]
    assert settlement.breakdown.account_pay_fen == 8_000
    assert settlement.breakdown.mutual_aid_pay_fen == 3_000
    assert settlement.breakdown.cash_pay_fen == 2_000
    assert settlement.own_balance_after_fen == 0
