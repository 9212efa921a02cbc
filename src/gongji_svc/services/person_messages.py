"""People between the contract's messages and the domain's values.

Rule: what a message states is read once, here, for a Put and for a file that is loaded; what is
shown is masked here, according to who looks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any
from uuid import UUID

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import registration
from gongji_svc.domain.certificate import birth_date_in, identity_card_faults
from gongji_svc.domain.errors import AccessDenied, Violation
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.masking import masked_name, masked_number
from gongji_svc.domain.person import (
    Enrolment,
    Period,
    Person,
    PremiumYear,
    PremiumYearKind,
    ReferralFiling,
)
from gongji_svc.domain.terms import Insurance, InsuredStatus, PersonType
from gongji_svc.services import messages
from gongji_svc.services.days import date_of, day_in
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.storage.ids import parse_id, region_of
from gongji_svc.storage.people import Identity, Registered
from gongji_svc.storage.sealing import Sealer

NOBODY = UUID(int=0)
"""Who a stated person is before being found or registered."""


class Sight(Enum):
    """Who looks at a record: the agency sees it whole, a citizen without the numbers' middle, a
    counter without the name's rest as well."""

    AGENCY = "agency"
    CITIZEN = "citizen"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Stated:
    """A record as a message states it; guardians named by certificate are still to be found."""

    person_id: UUID | None
    home_region: str
    registered: Registered
    hashes: tuple[bytes, ...]  # of the certificate, and of the card if there is one
    guardian_hashes: tuple[bytes | None, ...]  # None: the guardian is named by id
    path: str

    def looked_up(self) -> tuple[bytes, ...]:
        """Under what the person and the guardians are looked up."""
        return (*self.hashes, *(one for one in self.guardian_hashes if one is not None))


def stated(message: pb.Person, path: str, sealer: Sealer) -> Stated:
    """Read a stated record; InvalidField names each field that is wrong, below `path`."""
    person_id = parse_id(message.person_id) if message.person_id else None
    if message.person_id and person_id is None:
        raise AccessDenied
    person = _person(message, path, person_id or NOBODY)
    found = _faults(message, person)
    faults = [Violation(f"{path}.{one.field}", one.message_zh) for one in found]
    if faults:
        raise messages.invalid(*faults)
    identity = _identity(message)
    return Stated(
        person_id,
        message.home_region,
        Registered(registration.ordered(person), identity),
        identity.hashes(sealer),
        tuple(_guardian_hash(one, sealer) for one in message.guardians),
        path,
    )


def _faults(message: pb.Person, person: Person) -> list[Violation]:
    faults = list(registration.faults(person))
    if message.certificate.type == types_pb2.CERTIFICATE_TYPE_ID_CARD:
        faults.extend(identity_card_faults(message.certificate.number, person.birth_date))
    elif person.birth_date is None:
        faults.append(Violation("birth_date", "请填写出生日期"))
    return faults


def _identity(message: pb.Person) -> Identity:
    kind = enum_name(types_pb2.CertificateType, message.certificate.type)
    name = message.name.strip()
    return Identity(kind, message.certificate.number, name, message.card_no or None)


def _person(message: pb.Person, path: str, person_id: UUID) -> Person:
    return Person(
        person_id=person_id,
        name=message.name.strip(),
        birth_date=day_in(message, "birth_date", path) or _birth_date(message),
        died_on=day_in(message, "died_on", path),
        enrolments=tuple(
            _enrolment(one, f"{path}.enrolments[{at}]") for at, one in enumerate(message.enrolments)
        ),
        premium_years=tuple(
            PremiumYear(
                one.year,
                _required_day(one, "paid_on", f"{path}.premium_years[{at}]"),
                PremiumYearKind(enum_name(pb.PremiumYearKind, one.kind)),
            )
            for at, one in enumerate(message.premium_years)
        ),
        identities=frozenset(message.identities),
        chronic_diseases=frozenset(message.chronic_diseases),
        referral_filings=tuple(
            ReferralFiling(one.region, *_span(one, f"{path}.referral_filings[{at}]"))
            for at, one in enumerate(message.referral_filings)
        ),
        guardians=tuple(
            _guardian(one, f"{path}.guardians[{at}]") for at, one in enumerate(message.guardians)
        ),
    )


def _birth_date(message: pb.Person) -> date | None:
    if message.certificate.type != types_pb2.CERTIFICATE_TYPE_ID_CARD:
        return None
    return birth_date_in(message.certificate.number)


def _required_day(
    message: pb.EnrolmentPeriod | pb.PremiumYear | pb.ReferralFiling, name: str, path: str
) -> date:
    day = day_in(message, name, path)
    assert day is not None  # noqa: S101 - the contract's rules ask for it
    return day


def _span(message: pb.EnrolmentPeriod | pb.ReferralFiling, path: str) -> tuple[date, date | None]:
    return _required_day(message, "from", path), day_in(message, "to", path)


def _enrolment(message: pb.Enrolment, path: str) -> Enrolment:
    return Enrolment(
        Insurance(enum_name(types_pb2.Insurance, message.insurance)),
        message.region,
        PersonType(enum_name(types_pb2.PersonType, message.person_type)),
        tuple(
            Period(
                *_span(one, f"{path}.periods[{at}]"),
                InsuredStatus(enum_name(pb.InsuredStatus, one.status)),
                one.as_individual,
            )
            for at, one in enumerate(message.periods)
        ),
        day_in(message, "arrears_paid_on", path),
    )


def _guardian(message: pb.Guardian, path: str) -> Guardian:
    kind = GuardianKind.PARENT
    if message.kind:
        kind = GuardianKind(enum_name(pb.GuardianKind, message.kind))
    guardian_id = parse_id(message.person_id) or NOBODY
    return Guardian(guardian_id, kind, day_in(message, "from", path), day_in(message, "to", path))


def _guardian_hash(message: pb.Guardian, sealer: Sealer) -> bytes | None:
    if message.WhichOneof("guardian") == "person_id":
        return None
    kind = enum_name(types_pb2.CertificateType, message.certificate.type)
    return sealer.index(kind, message.certificate.number)


def with_guardians(stated: Stated, guardian_ids: list[UUID]) -> Person:
    """The stated person with all guardians known by id."""
    person = stated.registered.person
    pairs = zip(person.guardians, guardian_ids, strict=True)
    return replace(person, guardians=tuple(replace(one, guardian_id=who) for one, who in pairs))


def person_message(registered: Registered, sight: Sight) -> pb.Person:
    """A record as this caller may see it."""
    person, identity = registered.person, registered.identity
    masked = sight is not Sight.AGENCY
    number, card_no = identity.certificate_number, identity.card_no or ""
    kind = enum_number(types_pb2.CertificateType, identity.certificate_type)
    return pb.Person(
        person_id=str(person.person_id),
        name=masked_name(person.name) if sight is Sight.COUNTER else person.name,
        certificate=types_pb2.Certificate(
            type=kind, number=masked_number(number) if masked else number
        ),
        card_no=masked_number(card_no) if masked else card_no,
        birth_date=date_of(person.birth_date),
        died_on=date_of(person.died_on),
        guardians=[_guardian_message(one) for one in person.guardians],
        enrolments=[_enrolment_message(one) for one in person.enrolments],
        premium_years=[
            pb.PremiumYear(
                year=one.year,
                paid_on=date_of(one.paid_on),
                kind=enum_number(pb.PremiumYearKind, one.kind.value),
            )
            for one in _years_shown(person)
        ],
        identities=sorted(person.identities),
        chronic_diseases=sorted(person.chronic_diseases),
        referral_filings=[
            pb.ReferralFiling(region=one.region, to=date_of(one.to), **_from(one.from_))
            for one in person.referral_filings
        ],
        home_region=region_of(person.person_id),
    )


def _years_shown(person: Person) -> Iterable[PremiumYear]:
    """Each year once: as a payment brought it, else as it was stated."""
    shown: dict[int, PremiumYear] = {}
    for one in person.premium_years:
        shown.setdefault(one.year, one)
    return shown.values()


def _from(day: date | None) -> dict[str, Any]:
    """The field `from`, whose name Python keeps for itself."""
    return {"from": date_of(day)}


def _guardian_message(guardian: Guardian) -> pb.Guardian:
    return pb.Guardian(
        person_id=str(guardian.guardian_id),
        kind=enum_number(pb.GuardianKind, guardian.kind.value),
        to=date_of(guardian.to),
        **_from(guardian.from_),
    )


def _enrolment_message(enrolment: Enrolment) -> pb.Enrolment:
    return pb.Enrolment(
        insurance=enum_number(types_pb2.Insurance, enrolment.insurance.value),
        region=enrolment.region,
        person_type=enum_number(types_pb2.PersonType, enrolment.person_type.value),
        periods=[_period_message(one) for one in enrolment.periods],
        arrears_paid_on=date_of(enrolment.arrears_paid_on),
    )


def _period_message(period: Period) -> pb.EnrolmentPeriod:
    return pb.EnrolmentPeriod(
        to=date_of(period.to),
        status=enum_number(pb.InsuredStatus, period.status.value),
        as_individual=period.as_individual,
        **_from(period.from_),
    )
