"""What tills send to give back and to cancel, and what the database then holds.

Rule: a request has an id of its own unless a test names one.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.till import request_of

SERVICE = "SettlementService"
Priced = tuple[str, int, int]
"""A line of a bill: catalogue code, whole quantity, price of one in yuan."""


def basket(code: str, patient: Made, lines: Sequence[Priced], **fields: Any) -> pb.SettleRequest:
    """A purchase of some lines, numbered from 1."""
    usual = {"request_id": str(uuid4())}
    request = request_of(code, patient, **{**usual, **fields})
    del request.items[:]
    for number, (item, quantity, yuan) in enumerate(lines, 1):
        request.items.add(
            line_no=number,
            catalog_code=item,
            name=item,
            quantity=str(quantity),
            unit_price_yuan=str(yuan),
            amount_fen=quantity * yuan * 100,
        )
    request.total_fen = sum(line.amount_fen for line in request.items)
    return request


def refunding(
    settlement: pb.Settlement, *lines: tuple[int, str], **fields: Any
) -> pb.RefundSettlementRequest:
    """A return of lines, by number and quantity; none: all that is left."""
    usual = {"request_id": str(uuid4()), "settlement_id": settlement.settlement_id}
    return pb.RefundSettlementRequest(
        lines=[pb.RefundLine(line_no=number, quantity=quantity) for number, quantity in lines],
        **{**usual, **fields},
    )


def refund(
    driver: Driver, settlement: pb.Settlement, *lines: tuple[int, str], **fields: Any
) -> pb.RefundSettlementResponse:
    """What the till of the settlement is answered to a return."""
    request = refunding(settlement, *lines, **fields)
    return send_refund(driver, "pos", settlement.institution_code, request)


def send_refund(
    driver: Driver, role: str, subject: str, request: pb.RefundSettlementRequest
) -> pb.RefundSettlementResponse:
    """What any caller is answered to a return."""
    answer = driver.call(role, subject, SERVICE, "RefundSettlement", request)
    assert isinstance(answer, pb.RefundSettlementResponse)
    return answer


def cancelling(original: str, **fields: Any) -> pb.CancelSettlementRequest:
    """A cancellation of what that request has settled, or was to settle."""
    usual = {"request_id": str(uuid4())}
    return pb.CancelSettlementRequest(original_request_id=original, **{**usual, **fields})


def cancel(driver: Driver, code: str, original: str, **fields: Any) -> pb.CancelSettlementResponse:
    """What a till is answered to a cancellation."""
    return send_cancel(driver, "pos", code, cancelling(original, **fields))


def send_cancel(
    driver: Driver, role: str, subject: str, request: pb.CancelSettlementRequest
) -> pb.CancelSettlementResponse:
    """What any caller is answered to a cancellation."""
    answer = driver.call(role, subject, SERVICE, "CancelSettlement", request)
    assert isinstance(answer, pb.CancelSettlementResponse)
    return answer


def read(
    driver: Driver, settlement: pb.Settlement, role: str = "pos", subject: object = ""
) -> pb.Settlement:
    """A settlement as a caller sees it, its till unless told otherwise."""
    request = pb.GetSettlementRequest(settlement_id=settlement.settlement_id)
    who = subject or settlement.institution_code
    found = driver.call(role, who, SERVICE, "GetSettlement", request).settlement
    assert isinstance(found, pb.Settlement)
    return found


def state_of(settlement: pb.Settlement) -> str:
    """The name of its state."""
    return pb.SettlementState.Name(settlement.state).removeprefix("SETTLEMENT_STATE_")


def given_back(step: pb.Refund) -> tuple[list[int], int, int]:
    """What a step gives back: to each account, to the fund, in cash."""
    legs = [leg.amount_fen for leg in step.legs]
    return legs, step.breakdown.fund_pay_fen, step.breakdown.cash_pay_fen


def family_of_three(families: Families, region: str) -> tuple[Made, Made, str]:
    """A patient with 50 yuan, a donor with 80, and a pharmacy; 20 pieces at 10 yuan are personal
    200 = own 50 + donor 80 + cash 70.
    """
    families.item(region, "XA01")
    patient = families.person(region, balance_fen=5_000)
    donor = families.person(region, balance_fen=8_000)
    families.bind(donor, patient)
    return patient, donor, families.institution(region)


def counted(database: Database, subject: object) -> dict[tuple[str, str], int]:
    """What is counted of a person or binding, by kind and day; zero is left out."""
    query = "SELECT kind, day, amount_fen FROM counters WHERE subject_id = %s AND amount_fen <> 0"
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query, [str(subject)]).fetchall()
    return {(kind, day.isoformat()): amount_fen for kind, day, amount_fen in rows}


def books_of(database: Database) -> dict[tuple[str, str, str], int]:
    """What stands in each region's books, by side and counterparty, fen; zero is left out."""
    sums: Counter[tuple[str, str, str]] = Counter()
    query = "SELECT region, side, counterparty, amount_fen FROM ledger_lines"
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query).fetchall()
    for region, side, counterparty, amount_fen in rows:
        sums[region, side, counterparty] += amount_fen
    return {line: fen for line, fen in sums.items() if fen}
