"""Builders of what a till sends.

Rule: a builder makes what a test names and fills in the rest; what it makes is settled as it is.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.families import Families, Made

INNER_MONGOLIA, HOHHOT, ULANQAB = "150000", "150100", "150900"
TIELING = "211200"
CODE = "XA01"


def item(line_no: int = 1, amount_fen: int = 10_000, **fields: Any) -> pb.SettlementItem:
    """One package at its price."""
    made = pb.SettlementItem(
        line_no=line_no,
        catalog_code=CODE,
        name="感冒灵颗粒",
        quantity="1",
        unit_price_yuan=f"{amount_fen // 100}.{amount_fen % 100:02d}",
        amount_fen=amount_fen,
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def purchase(
    code: str, patient: Made, total_fen: int = 10_000, request_id: str = "", **fields: Any
) -> pb.SettleRequest:
    """A purchase of one package at a pharmacy, now; with a request_id of its own if none is given."""
    request = pb.SettleRequest(
        request_id=request_id or uuid4().hex,
        institution_code=code,
        credential=pb.Credential(
            type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=patient.card_no, name=patient.name
        ),
        visit_type=pb.VISIT_TYPE_PHARMACY,
        account_use=pb.ACCOUNT_USE_MUTUAL_AID,
        items=[item(amount_fen=total_fen)],
        total_fen=total_fen,
    )
    request.occurred_at.FromDatetime(datetime.now(UTC))
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def at_work(database: Database) -> Families:
    """Builders on a database where what `item` sells has its price."""
    families = Families(database)
    families.item(INNER_MONGOLIA, CODE)
    return families
