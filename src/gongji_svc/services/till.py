"""Where a till stands and whom it serves: the first questions of every call of a till.

Rule: who may call comes first; then the place; then the person. An unknown certificate and a wrong
name are one answer. Whose a one-time code is, it says itself; whether it is still good is asked
only when the call is decided, so that a repeat is answered whatever has become of its code. A
settlement needs one usable enrolment: insured now, or lapsed (the own account stays usable,
ULQ-27), in a region that is served.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.one_time_code import CodeUse, OneTimeCode, parted, use_at
from gongji_svc.domain.person import Enrolment, Person
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import (
    CredentialType,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    InsuredStatus,
)
from gongji_svc.domain.wording import INSURANCE_ZH
from gongji_svc.services.names import enum_name
from gongji_svc.storage import people
from gongji_svc.storage.credentials import use_in
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.people import CARD
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import CodeKey, State

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


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code that is signed as it should be, and under what its use is kept."""

    code: OneTimeCode
    key: CodeKey

    def use_at(self, state: State, institution_code: str) -> CodeUse:
        """Its use at an institution; a CREDENTIAL refusal where it is not good there now."""
        return use_at(self.code, use_in(state, self.key), institution_code, state.now)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a patient shows: `identity` finds the owner of a certificate or card, a `code` names its
    own; one that is not ours has neither.
    """

    credential: pb.Credential
    identity: bytes | None = None
    code: Code | None = None

    @property
    def identities(self) -> tuple[bytes, ...]:
        """What is to be looked up."""
        return () if self.identity is None else (self.identity,)

    @property
    def codes(self) -> tuple[CodeKey, ...]:
        """The codes whose use is to be read."""
        return () if self.code is None else (self.code.key,)

    def owner_id(self, state: State) -> UUID | None:
        """Whose it is, None where it is nobody's."""
        if self.code is not None:
            return self.code.code.person_id
        return None if self.identity is None else state.directory.get(self.identity)


def shown(credential: pb.Credential, sealer: Sealer) -> Shown:
    """What a credential says by itself."""
    kind = CredentialType(enum_name(pb.CredentialType, credential.type))
    if kind is CredentialType.ID_CARD:
        return Shown(credential, sealer.index(_ID_CARD, credential.value.upper()))
    if kind is CredentialType.SOCIAL_CARD:
        return Shown(credential, sealer.index(CARD, credential.value))
    return Shown(credential, code=_code(credential.value, sealer))


def _code(value: str, sealer: Sealer) -> Code | None:
    parts = parted(value)
    if parts is None or not sealer.signed(*parts):
        return None
    code = OneTimeCode.unpack(parts[0])
    # By what was signed, not as it was written: one code has one use.
    found = sealer.index(CredentialType.E_CREDENTIAL, parts[0].hex())
    return Code(code, (region_of(code.person_id), found))


def patient_of(
    state: State,
    shown: Shown,
    patient_id: UUID | None,
    institution: Institution,
    sealer: Sealer,
    day: date,
) -> Person:
    """The person whose credential it is, alive on a day; the name must match where it is given, and
    a one-time code be good at the institution.
    """
    credential = shown.credential
    if shown.code is not None:
        shown.code.use_at(state, institution.institution_code)
    elif credential.type == pb.CREDENTIAL_TYPE_E_CREDENTIAL:
        raise errors.CredentialInvalid
    person = None if patient_id is None else people.person(state, sealer, patient_id)
    if person is None or (credential.name and credential.name.strip() != person.name):
        raise errors.PersonNotMatched
    if person.died_on is not None and person.died_on < day:
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
        listed_zh = "、".join(f"{INSURANCE_ZH[one.insurance]}{one.region}" for one in fitting)
        raise errors.EnrolmentAmbiguous(
            enrolments=listed,
            enrolments_zh=listed_zh,
            violations=[
                errors.Violation("insurance", "有多条可用参保信息，请指明险种"),
                errors.Violation("insured_region", "有多条可用参保信息，请指明参保地"),
            ],
        )
    return fitting[0]


def in_province(enrolment: Enrolment, institution: Institution) -> bool:
    """Whether the institution lies in the province of the insurance: no other settles directly."""
    return enrolment.region[:2] == institution.region[:2]


def place_of(institution: Institution) -> tuple[InstitutionKind, InstitutionLevel]:
    """What kind of place it is, and of what level."""
    return InstitutionKind(institution.kind), InstitutionLevel(institution.level)
