"""Where a till stands and whom it serves: the first questions of every call of a till.

Rule: who may call comes first; then the place; then the person. An unknown certificate and a wrong
name are one answer. A settlement needs one usable enrolment: insured now, or lapsed (the own
account stays usable, ULQ-27), in a region that is served.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.person import Enrolment, Person
from gongji_svc.domain.policy import Rulebook
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import (
    CredentialType,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    InsuredStatus,
)
from gongji_svc.services.names import enum_name
from gongji_svc.storage import people
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.people import CARD
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import State

_ACTIVE = "ACTIVE"
_ID_CARD = "ID_CARD"
_SETTLING = (Insurance.EMPLOYEE, Insurance.RESIDENT)


def institution_of(state: State, caller: Caller, code: str) -> Institution:
    """The institution acted for; AccessDenied for a platform of another region.

    A province's platform acts for the whole province.
    """
    row = state.institutions.get(code)
    if row is None:
        if caller.role is Role.PLATFORM:
            raise errors.AccessDenied
        raise errors.InstitutionNotFound
    institution = Institution(*row)
    province = institution.region[:2] + "0000"
    if caller.role is Role.PLATFORM and caller.subject not in (institution.region, province):
        raise errors.AccessDenied
    return institution


def check_serving(institution: Institution) -> None:
    """InstitutionSuspended unless the institution's designation is in force."""
    if institution.status != _ACTIVE:
        raise errors.InstitutionSuspended


def identity_hash(credential: pb.Credential, sealer: Sealer) -> bytes | None:
    """Under what the credential's owner is found; None for a one-time code."""
    kind = CredentialType(enum_name(pb.CredentialType, credential.type))
    if kind is CredentialType.ID_CARD:
        return sealer.index(_ID_CARD, credential.value.upper())
    if kind is CredentialType.SOCIAL_CARD:
        return sealer.index(CARD, credential.value)
    return None


def patient_of(
    state: State, credential: pb.Credential, patient_id: UUID | None, sealer: Sealer
) -> Person:
    """The person whose credential it is; the name must match where it is given."""
    if credential.type == pb.CREDENTIAL_TYPE_E_CREDENTIAL:
        raise errors.CredentialInvalid
    person = None if patient_id is None else people.person(state, sealer, patient_id)
    if person is None or (credential.name and credential.name.strip() != person.name):
        raise errors.PersonNotMatched
    if person.died_on is not None:
        raise errors.PersonDeceased
    return person


def usable_enrolments(person: Person, rulebook: Rulebook, day: date) -> Sequence[Enrolment]:
    """The enrolments a settlement can use, of those in a region served: those insured now, else
    those that lapsed.
    """
    standing = {
        status: [
            enrolment
            for enrolment in person.enrolments
            if enrolment.insurance in _SETTLING
            and rulebook.serves(enrolment.region)
            and status_on(enrolment, day) is status
        ]
        for status in (InsuredStatus.NORMAL, InsuredStatus.PAUSED)
    }
    return standing[InsuredStatus.NORMAL] or standing[InsuredStatus.PAUSED]


def enrolment_for(usable: Sequence[Enrolment], insurance: int, region: str) -> Enrolment:
    """The one asked for of the usable enrolments, or the only one."""
    wanted = None
    if insurance:
        wanted = Insurance(enum_name(types_pb2.Insurance, insurance))
    fitting = [
        enrolment
        for enrolment in usable
        if wanted in (None, enrolment.insurance) and region in ("", enrolment.region)
    ]
    if not fitting:
        raise errors.EnrolmentNotUsable
    if len(fitting) > 1:
        listed = "、".join(f"{one.insurance}@{one.region}" for one in fitting)
        raise errors.EnrolmentAmbiguous(
            enrolments=listed,
            violations=[
                errors.Violation("insurance", "有多条可用参保信息，请指明险种"),
                errors.Violation("insured_region", "有多条可用参保信息，请指明参保地"),
            ],
        )
    return fitting[0]


def place_of(institution: Institution) -> tuple[InstitutionKind, InstitutionLevel]:
    """What kind of place it is, and of what level."""
    return InstitutionKind(institution.kind), InstitutionLevel(institution.level)
