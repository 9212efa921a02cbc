"""SettlementService: what a till asks, and how a settlement is found again."""

from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.settlement_record import from_record
from gongji_svc.services import receipt
from gongji_svc.services.batch_settling import BATCH_SETTLE
from gongji_svc.services.cancelling import read_cancel
from gongji_svc.services.credentials import bind_code, issue_credential
from gongji_svc.services.identifying import read_identify
from gongji_svc.services.looking import looked
from gongji_svc.services.office import Office
from gongji_svc.services.present import for_donor, present
from gongji_svc.services.reach import reaches
from gongji_svc.services.receipt import Reader
from gongji_svc.services.refunding import read_refund
from gongji_svc.services.risk_signals import list_risk_signals, read_resolve_risk_signal
from gongji_svc.services.settlement_counts import count_of_settlements
from gongji_svc.services.settlement_lists import bindings_of, list_settlements
from gongji_svc.services.settling import Preview, read_preview, read_settle
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.settlements import Found, find_by_id, find_by_request


def get_settlement(
    office: Office, caller: Caller, request: pb.GetSettlementRequest
) -> pb.GetSettlementResponse:
    """A settlement in its present state, as this caller may see it.

    AccessDenied for whoever has no part in it, whether or not it exists.
    """
    found = _find(office, caller, request)
    reader = None if found is None else _reader(office, caller, found)
    if found is None or reader is None:
        if caller.role is Role.POS:
            raise errors.SettlementNotFound
        raise errors.AccessDenied
    settlement = present(found.first_answer, found.detail["plan"], found.steps)
    return pb.GetSettlementResponse(settlement=_as_seen_by(reader, found, settlement))


def _find(office: Office, caller: Caller, request: pb.GetSettlementRequest) -> Found | None:
    with office.database.reader() as tx:
        if request.WhichOneof("name") == "request_id":
            code = request.institution_code or caller.subject
            return find_by_request(tx, code, request.request_id)
        settlement_id = parse_id(request.settlement_id)
        return None if settlement_id is None else find_by_id(tx, settlement_id)


def _reader(office: Office, caller: Caller, found: Found) -> UUID | str | None:
    """For whom the caller looks: the patient's or a donor's id, or the name of a place or agency;
    None for whoever has no part in the settlement.
    """
    if caller.role is Role.CITIZEN:
        return _person_reached(office, caller, found)
    places = {
        Role.POS: (found.institution_code,),
        Role.PLATFORM: (found.region, found.region[:2] + "0000"),
        Role.AGENCY: (found.region, found.insured_region),
    }
    return caller.subject if caller.subject in places.get(caller.role, ()) else None


def _person_reached(office: Office, caller: Caller, found: Found) -> UUID | None:
    """The patient, else a donor, whom a citizen is or is a guardian of."""
    legs = found.detail["plan"]["legs"]
    donors = [UUID(leg["person_id"]) for leg in legs if leg["binding_id"] is not None]
    having_part = [found.patient_id, *donors]
    with office.database.reader() as tx:
        known = read_people(tx, having_part, office.sealer)
    today = office.today()
    reached = (one for one in having_part if one in known and reaches(caller, known[one], today))
    return next(reached, None)


def _as_seen_by(reader: UUID | str, found: Found, settlement: pb.Settlement) -> pb.Settlement:
    if isinstance(reader, str):
        return settlement
    if reader != found.patient_id:
        return for_donor(settlement, bindings_of(str(reader), found), found.detail["donors"])
    plan = from_record(found.detail["plan"])
    del settlement.explanation[:]
    names = found.detail["donors"]
    settlement.explanation.extend(receipt.explanation(plan, names, Reader.PATIENT))
    return settlement


def count_preview(office: Office, preview: Preview) -> None:
    """RateLimited when the patient has been previewed too often, by whomever."""
    if preview.patient_id is not None:
        office.previews.take(preview.patient_id)


COMMANDS = {
    "Settle": read_settle,
    "RefundSettlement": read_refund,
    "CancelSettlement": read_cancel,
    "ResolveRiskSignal": read_resolve_risk_signal,
}

READS = {
    "IdentifyPatient": looked("SettlementService", "IdentifyPatient", read_identify),
    "PreviewSettlement": looked(
        "SettlementService", "PreviewSettlement", read_preview, then=bind_code, found=count_preview
    ),
    "IssueCredential": issue_credential,
    "GetSettlement": get_settlement,
    "ListSettlements": list_settlements,
    "CountSettlements": count_of_settlements,
    "ListRiskSignals": list_risk_signals,
}

BATCHES = {"BatchSettle": BATCH_SETTLE}
