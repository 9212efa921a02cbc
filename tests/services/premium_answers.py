"""What becomes of a payment: the tax authority's answers, refunds, and premiums paid elsewhere.

Rule: a request has an id of its own unless a test names one; the caller is the usual one unless it
says otherwise.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from gongji.v1 import payment_pb2 as pb
from gongji.v1 import registry_pb2
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Made
from tests.services.applications import CLERK, HOHHOT
from tests.services.driver import Driver
from tests.services.premiums import DAY, RESIDENT, SERVICE, YEAR, Family, pay, rows_of

VOUCHER, REASON, OFFICIAL = "T-2026-0001", "账户已由单位缴费", "a-1"


def call(
    driver: Driver, role: str, subject: object, rpc: str, request: Any, actor: str = ""
) -> Any:
    """What a caller is answered; the tax authority has an official too."""
    name = actor or (OFFICIAL if role in ("tax", "agency", "counter") else "")
    return driver.call(role, subject, SERVICE, rpc, request, actor=name)


def submitted(driver: Driver, family: Family, **fields: Any) -> str:
    """A payment that waits for the tax authority; its id."""
    return str(pay(driver, family.donor, family.child, **fields).payment.payment_id)


def confirmed(driver: Driver, family: Family, **fields: Any) -> str:
    """A payment that the tax authority has confirmed; its id."""
    payment_id = submitted(driver, family, **fields)
    confirm(driver, payment_id)
    return payment_id


def confirming(payment_id: str, **fields: Any) -> pb.ConfirmPremiumRequest:
    """The premium is collected."""
    usual = {"request_id": str(uuid4()), "tax_voucher_no": VOUCHER}
    return pb.ConfirmPremiumRequest(payment_id=payment_id, **{**usual, **fields})


def confirm(
    driver: Driver, payment_id: str, tax: str = HOHHOT, **fields: Any
) -> pb.ConfirmPremiumResponse:
    """What the tax authority is answered to it."""
    answer = call(driver, "tax", tax, "ConfirmPremium", confirming(payment_id, **fields))
    assert isinstance(answer, pb.ConfirmPremiumResponse)
    return answer


def reject(
    driver: Driver, payment_id: str, tax: str = HOHHOT, **fields: Any
) -> pb.RejectPremiumResponse:
    """What the tax authority is answered to a refusal."""
    usual = {"request_id": str(uuid4()), "reason": REASON}
    request = pb.RejectPremiumRequest(payment_id=payment_id, **{**usual, **fields})
    answer = call(driver, "tax", tax, "RejectPremium", request)
    assert isinstance(answer, pb.RejectPremiumResponse)
    return answer


def refund(
    driver: Driver, subject: object, payment_id: str, role: str = "citizen", **fields: Any
) -> pb.RefundPremiumResponse:
    """What who asks for a premium back is answered; the beneficiary moved away unless told so."""
    cause = pb.PREMIUM_REFUND_CAUSE_MOVED_AWAY
    usual = {"request_id": str(uuid4()), "cause": cause, "reason": "已迁出"}
    request = pb.RefundPremiumRequest(payment_id=payment_id, **{**usual, **fields})
    answer = call(
        driver, role, subject, "RefundPremium", request, CLERK if role != "citizen" else ""
    )
    assert isinstance(answer, pb.RefundPremiumResponse)
    return answer


def decide(
    driver: Driver, payment_id: str, decision: str = "APPROVE", agency: str = HOHHOT, **fields: Any
) -> pb.DecidePremiumRefundResponse:
    """What the agency is answered to its decision; `actor` is the official."""
    actor = fields.pop("actor", OFFICIAL)
    number = pb.PremiumRefundDecision.Value(f"PREMIUM_REFUND_DECISION_{decision}")
    usual = {"request_id": str(uuid4()), "decision": number}
    request = pb.DecidePremiumRefundRequest(payment_id=payment_id, **{**usual, **fields})
    answer = call(driver, "agency", agency, "DecidePremiumRefund", request, actor)
    assert isinstance(answer, pb.DecidePremiumRefundResponse)
    return answer


def recording(child: object = "", **fields: Any) -> pb.RecordExternalPremiumRequest:
    """The year's resident premium, paid on the day by another channel."""
    usual = {
        "request_id": str(uuid4()),
        "beneficiary_id": str(child),
        "year": YEAR,
        "insurance": RESIDENT,
        "amount_fen": 40_000,
        "paid_on": date_of(DAY),
        "external_channel": "银行代扣",
        "tax_voucher_no": "E-1",
    }
    return pb.RecordExternalPremiumRequest(**{**usual, **fields})


def record(
    driver: Driver, child: object = "", tax: str = HOHHOT, **fields: Any
) -> pb.RecordExternalPremiumResponse:
    """What the tax authority is answered to it."""
    answer = call(driver, "tax", tax, "RecordExternalPremium", recording(child, **fields))
    assert isinstance(answer, pb.RecordExternalPremiumResponse)
    return answer


def years_of(driver: Driver, person: Made, agency: str = HOHHOT) -> list[tuple[int, str]]:
    """The years that the registry shows as paid, and on which day."""
    return [
        (one.year, f"{one.paid_on.year}-{one.paid_on.month:02}-{one.paid_on.day:02}")
        for one in person_at(driver, person, agency).premium_years
    ]


def person_at(driver: Driver, person: Made, agency: str = HOHHOT) -> registry_pb2.Person:
    """Somebody's record as the agency reads it."""
    request = registry_pb2.GetPersonRequest(person_id=str(person))
    found = driver.call("agency", agency, "RegistryService", "GetPerson", request, actor=OFFICIAL)
    assert isinstance(found.person, registry_pb2.Person)
    return found.person


def row_of(database: Database, payment_id: str) -> Mapping[str, Any]:
    """A payment as it is kept."""
    (found,) = [
        row for row in rows_of(database, "premium_payments") if str(row["id"]) == payment_id
    ]
    return found


def audited(database: Database, payment_id: str) -> list[tuple[str, str, str]]:
    """The audit records of a payment, oldest first: region, RPC, actor."""
    return [
        (row["region"], row["action"].rpartition("/")[2], row["actor"])
        for row in rows_of(database, "audit_records")
        if row["subject_id"] == payment_id
    ]


def told_of(database: Database, payment_id: str) -> list[tuple[str, str, int]]:
    """The notices of a payment, oldest first: kind, whom, fen."""
    return [
        (row["kind"], str(row["person_id"]), row["amount_fen"])
        for row in rows_of(database, "notices")
        if str(row["source_id"]) == payment_id
    ]


def messages_of(database: Database, payment_id: str) -> list[str]:
    """The kinds of what the tax authority is to hear of a payment, oldest first."""
    return [
        row["kind"]
        for row in rows_of(database, "tax_messages")
        if str(row["payment_id"]) == payment_id
    ]
