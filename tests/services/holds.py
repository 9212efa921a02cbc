"""What tills, platforms and agencies send about holds, and what the database then holds of them.

Rule: a request has an id of its own unless a test names one; staff act by a named member.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from gongji.v1 import account_pb2 as pb
from gongji_svc.storage import tables
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import donor_in, relative_in
from tests.services.driver import Driver

SERVICE = "AccountService"
HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"
HOUR = timedelta(hours=1)
STAFF = "c-17"


def holding(
    account_id: object,
    beneficiary: object,
    amount_fen: int = 500,
    ttl: timedelta = HOUR,
    **fields: Any,
) -> pb.CreateHoldRequest:
    """A hold of an hour unless told otherwise."""
    usual = {"request_id": str(uuid4())}
    request = pb.CreateHoldRequest(
        account_id=str(account_id),
        beneficiary_id=str(beneficiary),
        amount_fen=amount_fen,
        **{**usual, **fields},
    )
    request.ttl.FromTimedelta(ttl)
    return request


def hold(driver: Driver, role: str, subject: object, request: pb.CreateHoldRequest) -> pb.Hold:
    """The hold that is made."""
    made = called(driver, role, subject, "CreateHold", request).hold
    assert isinstance(made, pb.Hold)
    return made


def capture(
    driver: Driver, role: str, subject: object, hold_id: object, amount_fen: int = 0, **fields: Any
) -> pb.CaptureHoldResponse:
    """The answer to a debit of an amount, of all when 0."""
    usual = {"request_id": str(uuid4()), **({"amount_fen": amount_fen} if amount_fen else {})}
    request = pb.CaptureHoldRequest(hold_id=str(hold_id), **{**usual, **fields})
    answer = called(driver, role, subject, "CaptureHold", request)
    assert isinstance(answer, pb.CaptureHoldResponse)
    return answer


def release(
    driver: Driver, role: str, subject: object, hold_id: object, **fields: Any
) -> pb.ReleaseHoldResponse:
    """The answer to a release."""
    usual = {"request_id": str(uuid4())}
    request = pb.ReleaseHoldRequest(hold_id=str(hold_id), **{**usual, **fields})
    answer = called(driver, role, subject, "ReleaseHold", request)
    assert isinstance(answer, pb.ReleaseHoldResponse)
    return answer


def get_hold(driver: Driver, role: str, subject: object, hold_id: object) -> pb.Hold:
    """A hold as the caller sees it."""
    request = pb.GetHoldRequest(hold_id=str(hold_id))
    found = called(driver, role, subject, "GetHold", request).hold
    assert isinstance(found, pb.Hold)
    return found


def list_holds(
    driver: Driver, role: str, subject: object, account_id: object, **fields: Any
) -> pb.ListHoldsResponse:
    """A page of an account's holds as the caller sees them."""
    request = pb.ListHoldsRequest(account_id=str(account_id), **fields)
    answer = called(driver, role, subject, "ListHolds", request)
    assert isinstance(answer, pb.ListHoldsResponse)
    return answer


def called(driver: Driver, role: str, subject: object, rpc: str, request: Any) -> Any:
    """The answer to any call of the service."""
    actor = STAFF if role == "agency" else ""
    return driver.call(role, subject, SERVICE, rpc, request, actor=actor)


def family(families: Families, region: str = HOHHOT, **binding: Any) -> tuple[Made, Made, UUID]:
    """A donor with 100 000 fen, a relative, and the binding between them."""
    donor, relative = donor_in(families, region), relative_in(families, region)
    return donor, relative, families.bind(donor, relative, **binding)


def move(driver: Driver, ahead: timedelta) -> None:
    """The driver's clock goes ahead."""
    driver.close()  # what is open keeps the old clock
    driver.office.clock_offset += ahead


def state_of(one: pb.Hold) -> str:
    """The name of the state."""
    return pb.HoldState.Name(one.state).removeprefix("HOLD_STATE_")


def money_of(database: Database, account_id: object) -> tuple[int, int, int]:
    """(balance, held, seq) of an account."""
    query = "SELECT balance_fen, held_fen, seq FROM accounts WHERE id = %s"
    with database.connect() as tx:
        row: Any = tx.execute(query, [str(account_id)]).fetchone()
    return row[0], row[1], row[2]


def counted(database: Database, subject: object) -> dict[str, int]:
    """What the limits count of a binding or a donor, by day; zero is left out."""
    query = "SELECT day, amount_fen FROM counters WHERE subject_id = %s AND amount_fen <> 0"
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query, [str(subject)]).fetchall()
    return {day.isoformat(): amount_fen for day, amount_fen in rows}


def trail(database: Database, hold_id: object) -> list[AuditRow]:
    """The audit records of a hold, oldest first."""
    records = tables.audit_records.c
    query = (
        select(*records)
        .where(records.subject_kind == "hold", records.subject_id == str(hold_id))
        .order_by(records.recorded_at, records.id)
    )
    with database.reader() as tx:
        return [AuditRow(*row) for row in tx.execute(query)]
