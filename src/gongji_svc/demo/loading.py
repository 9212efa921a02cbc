"""Puts the demo's people, places, prices, money and bindings in, by the same calls as anybody.

Rule: run twice it changes nothing: a request's id is made from its content, so the second run gets
the first one's answers. What a region has no rules for on the demo's day is left out.
"""

import contextlib
import hashlib
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from gongji.v1 import account_pb2, binding_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.demo import data
from gongji_svc.demo.data import DemoBinding, DemoInstitution, DemoItem, DemoPerson
from gongji_svc.demo.purchase import Basket
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import PolicyNotInForce, RequestIdReused
from gongji_svc.domain.policy import Policy
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.services.days import date_of
from gongji_svc.services.names import enum_number
from gongji_svc.services.office import Office

_DEADLINE_SECONDS = 60
_ACTOR = "demo"
# A picture of one grey point, where a document is asked for.
_PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class DemoFamilies:
    """What was put in: people's ids by key, and a purchase that shows it all."""

    people: Mapping[str, UUID]
    sample: Basket


def load(office: Office) -> DemoFamilies:
    """Put everything in, in this process."""
    for institution in data.INSTITUTIONS:
        _put_institution(office, institution)
    for province in data.PROVINCES:
        items = [_item(one) for one in data.ITEMS]
        request = pb.PutCatalogItemsRequest(items=items, region=province)
        _ask(office, _agency(province), "RegistryService", "PutCatalogItems", request)
    people: dict[str, UUID] = {}
    for person in data.PEOPLE:
        people[person.key] = _put_person(office, person, people)
    for region in sorted({one.region for one in data.PEOPLE}):
        with contextlib.suppress(PolicyNotInForce):
            _load_region(office, office.policy(region, office.today()), people)
    return DemoFamilies(people, data.SAMPLE)


def _load_region(office: Office, policy: Policy, people: Mapping[str, UUID]) -> None:
    """The accounts and bindings of the people insured in one region."""
    named = {one.key: one for one in data.PEOPLE}
    for person in data.PEOPLE:
        if person.region == policy.region and person.balance_fen is not None:
            _open_account(office, person, people[person.key], person.balance_fen)
    for binding in data.BINDINGS:
        if named[binding.donor].region == policy.region:
            _bind(office, policy, binding, named[binding.beneficiary], people[binding.donor])


def _put_institution(office: Office, institution: DemoInstitution) -> None:
    request = pb.PutInstitutionRequest(
        institution=pb.Institution(
            institution_code=institution.code,
            name=institution.name,
            kind=enum_number(types_pb2.InstitutionKind, institution.kind),
            level=enum_number(types_pb2.InstitutionLevel, institution.level),
            region=institution.region,
            status=enum_number(pb.InstitutionStatus, institution.status),
        )
    )
    _ask(office, _agency(institution.region), "RegistryService", "PutInstitution", request)


def _item(item: DemoItem) -> pb.CatalogItem:
    return pb.CatalogItem(
        catalog_code=item.code,
        name=item.name,
        catalog_class=enum_number(types_pb2.CatalogClass, item.catalog_class),
        self_pay_bp=item.self_pay_bp,
        price_ceiling_yuan=item.ceiling_yuan,
        account_payable=item.account_payable,
        effective_from=date_of(data.ITEMS_SINCE),
    )


def _put_person(office: Office, person: DemoPerson, known: Mapping[str, UUID]) -> UUID:
    since = max(data.INSURED_SINCE, person.born)
    period = pb.EnrolmentPeriod(status=pb.INSURED_STATUS_NORMAL, **_from(since))
    request = pb.PutPersonRequest(
        person=pb.Person(
            name=person.name,
            certificate=certificate_of(person),
            card_no=person.card_no,
            birth_date=date_of(person.born),
            guardians=[pb.Guardian(person_id=str(known[key])) for key in person.guardians],
            enrolments=[
                pb.Enrolment(
                    insurance=enum_number(types_pb2.Insurance, person.insurance),
                    region=person.region,
                    person_type=enum_number(types_pb2.PersonType, person.person_type),
                    periods=[period],
                )
            ],
            identities=person.identities,
            chronic_diseases=person.chronic_diseases,
        )
    )
    answer = _ask(office, _agency(person.region), "RegistryService", "PutPerson", request)
    return UUID(answer.person.person_id)


def _from(day: date) -> dict[str, Any]:
    """The field `from`, whose name Python keeps for itself."""
    return {"from": date_of(day)}


def certificate_of(person: DemoPerson) -> types_pb2.Certificate:
    """The identity card, as requests name it."""
    return types_pb2.Certificate(
        type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number=person.certificate_number
    )


def _open_account(office: Office, person: DemoPerson, person_id: UUID, balance_fen: int) -> None:
    agency = _agency(person.region)
    opening = account_pb2.OpenAccountRequest(
        person_id=str(person_id), region=person.region, kind=types_pb2.ACCOUNT_KIND_GENERAL
    )
    account = _ask(office, agency, "AccountService", "OpenAccount", opening).account
    credit = account_pb2.CreditRequest(
        account_id=account.account_id,
        amount_fen=balance_fen,
        kind=account_pb2.CREDIT_KIND_ALLOCATION,
        memo="演示划入",
    )
    _ask(office, agency, "AccountService", "Credit", credit)


def _bind(
    office: Office,
    policy: Policy,
    binding: DemoBinding,
    beneficiary: DemoPerson,
    donor_id: UUID,
) -> None:
    """The donor applies by the region's app, with the documents that the region asks for."""
    donor = Caller(Role.CITIZEN, str(donor_id))
    request = application(policy, binding, beneficiary, donor_id, office.now())
    upload = routes.UPLOADS[method_of("BindingService", "UploadDocument").path].serve
    for pieces in papers(policy, f"demo-{binding.beneficiary}"):
        answer: Any = upload(office, donor, iter(pieces))
        request.document_ids.append(answer.document_id)
    # A later run has another day and moment; the binding is there already.
    with contextlib.suppress(RequestIdReused):
        _run(office, donor, "BindingService", "CreateBinding", request)


def application(
    policy: Policy, binding: DemoBinding, beneficiary: DemoPerson, donor_id: UUID, now: datetime
) -> binding_pb2.CreateBindingRequest:
    """The donor's application by the region's app for both uses; the documents are missing."""
    request = binding_pb2.CreateBindingRequest(
        request_id=f"demo-{binding.donor}-{binding.beneficiary}",
        donor_id=str(donor_id),
        beneficiary=binding_pb2.Beneficiary(
            certificate=certificate_of(beneficiary),
            name=beneficiary.name,
            phone=beneficiary.phone,
            card_no=beneficiary.card_no,
        ),
        relation=enum_number(types_pb2.Relation, binding.relation),
        effective_from=date_of(day_of(now)),
        uses=[types_pb2.USE_MEDICAL, types_pb2.USE_PREMIUM],
        channel=binding_pb2.CHANNEL_APP,
    )
    if policy.commitment_version:
        request.commitment.text_version = policy.commitment_version
        request.commitment.accepted_at.FromDatetime(now.astimezone(UTC))
    return request


def papers(
    policy: Policy, request_id: str
) -> Iterator[tuple[binding_pb2.UploadDocumentRequest, ...]]:
    """The messages that upload what the region asks for, document by document."""
    for number, rule in enumerate(policy.documents):
        header = binding_pb2.DocumentHeader(
            kind=enum_number(binding_pb2.DocumentKind, min(rule.any_of)),
            of=enum_number(binding_pb2.DocumentOf, rule.of),
            media_type="image/png",
            request_id=f"{request_id}-{number}",
        )
        yield (
            binding_pb2.UploadDocumentRequest(header=header),
            binding_pb2.UploadDocumentRequest(chunk=_PICTURE),
        )


def _agency(region: str) -> Caller:
    return Caller(Role.AGENCY, region, _ACTOR)


def _ask(office: Office, caller: Caller, service: str, rpc: str, request: Any) -> Any:
    """The answer to a request whose id is made from its content."""
    content = request.SerializeToString(deterministic=True)
    request.request_id = f"demo-{hashlib.sha256(content).hexdigest()[:32]}"
    return _run(office, caller, service, rpc, request)


def _run(office: Office, caller: Caller, service: str, rpc: str, request: Message) -> Any:
    method = method_of(service, rpc)
    deadline = time.time() + _DEADLINE_SECONDS
    command = routes.read_command(office, method, caller, request.SerializeToString(), deadline)
    return method.response.FromString(office.run(command).answer)
