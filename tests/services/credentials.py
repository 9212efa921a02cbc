"""What citizens are issued for the till, what tills do with it, and what is then kept of it."""

from typing import Any

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.errors import Refusal
from gongji_svc.storage.database import Database
from tests.families import Made
from tests.services.driver import Driver
from tests.services.till import asked, request_of

SERVICE = "SettlementService"


def issued(driver: Driver, caller: object, person: object) -> pb.IssueCredentialResponse:
    """The answer to a citizen who asks for a code."""
    request = pb.IssueCredentialRequest(person_id=str(person))
    answer = driver.call("citizen", caller, SERVICE, "IssueCredential", request)
    assert isinstance(answer, pb.IssueCredentialResponse)
    return answer


def code_of(driver: Driver, person: Made) -> str:
    """A fresh code of a person, by the person."""
    return issued(driver, person, person).credential.value


def buying(
    institution: str, patient: Made, code: str, request_id: str = "r-1", **fields: Any
) -> pb.SettleRequest:
    """A purchase of 100 yuan paid by showing a code, now by the machine's clock."""
    request = request_of(institution, patient, 10_000, request_id, **fields)
    request.credential.CopyFrom(pb.Credential(type=pb.CREDENTIAL_TYPE_E_CREDENTIAL, value=code))
    return request


def now_at(driver: Driver, request: pb.SettleRequest) -> pb.SettleRequest:
    """The same purchase, now by the driver's clock."""
    request.occurred_at.FromDatetime(driver.office.now())
    return request


def buy(driver: Driver, institution: str, request: pb.SettleRequest) -> pb.SettleResponse:
    """The answer of Settle."""
    answer = driver.call("pos", institution, SERVICE, "Settle", now_at(driver, request))
    assert isinstance(answer, pb.SettleResponse)
    return answer


def preview(
    driver: Driver, institution: str, request: pb.SettleRequest
) -> pb.PreviewSettlementResponse:
    """The answer of PreviewSettlement to the same bill."""
    question = asked(now_at(driver, request))
    answer = driver.call("pos", institution, SERVICE, "PreviewSettlement", question)
    assert isinstance(answer, pb.PreviewSettlementResponse)
    return answer


def identify(driver: Driver, institution: str, credential: pb.Credential) -> pb.Patient:
    """Who it is that shows this."""
    request = pb.IdentifyPatientRequest(institution_code=institution, credential=credential)
    patient = driver.call("pos", institution, SERVICE, "IdentifyPatient", request).patient
    assert isinstance(patient, pb.Patient)
    return patient


def refused(call: Any, *arguments: Any) -> type[Refusal]:
    """The class of the refusal that a call ends in."""
    try:
        call(*arguments)
    except Refusal as refusal:
        return type(refusal)
    raise AssertionError("the call was answered")


def uses(database: Database) -> list[tuple[str, bool]]:
    """Of every code that a till has seen: where it is good, and whether it has paid."""
    query = """SELECT institution_code, settlement_id IS NOT NULL FROM credential_uses
               ORDER BY good_until, institution_code"""
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query).fetchall()
    return [(code, paid) for code, paid in rows]
