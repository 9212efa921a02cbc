"""Purchases that look suspicious, the signals they raise, and what the agency makes of those."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.risk import RiskKind, Signal
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.risk import signal_from
from gongji_svc.upkeep.risks import find_risks
from tests.families import Families, Made
from tests.services.credentials import SERVICE, now_at
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.till import HOHHOT, request_of, settle

CLERK = "a-1"
REASON = "已电话核实"
_LATER = timedelta(seconds=10)


def rule(threshold: int, action: str = "ADVISE", **more: int) -> dict[str, object]:
    """A rule as a region's file states it."""
    return {"threshold": threshold, "action": action, **more}


def pair(families: Families, balance_fen: int = 900_000) -> tuple[Made, Made]:
    """A parent with money, and the child the parent pays for."""
    parent = families.person(HOHHOT, balance_fen=balance_fen)
    return parent, child_of(families, parent)


def child_of(families: Families, parent: Made) -> Made:
    """One more child for whom a parent pays."""
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    families.bind(parent, child)
    return child


def purchase(
    driver: Driver, code: str, patient: Made, total_fen: int = 1000, **fields: Any
) -> pb.SettleRequest:
    """A purchase now by the driver's clock, with a request id of its own."""
    request = request_of(code, patient, total_fen, f"r-{uuid4()}")
    now_at(driver, request)
    trace_codes = fields.pop("trace_codes", ())
    for name, value in fields.items():
        setattr(request, name, value)
    for trace_code in trace_codes:
        request.items[0].trace_codes.add(code=trace_code)
    return request


def buy(
    driver: Driver, code: str, patient: Made, total_fen: int = 1000, **fields: Any
) -> pb.Settlement:
    """A purchase that is settled."""
    return settle(driver, code, purchase(driver, code, patient, total_fen, **fields)).settlement


def looked(driver: Driver) -> int:
    """The worker looks at all there is, a little later; at how many settlements."""
    move(driver, _LATER)
    done = 0
    while some := find_risks(driver.office):
        done += some
    return done


def signals(database: Database, kind: RiskKind | None = None) -> list[Signal]:
    """The signals there are, oldest first."""
    query = select(*tables.risk_signals.c).order_by(tables.risk_signals.c.recorded_at)
    with database.reader() as tx:
        found = [signal_from(tuple(row)) for row in tx.execute(query)]
    return [one for one in found if kind in (None, one.kind)]


def listed(driver: Driver, agency: str = HOHHOT, **fields: Any) -> pb.ListRiskSignalsResponse:
    """What the agency is shown."""
    request = pb.ListRiskSignalsRequest(**{"region": agency, **fields})
    answer = driver.call("agency", agency, SERVICE, "ListRiskSignals", request)
    assert isinstance(answer, pb.ListRiskSignalsResponse)
    return answer


def resolve(
    driver: Driver, signal_id: object, agency: str = HOHHOT, **fields: Any
) -> pb.ResolveRiskSignalResponse:
    """The answer to the agency that decides: it releases, unless it says otherwise."""
    request = pb.ResolveRiskSignalRequest(
        **{
            "request_id": str(uuid4()),
            "signal_id": str(signal_id),
            "resolution": pb.RISK_RESOLUTION_RELEASE,
            "reason": REASON,
            **fields,
        }
    )
    answer = driver.call("agency", agency, SERVICE, "ResolveRiskSignal", request, actor=CLERK)
    assert isinstance(answer, pb.ResolveRiskSignalResponse)
    return answer
