"""Builders of applications: complete by the donor's region's own rules, so that a test names only
what it is about.

Rule: nothing here knows a region; documents, channel, details and texts are read from the policy.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.person import Period
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import Channel, Insurance
from gongji_svc.services.days import date_of
from gongji_svc.services.names import enum_number
from tests.families import Families, Made
from tests.services.driver import Driver

SERVICE = "BindingService"
HOHHOT, BAOTOU, ULANQAB = "150100", "150200", "150900"
TIELING, SHENYANG, BEIJING = "211200", "210100", "110100"
SEEDS = [HOHHOT, ULANQAB, TIELING]
DAY = date(2025, 5, 6)
ENDED_INSURANCE = (Period(date(2015, 1, 1), date(2024, 12, 31)),)
JPEG = b"\xff\xd8\xff\xe0" + b"\0\x10JFIF" * 4
CLERK = "c-17"


def donor_in(families: Families, region: str, **fields: Any) -> Made:
    """An employee with money in the account."""
    return families.person(region, balance_fen=100_000, **fields)


def relative_in(families: Families, region: str, **fields: Any) -> Made:
    """An insured resident."""
    return families.person(region, **{"insurance": Insurance.RESIDENT, **fields})


def header(kind: str = "ID_FRONT", of: str = "BENEFICIARY", **fields: Any) -> pb.DocumentHeader:
    """What is uploaded; a JPEG unless told otherwise."""
    return pb.DocumentHeader(
        **{
            "kind": enum_number(pb.DocumentKind, kind),
            "of": enum_number(pb.DocumentOf, of),
            "media_type": "image/jpeg",
            **fields,
        }
    )


def pieces(described: pb.DocumentHeader, *chunks: bytes) -> Iterator[Message]:
    """The messages of an upload."""
    yield pb.UploadDocumentRequest(header=described)
    for chunk in chunks:
        yield pb.UploadDocumentRequest(chunk=chunk)


def upload(
    driver: Driver, subject: object, described: pb.DocumentHeader, *chunks: bytes, role: str = ""
) -> pb.UploadDocumentResponse:
    """The answer to an upload by a citizen, or another role."""
    sent = pieces(described, *(chunks or (JPEG,)))
    response = driver.upload(role or "citizen", subject, SERVICE, "UploadDocument", sent)
    assert isinstance(response, pb.UploadDocumentResponse)
    return response


def documents_for(
    driver: Driver, policy: Policy, subject: object, role: str = "citizen"
) -> list[str]:
    """Uploads of all that a region asks for; their ids."""
    return [
        upload(driver, subject, header(max(rule.any_of), rule.of), role=role).document_id
        for rule in policy.documents
    ]


def application(
    driver: Driver, donor: Made, beneficiary: Made, *, region: str, **fields: Any
) -> pb.CreateBindingRequest:
    """A complete application of the donor by one of the region's own channels; `fields` replace."""
    policy = driver.office.policy(region, driver.office.today())
    online = [rule.channel for rule in policy.channels if rule.channel is not Channel.COUNTER]
    request = pb.CreateBindingRequest(
        request_id=str(uuid4()),
        donor_id=str(donor),
        beneficiary=named(beneficiary),
        relation=types_pb2.RELATION_CHILD,
        effective_from=date_of(driver.office.today()),
        uses=[types_pb2.USE_MEDICAL],
        channel=enum_number(pb.Channel, online[0]),
    )
    if policy.commitment_version:
        request.commitment.text_version = policy.commitment_version
        request.commitment.accepted_at.FromDatetime(driver.office.now())
    if "document_ids" not in fields:
        request.document_ids.extend(documents_for(driver, policy, donor))
    complete: pb.CreateBindingRequest = changed(request, **fields)
    return complete


def at_counter(driver: Driver, request: pb.CreateBindingRequest, region: str) -> Any:
    """The same application as a clerk of the region makes it."""
    policy = driver.office.policy(region, driver.office.today())
    return changed(
        request,
        channel=pb.CHANNEL_COUNTER,
        certificates_seen=True,
        document_ids=documents_for(driver, policy, region, role="counter"),
    )


def named(beneficiary: Made, **fields: str) -> pb.Beneficiary:
    """The beneficiary as an application names one."""
    return pb.Beneficiary(
        certificate=types_pb2.Certificate(
            type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number=beneficiary.certificate_number
        ),
        **{
            "name": beneficiary.name,
            "phone": "13800000001",
            "card_no": beneficiary.card_no,
            **fields,
        },
    )


def changed(request: Any, **fields: Any) -> Any:
    """A copy of a request with some fields replaced; None takes a field away."""
    copy = type(request)()
    copy.CopyFrom(request)
    for name, value in fields.items():
        copy.ClearField(name)
        if isinstance(value, Message):
            getattr(copy, name).CopyFrom(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            getattr(copy, name).extend(value)
        elif value is not None:
            setattr(copy, name, value)
    return copy


def create(
    driver: Driver, subject: object, request: pb.CreateBindingRequest, role: str = "citizen"
) -> pb.CreateBindingResponse:
    """The answer to an application by a citizen, or by a clerk of a region."""
    actor = CLERK if role == "counter" else ""
    response = driver.call(role, subject, SERVICE, "CreateBinding", request, actor=actor)
    assert isinstance(response, pb.CreateBindingResponse)
    return response
