"""What a till sends, and what came of it."""

from datetime import UTC, datetime
from typing import Any

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.families import Made
from tests.services.driver import Driver

HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"


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


def asked(request: pb.SettleRequest) -> pb.PreviewSettlementRequest:
    """The same question before settling."""
    preview = pb.PreviewSettlementRequest()
    for field, value in request.ListFields():
        if field.name not in {"request_id", "expected_cash_pay_fen", "invoice_no"}:
            if field.message_type is None:
                setattr(preview, field.name, value)
            elif field.name == "items":
                preview.items.extend(value)
            else:
                getattr(preview, field.name).CopyFrom(value)
    return preview


def counts(database: Database) -> dict[str, int]:
    with database.connect() as tx:
        return {
            table: int(str((tx.execute(f"SELECT count(*) FROM {table}").fetchone() or [0])[0]))  # noqa: S608 - fixed names
            for table in ("settlements", "entries", "requests")
        }
