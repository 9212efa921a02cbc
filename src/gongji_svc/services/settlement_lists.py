"""ListSettlements: many settlements as they stand, newest first, without lines and explanations.

Rule: a list shows nobody more than GetSettlement would. A till lists its own institution's, a
platform those of an institution of its region, a patient or guardian the patient's, a donor the
legs that were theirs, an agency those with care or insurance in its region. To a till nobody is a
donor by name, and a donor does not sort by what a donor does not see.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services import messages, paging
from gongji_svc.services.days import instant
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.present import for_donor, present
from gongji_svc.services.reach import person_named, reaches
from gongji_svc.storage import settlement_lists
from gongji_svc.storage.institutions import Institution, find_institutions
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.settlement_lists import Choice
from gongji_svc.storage.settlements import Found

_TILLS = frozenset({Role.POS, Role.PLATFORM})
_HIDDEN_FROM_DONORS = ("region", "visit_types")


def list_settlements(
    office: Office, caller: Caller, request: pb.ListSettlementsRequest
) -> pb.ListSettlementsResponse:
    """A page; AccessDenied for whoever may not see the institution's, person's or region's."""
    position = paging.position_in(request, office.sealer)
    before = None if position is None else UUID(bytes=position)
    size = paging.size_of(request)
    patient_id, donor_id = person_named(request.person_id), person_named(request.donor_id)
    with office.database.reader() as tx:
        named = [one for one in (patient_id, donor_id) if one is not None]
        people, today = read_people(tx, named, office.sealer), office.today()
        reached = {one for one, person in people.items() if reaches(caller, person, today)}
        _check_reach(caller, request, reached)
        as_donor = caller.role is Role.CITIZEN and patient_id not in reached
        if as_donor:
            _check_filters_of_donor(request)
        choice = _choice(caller, request, patient_id, donor_id)
        if caller.role in _TILLS:
            code = choice.institution_code
            institution = find_institutions(tx, {code}).get(code)
            choice = replace(choice, care_region=_region_of(institution, caller))
        found = settlement_lists.list_settlements(tx, choice, before, size + 1)
    known = request.region or patient_id in reached or before
    if caller.role is Role.AGENCY and not (known or found):
        raise errors.AccessDenied  # the same for a person who has none here as for nobody
    page = found[:size]
    response = pb.ListSettlementsResponse(
        settlements=[_message(one, donor_id if as_donor else None) for one in page]
    )
    if len(found) > size:
        last = page[-1].settlement_id.bytes
        response.next_page_token = paging.token_after(request, last, office.sealer)
    return response


def bindings_of(donor_id: str, found: Found) -> set[str]:
    """The bindings under which this donor paid a leg."""
    return {
        leg["binding_id"]
        for leg in found.detail["plan"]["legs"]
        if leg["binding_id"] is not None and leg["person_id"] == donor_id
    }


def _check_reach(caller: Caller, request: pb.ListSettlementsRequest, reached: set[UUID]) -> None:
    """AccessDenied unless the caller may ask for this; what an agency finds tells the rest."""
    match caller.role:
        case Role.CITIZEN:
            allowed = bool(reached)
        case Role.AGENCY:
            allowed = request.region in ("", caller.subject)
        case _:
            allowed = not request.donor_id
    if not allowed:
        raise errors.AccessDenied


def _check_filters_of_donor(request: pb.ListSettlementsRequest) -> None:
    violations = [
        errors.Violation(name, "按共济人查询时不能使用此条件，请去掉")
        for name in _HIDDEN_FROM_DONORS
        if getattr(request, name)
    ]
    if violations:
        raise messages.invalid(*violations)


def _choice(
    caller: Caller,
    request: pb.ListSettlementsRequest,
    patient_id: UUID | None,
    donor_id: UUID | None,
) -> Choice:
    code = request.institution_code
    if caller.role is Role.POS:
        code = caller.subject
    return Choice(
        patient_id=patient_id,
        donor_id=donor_id,
        region=caller.subject if caller.role is Role.AGENCY else request.region,
        institution_code=code,
        states=frozenset(enum_name(pb.SettlementState, number) for number in request.states),
        visit_types=frozenset(enum_name(pb.VisitType, number) for number in request.visit_types),
        occurred_from=_moment(request, "occurred_from"),
        occurred_to=_moment(request, "occurred_to"),
    )


def _moment(request: Any, name: str) -> datetime | None:
    return instant(name, getattr(request, name)) if request.HasField(name) else None


def _region_of(institution: Institution | None, caller: Caller) -> str:
    """Where the institution acted for lies; AccessDenied for a platform of another region."""
    if institution is None:
        raise errors.InstitutionNotFound if caller.role is Role.POS else errors.AccessDenied
    province = institution.region[:2] + "0000"
    if caller.role is Role.PLATFORM and caller.subject not in (institution.region, province):
        raise errors.AccessDenied
    return institution.region


def _message(found: Found, donor_id: UUID | None) -> pb.Settlement:
    """One of a list: lines are left out, those that came back as well."""
    settlement = present(found.first_answer, found.detail["plan"], found.steps)
    if donor_id is not None:
        return for_donor(settlement, bindings_of(str(donor_id), found), found.detail["donors"])
    del settlement.lines[:]
    del settlement.explanation[:]
    for step in settlement.refunds:
        del step.lines[:]
    return settlement
