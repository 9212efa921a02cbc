"""What an agency does to accounts beside crediting them, and what the database then holds.

Rule: a request has an id of its own unless a test names one; staff act by a named member.
"""

from typing import Any
from uuid import UUID, uuid4

from google.protobuf.message import Message
from sqlalchemy import select

from gongji.v1 import account_pb2 as pb
from gongji_svc.storage import tables
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.database import Database
from gongji_svc.storage.state import AccountRow
from tests.services.accounts import HOHHOT, SERVICE
from tests.services.driver import Driver

CLERK, CHIEF = "a-1", "a-2"
REASON = "核对后办理"


def ask(driver: Driver, rpc: str, request: Any, *, agency: str = HOHHOT, actor: str = CLERK) -> Any:
    """What the agency is answered."""
    request.request_id = request.request_id or str(uuid4())
    return driver.call("agency", agency, SERVICE, rpc, request, actor=actor)


def freeze(driver: Driver, account_id: object, agency: str = HOHHOT, **fields: Any) -> Any:
    """The answer to FreezeAccount."""
    request = pb.FreezeAccountRequest(account_id=str(account_id), **{"reason": REASON, **fields})
    return ask(driver, "FreezeAccount", request, agency=agency)


def unfreeze(driver: Driver, account_id: object, agency: str = HOHHOT, **fields: Any) -> Any:
    """The answer to UnfreezeAccount."""
    request = pb.UnfreezeAccountRequest(account_id=str(account_id), **{"reason": REASON, **fields})
    return ask(driver, "UnfreezeAccount", request, agency=agency)


def close(
    driver: Driver, account_id: object, to: object = "", agency: str = HOHHOT, **fields: Any
) -> pb.CloseAccountResponse:
    """The answer to CloseAccount."""
    request = pb.CloseAccountRequest(
        account_id=str(account_id),
        transfer_to_account_id=str(to),
        **{"reason": REASON, **fields},
    )
    answer = ask(driver, "CloseAccount", request, agency=agency)
    assert isinstance(answer, pb.CloseAccountResponse)
    return answer


def propose(
    driver: Driver,
    account_id: object,
    amount_fen: int = 500,
    *,
    agency: str = HOHHOT,
    actor: str = CLERK,
    **fields: Any,
) -> pb.Adjustment:
    """A correction that waits for a second person."""
    request = pb.ProposeAdjustmentRequest(
        account_id=str(account_id), amount_fen=amount_fen, **{"reason": REASON, **fields}
    )
    answer = ask(driver, "ProposeAdjustment", request, agency=agency, actor=actor)
    adjustment = answer.adjustment
    assert isinstance(adjustment, pb.Adjustment)
    return adjustment


def decide(
    driver: Driver,
    adjustment_id: str,
    decision: str = "APPROVE",
    *,
    agency: str = HOHHOT,
    actor: str = CHIEF,
    **fields: Any,
) -> pb.DecideAdjustmentResponse:
    """The answer to a decision, by another person than `propose` unless told otherwise."""
    number = pb.AdjustmentDecision.Value(f"ADJUSTMENT_DECISION_{decision}")
    request = pb.DecideAdjustmentRequest(adjustment_id=adjustment_id, decision=number, **fields)
    answer = ask(driver, "DecideAdjustment", request, agency=agency, actor=actor)
    assert isinstance(answer, pb.DecideAdjustmentResponse)
    return answer


def resolve(
    driver: Driver, suspense_id: object, agency: str = HOHHOT, **fields: Any
) -> pb.ResolveSuspenseResponse:
    """The answer to ResolveSuspense; a destination is of `fields`."""
    request = pb.ResolveSuspenseRequest(
        suspense_id=str(suspense_id), **{"reason": REASON, **fields}
    )
    answer = ask(driver, "ResolveSuspense", request, agency=agency)
    assert isinstance(answer, pb.ResolveSuspenseResponse)
    return answer


def listed(driver: Driver, rpc: str, request: Message, agency: str = HOHHOT) -> Any:
    """A page of a list of the agency's region."""
    return driver.call("agency", agency, SERVICE, rpc, request, actor=CLERK)


def kept(database: Database, account_id: object) -> AccountRow:
    """The account as it is kept."""
    query = select(*tables.accounts.c).where(tables.accounts.c.id == UUID(str(account_id)))
    with database.reader() as tx:
        return AccountRow(*tx.execute(query).one())


def trail(database: Database, kind: str, subject_id: object) -> list[AuditRow]:
    """The audit records of a thing, oldest first."""
    records = tables.audit_records.c
    query = (
        select(*records)
        .where(records.subject_kind == kind, records.subject_id == str(subject_id))
        .order_by(records.recorded_at, records.id)
    )
    with database.reader() as tx:
        return [AuditRow(*row) for row in tx.execute(query)]


def changes_of(record: AuditRow) -> dict[str, tuple[str, str]]:
    """What a record says has changed: by field, before and after as JSON."""
    return {one["field"]: (one["before"], one["after"]) for one in record.changes}


def check_histories(database: Database) -> None:
    """Assert that each account's entries explain its balance, without gaps, in time's order."""
    query = """SELECT a.id FROM accounts a LEFT JOIN LATERAL (
                   SELECT count(*) AS n, max(seq) AS last, sum(amount_fen) AS fen,
                          count(*) FILTER (WHERE recorded_at < before) AS back,
                          count(*) FILTER (WHERE balance_after_fen <> amount_fen + left_fen)
                              AS wrong
                   FROM (SELECT e.*, lag(recorded_at) OVER by_seq AS before,
                                lag(balance_after_fen) OVER by_seq AS left_fen
                         FROM entries e WHERE e.account_id = a.id
                         WINDOW by_seq AS (ORDER BY seq)) AS history) AS h ON true
               WHERE a.seq <> h.n OR a.seq <> coalesce(h.last, 0) OR h.back > 0 OR h.wrong > 0
                  OR h.n > 0 AND a.balance_fen <> (
                      SELECT balance_after_fen FROM entries e
                      WHERE e.account_id = a.id AND e.seq = h.last)"""
    with database.connect() as tx:
        assert tx.execute(query).fetchall() == []
