"""What a till sends to reconcile its day, and what it is answered."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from gongji.v1 import clearing_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain.reconciliation import Row
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.reconciliation import Books
from tests.services.driver import Driver

SERVICE = "ClearingService"
MISSING_HERE = pb.DIFFERENCE_KIND_MISSING_HERE
MISSING_THERE = pb.DIFFERENCE_KIND_MISSING_THERE
AMOUNT_DIFFERS = pb.DIFFERENCE_KIND_AMOUNT_DIFFERS


def own_row(settlement: settlement_pb2.Settlement, **fields: Any) -> pb.ReconcileRow:
    """How an institution that has it right writes a settlement down."""
    sums = settlement.breakdown
    usual = {
        "settlement_id": settlement.settlement_id,
        "request_id": settlement.request_id,
        "total_fen": sums.total_fen,
        "fund_pay_fen": sums.fund_pay_fen,
        "account_pay_fen": sums.account_pay_fen,
    }
    return pb.ReconcileRow(**{**usual, **fields})


def refund_row(
    settlement: settlement_pb2.Settlement, step: settlement_pb2.Refund, **fields: Any
) -> pb.ReconcileRow:
    """How an institution that has it right writes a refund or cancellation down."""
    sums = step.breakdown
    usual = {
        "settlement_id": settlement.settlement_id,
        "request_id": step.request_id,
        "refund": True,
        "total_fen": -sums.total_fen,
        "fund_pay_fen": -sums.fund_pay_fen,
        "account_pay_fen": -sums.account_pay_fen,
    }
    return pb.ReconcileRow(**{**usual, **fields})


def written(row: Row) -> pb.ReconcileRow:
    """A row as it is sent."""
    named = "" if row.settlement_id is None else str(row.settlement_id)
    return pb.ReconcileRow(**{**row._asdict(), "settlement_id": named})


def header(code: str, day: date, **fields: Any) -> pb.ReconcileDetailsRequest:
    """The first message."""
    usual = {"request_id": str(uuid4()), "institution_code": code, "date": date_of(day)}
    return pb.ReconcileDetailsRequest(header=pb.ReconcileHeader(**{**usual, **fields}))


def piece(*rows: pb.ReconcileRow) -> pb.ReconcileDetailsRequest:
    """A message of rows."""
    return pb.ReconcileDetailsRequest(rows=pb.ReconcileRows(rows=rows))


def pieces(
    first: pb.ReconcileDetailsRequest, rows: Sequence[pb.ReconcileRow], at_once: int = 1_000
) -> Iterable[pb.ReconcileDetailsRequest]:
    """All messages of an upload."""
    yield first
    for start in range(0, len(rows), at_once):
        yield piece(*rows[start : start + at_once])


def send(
    driver: Driver, code: str, messages: Iterable[pb.ReconcileDetailsRequest]
) -> pb.ReconcileDetailsResponse:
    """What the till of the institution is answered to these messages."""
    answer = driver.upload("pos", code, SERVICE, "ReconcileDetails", messages)
    assert isinstance(answer, pb.ReconcileDetailsResponse)
    return answer


def details(
    driver: Driver, code: str, rows: Sequence[pb.ReconcileRow], day: date | None = None
) -> pb.ReconcileDetailsResponse:
    """What the till is answered to the rows of a day, today unless told otherwise."""
    return send(driver, code, pieces(header(code, day or driver.office.today()), rows))


def totals(
    driver: Driver, code: str, day: date | None = None, insurance: Any = 0, **sums: Any
) -> pb.ReconcileTotalsResponse:
    """What the till is answered to the sums of a day."""
    request = pb.ReconcileTotalsRequest(
        institution_code=code,
        date=date_of(day or driver.office.today()),
        totals=pb.Totals(**sums),
        insurance=insurance,
    )
    answer = driver.call("pos", code, SERVICE, "ReconcileTotals", request)
    assert isinstance(answer, pb.ReconcileTotalsResponse)
    return answer


def listed(driver: Driver, role: str, subject: str, **fields: Any) -> Sequence[pb.Difference]:
    """The differences that a caller is shown, page by page to the end."""
    request, found = pb.ListDifferencesRequest(**fields), []
    while True:
        answer = driver.call(role, subject, SERVICE, "ListDifferences", request)
        found.extend(answer.differences)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def resolving(difference_id: str, **fields: Any) -> pb.ResolveDifferenceRequest:
    """That a difference was put right."""
    usual = {
        "request_id": str(uuid4()),
        "difference_id": difference_id,
        "resolution": pb.DIFFERENCE_RESOLUTION_EXPLAINED,
        "note": "已与机构核实",
    }
    return pb.ResolveDifferenceRequest(**{**usual, **fields})


def resolve(
    driver: Driver, role: str, subject: str, request: pb.ResolveDifferenceRequest, actor: str = ""
) -> pb.ResolveDifferenceResponse:
    """What a caller is answered who put a difference right."""
    answer = driver.call(role, subject, SERVICE, "ResolveDifference", request, actor=actor)
    assert isinstance(answer, pb.ResolveDifferenceResponse)
    return answer


def books(database: Database, region: str, code: str, day: date) -> Sequence[Row]:
    """The rows of an institution's day as they stand here."""
    with database.reader() as tx:
        return list(Books(tx, region, code, day))
