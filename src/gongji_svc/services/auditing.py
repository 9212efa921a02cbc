"""ListAuditRecords: who did what, when, from where, for the auditors of a region."""

from typing import Any

from gongji.v1 import access_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain.access import Caller
from gongji_svc.services import paging
from gongji_svc.services.days import instant, timestamp
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.audit_reads import AuditRow, Choice, list_records


def list_audit_records(
    office: Office, caller: Caller, request: pb.ListAuditRecordsRequest
) -> pb.ListAuditRecordsResponse:
    """A page of the trail of the auditor's region, newest first."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    with office.database.reader() as tx:
        place = None if after is None else paging.place_at(after)
        found = list_records(tx, _choice(caller, request), place, size + 1)
    page = found[:size]
    response = pb.ListAuditRecordsResponse(audit_records=[_record(row) for row in page])
    if len(found) > size:
        position = paging.position_of(page[-1].recorded_at, page[-1].id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def _choice(caller: Caller, request: Any) -> Choice:
    role = "" if not request.role else enum_name(access_pb2.Role, request.role).lower()
    return Choice(
        region=caller.subject,
        role=role,
        actor=request.actor,
        action=request.action,
        subject_kind=request.subject_kind,
        subject_id=request.subject_id,
        from_time=_moment(request, "from_time"),
        to_time=_moment(request, "to_time"),
    )


def _moment(request: Any, name: str) -> Any:
    return instant(name, getattr(request, name)) if request.HasField(name) else None


def _record(row: AuditRow) -> pb.AuditRecord:
    return pb.AuditRecord(
        audit_record_id=str(row.id),
        recorded_at=timestamp(row.recorded_at),
        actor=types_pb2.Actor(
            role=enum_number(access_pb2.Role, row.role.upper() or "UNSPECIFIED"),
            subject=row.subject,
            actor=row.actor,
        ),
        origin=row.origin,
        action=row.action,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        region=row.region,
        changes=[pb.AuditChange(**change) for change in row.changes],
        request_id=row.request_id,
        reason=row.reason,
        person_ids=row.people,
    )
