"""SettlementService: what a till asks, and how a settlement is found again."""

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.settlement_record import from_record
from gongji_svc.services import receipt
from gongji_svc.services.cancelling import read_cancel
from gongji_svc.services.credentials import bind_code, issue_credential
from gongji_svc.services.identifying import read_identify
from gongji_svc.services.looking import looked
from gongji_svc.services.office import Office
from gongji_svc.services.present import for_donor, present
from gongji_svc.services.receipt import Reader
from gongji_svc.services.refunding import read_refund
from gongji_svc.services.settling import read_preview, read_settle
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.settlements import Found, find_by_id, find_by_request


def get_settlement(
    office: Office, caller: Caller, request: pb.GetSettlementRequest
) -> pb.GetSettlementResponse:
    """A settlement in its present state, as this caller may see it.

    AccessDenied for whoever has no part in it, whether or not it exists.
    """
    found = _find(office, caller, request)
    if found is None:
        if caller.role is Role.POS:
            raise errors.SettlementNotFound
        raise errors.AccessDenied
    settlement = present(found.first_answer, found.detail["plan"], found.steps)
    return pb.GetSettlementResponse(settlement=_as_seen_by(caller, found, settlement))


def _find(office: Office, caller: Caller, request: pb.GetSettlementRequest) -> Found | None:
    with office.database.reader() as tx:
        if request.WhichOneof("name") == "request_id":
            code = request.institution_code or caller.subject
            found = find_by_request(tx, code, request.request_id)
        else:
            settlement_id = parse_id(request.settlement_id)
            found = None if settlement_id is None else find_by_id(tx, settlement_id)
    return found if found is None or _has_part(caller, found) else None


def _has_part(caller: Caller, found: Found) -> bool:
    match caller.role:
        case Role.POS:
            return caller.subject == found.institution_code
        case Role.PLATFORM:
            return caller.subject in (found.region, found.region[:2] + "0000")
        case Role.AGENCY:
            return caller.subject in (found.region, found.insured_region)
        case Role.CITIZEN:
            return caller.subject in {str(found.patient_id), *_donor_ids(found)}
        case _:
            return False


def _donor_ids(found: Found) -> set[str]:
    legs = found.detail["plan"]["legs"]
    return {leg["person_id"] for leg in legs if leg["binding_id"] is not None}


def _as_seen_by(caller: Caller, found: Found, settlement: pb.Settlement) -> pb.Settlement:
    if caller.role is not Role.CITIZEN:
        return settlement
    if caller.subject != str(found.patient_id):
        return for_donor(settlement, _bindings_of(caller.subject, found))
    plan = from_record(found.detail["plan"])
    del settlement.explanation[:]
    names = found.detail["donors"]
    settlement.explanation.extend(receipt.explanation(plan, names, Reader.PATIENT))
    return settlement


def _bindings_of(donor_id: str, found: Found) -> set[str]:
    """The bindings under which this donor paid a leg."""
    return {
        leg["binding_id"]
        for leg in found.detail["plan"]["legs"]
        if leg["binding_id"] is not None and leg["person_id"] == donor_id
    }


COMMANDS = {
    "Settle": read_settle,
    "RefundSettlement": read_refund,
    "CancelSettlement": read_cancel,
}

READS = {
    "IdentifyPatient": looked("SettlementService", "IdentifyPatient", read_identify),
    "PreviewSettlement": looked(
        "SettlementService", "PreviewSettlement", read_preview, then=bind_code
    ),
    "IssueCredential": issue_credential,
    "GetSettlement": get_settlement,
}
