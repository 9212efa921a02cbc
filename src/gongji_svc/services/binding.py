"""BindingService: applying for a binding, its documents, and who may look at it.

Rule: a binding is seen by its two people, by their guardians, by the staff of the donor's region,
and by clerks who act for one of the two (binding_access); to everybody else it does not exist.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.person import Person
from gongji_svc.services import paging
from gongji_svc.services.applying import read_create_binding
from gongji_svc.services.binding_access import OVERSEERS, compares, sees, sees_whole
from gongji_svc.services.binding_view import View
from gongji_svc.services.documents import download_document, upload_document
from gongji_svc.services.ending import read_end_binding
from gongji_svc.services.explaining import explain_usability
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.ordering import read_set_deduction_order
from gongji_svc.services.reach import person_named, reaches
from gongji_svc.services.receiving import Upload
from gongji_svc.services.reviewing import read_review_binding
from gongji_svc.services.updating import read_update_binding
from gongji_svc.storage.binding_reads import (
    Choice,
    list_bindings,
    read_binding,
    read_documents,
)
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.people import Registered
from gongji_svc.storage.person_reads import read_people, read_registered


def get_binding(
    office: Office, caller: Caller, request: pb.GetBindingRequest
) -> pb.GetBindingResponse:
    """One binding; AccessDenied for one that is missing or not the caller's to see."""
    binding_id = parse_id(request.binding_id)
    with office.database.reader() as tx:
        kept = None if binding_id is None else read_binding(tx, binding_id)
        if kept is None:
            raise errors.AccessDenied
        people = read_registered(tx, _people_of([kept]), office.sealer)
        donor, beneficiary = (one.person for one in _pair(kept, people))
        if not sees(caller, kept, donor, beneficiary, office.today()):
            raise errors.AccessDenied
        documents = read_documents(tx, [kept])
    [binding] = _messages(office, caller, [kept], people, documents)
    return pb.GetBindingResponse(binding=binding)


def list_of_bindings(
    office: Office, caller: Caller, request: pb.ListBindingsRequest
) -> pb.ListBindingsResponse:
    """A page of bindings in the order of application, oldest first."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    with office.database.reader() as tx:
        named = [person_named(text) for text in (request.donor_id, request.beneficiary_id)]
        known = read_people(tx, [one for one in named if one is not None], office.sealer)
        choice = _choice(caller, request, named, known.values(), office)
        place = None if after is None else paging.place_at(after)
        found = list_bindings(tx, choice, place, size + 1)
        if not found and caller.role is Role.COUNTER and choice.donor_region:
            raise errors.AccessDenied
        page = found[:size]
        people = read_registered(tx, _people_of(page), office.sealer)
        documents = read_documents(tx, page)
    response = pb.ListBindingsResponse(bindings=_messages(office, caller, page, people, documents))
    if len(found) > size:
        last = page[-1].binding
        position = paging.position_of(last.bound_at, last.binding_id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def _choice(
    caller: Caller,
    request: pb.ListBindingsRequest,
    named: Sequence[UUID | None],
    known: Iterable[Person],
    office: Office,
) -> Choice:
    """What the caller may list: all of a person they act for, else what is of their own region."""
    donor_id, beneficiary_id = named
    states = frozenset(
        BindingState(enum_name(pb.BindingState, number)) for number in request.states
    )
    today = office.today()
    if caller.role not in OVERSEERS and any(reaches(caller, one, today) for one in known):
        return Choice(donor_id, beneficiary_id, states=states)
    if caller.role is Role.CITIZEN:
        raise errors.AccessDenied
    return Choice(donor_id, beneficiary_id, caller.subject, states)


def _people_of(bindings: Iterable[Kept]) -> set[UUID]:
    pairs = ((kept.binding.donor_id, kept.binding.beneficiary_id) for kept in bindings)
    return {person_id for pair in pairs for person_id in pair}


def _messages(
    office: Office,
    caller: Caller,
    bindings: Iterable[Kept],
    people: dict[UUID, Registered],
    documents: dict[UUID, Any],
) -> list[pb.Binding]:
    today = office.today()
    messages = []
    for kept in bindings:
        donor, beneficiary = _pair(kept, people)
        view = View(
            kept,
            donor.identity.name,
            beneficiary.identity.name,
            documents[kept.binding.binding_id],
            office.find_policy(kept.donor_region, today),
            whole=sees_whole(caller, donor.person, today),
            identities=(donor.identity, beneficiary.identity) if compares(caller, kept) else None,
        )
        messages.append(view.message(office.sealer, caller.role))
    return messages


def _pair(kept: Kept, people: dict[UUID, Registered]) -> tuple[Registered, Registered]:
    """Donor and beneficiary."""
    return people[kept.binding.donor_id], people[kept.binding.beneficiary_id]


COMMANDS = {
    "CreateBinding": read_create_binding,
    "ReviewBinding": read_review_binding,
    "SetDeductionOrder": read_set_deduction_order,
    "UpdateBinding": read_update_binding,
    "EndBinding": read_end_binding,
}
READS = {
    "GetBinding": get_binding,
    "ListBindings": list_of_bindings,
    "ExplainUsability": explain_usability,
}
# A document's greatest content, with room for what it costs to keep a message.
UPLOADS = {"UploadDocument": Upload(upload_document, 16 << 20, errors.DocumentTooLarge)}
DOWNLOADS = {"DownloadDocument": download_document}
