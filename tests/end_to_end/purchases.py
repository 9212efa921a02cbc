"""Builders of what a till sends over the wire.

Rule: a builder makes what a test names and fills in the rest; what it makes is settled as it is.
"""

from typing import Any
from uuid import uuid4

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.till import request_of

INNER_MONGOLIA, HOHHOT, ULANQAB, TIELING = "150000", "150100", "150900", "211200"
CODE = "XA01"


def at_work(database: Database) -> Families:
    """Builders on a database where what `purchase` buys has its price."""
    families = Families(database)
    families.item(INNER_MONGOLIA, CODE)
    return families


def purchase(
    code: str, patient: Made, total_fen: int = 10_000, request_id: str = "", **fields: Any
) -> pb.SettleRequest:
    """A purchase of one package at a pharmacy, now; its request_id is new if none is given."""
    return request_of(code, patient, total_fen, request_id or uuid4().hex, **fields)


def line(line_no: int, amount_fen: int = 10_000) -> pb.SettlementItem:
    """One package at its price."""
    return pb.SettlementItem(
        line_no=line_no,
        catalog_code=CODE,
        name="感冒灵颗粒",
        quantity="1",
        unit_price_yuan=f"{amount_fen // 100}.{amount_fen % 100:02d}",
        amount_fen=amount_fen,
    )
