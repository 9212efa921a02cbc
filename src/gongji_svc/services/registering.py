"""What becomes of a stated person: found or new, changed or as it was, or refused.

Rule: decided purely over what is `Known`, the same for a Put and for a file that is loaded. Who
may state something comes first, then whether it can be. Certificates and cards have one owner. No
agency lets itself into a record: docs/decisions/access.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from gongji_svc.domain import errors, registration
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.person import Person, same_name
from gongji_svc.services import messages
from gongji_svc.services.person_messages import Stated, with_guardians
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.people import Identity, Registered
from gongji_svc.storage.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Known:
    """Who is registered: by hash, and the record by id."""

    owner_of: Callable[[bytes], UUID | None]
    record_of: Callable[[UUID], Registered | None]


@dataclass(frozen=True, slots=True)
class Put:
    """A record before (None: new) and after, and the hashes under which the person is now found, or
    no longer found."""

    before: Registered | None
    after: Registered
    added: tuple[bytes, ...]
    dropped: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Agency:
    """Whose agency states, and when; `served`: its region has rules, so that new people may be
    registered there.
    """

    region: str
    today: date
    served: bool


class Desk:
    """Puts several people one after the other; each sees what became of those before."""

    def __init__(self, agency: Agency, known: Known, sealer: Sealer) -> None:
        self._agency = agency
        self._before = known
        self._sealer = sealer
        self._now = Known(self._owner_of, self._record_of)
        self.owners: dict[bytes, UUID | None] = {}
        """Who is now found by the hashes that changed hands; None: nobody."""
        self.changes: dict[UUID, tuple[Registered | None, Registered]] = {}
        """The record before and after, of each who was put."""

    def put(self, stated: Stated) -> Put:
        """Put one person; the first Refusal that applies, and then nothing has changed."""
        made = put(stated, self._agency, self._now, self._sealer)
        person_id = made.after.person.person_id
        first, _ = self.changes.get(person_id, (made.before, None))
        self.changes[person_id] = (first, made.after)
        self.owners |= dict.fromkeys(made.dropped) | dict.fromkeys(made.added, person_id)
        return made

    def _owner_of(self, hashed: bytes) -> UUID | None:
        if hashed in self.owners:
            return self.owners[hashed]
        return self._before.owner_of(hashed)

    def _record_of(self, person_id: UUID) -> Registered | None:
        if person_id in self.changes:
            return self.changes[person_id][1]
        return self._before.record_of(person_id)


def affects_bindings(before: Registered | None, after: Registered) -> bool:
    """Whether somebody known is stated otherwise in what bindings rest on."""
    if before is None:
        return False
    was, now = before.person, after.person
    return (was.enrolments, was.died_on, was.identities) != (
        now.enrolments,
        now.died_on,
        now.identities,
    )


def put(stated: Stated, agency: Agency, known: Known, sealer: Sealer) -> Put:
    """What the agency's statement makes of the record; the first Refusal that applies."""
    before = _found(stated, agency.region, known, sealer)
    if before is None:
        _check_home(stated, agency)
    else:
        _check_part(before, stated, agency)
    person = with_guardians(stated, _guardian_ids(stated, before, known))
    if before is None:
        after = _new(stated, person, agency.region)
    else:
        after = _restated(before, stated, person, agency.region)
    old = () if before is None else before.identity.hashes(sealer)
    unchanged = before is not None and before.identity == after.identity
    new = old if unchanged else stated.hashes
    _check_owners(after, new, known)
    return Put(
        before,
        after,
        added=tuple(one for one in new if one not in old),
        dropped=tuple(one for one in old if one not in new),
    )


def _found(stated: Stated, agency: str, known: Known, sealer: Sealer) -> Registered | None:
    """The record that is meant; None for somebody new."""
    if stated.person_id is not None:
        record = known.record_of(stated.person_id)
        if record is None and region_of(stated.person_id) == agency:
            raise errors.PersonNotFound
        if record is None:
            raise errors.AccessDenied
        return _ordered(record)
    certificate = stated.hashes[0]
    person_id = known.owner_of(certificate)
    if person_id is None:
        return None
    record = known.record_of(person_id)
    if record is None or certificate not in record.identity.hashes(sealer):
        raise errors.ConcurrentChange  # it was given to somebody else since it was looked up
    return _ordered(record)


def _ordered(record: Registered) -> Registered:
    return replace(record, person=registration.ordered(record.person))


def _guardian_ids(stated: Stated, before: Registered | None, known: Known) -> list[UUID]:
    """The guardians' ids; InvalidField for one who is not registered, or the person itself."""
    own_id = None if before is None else before.person.person_id
    found: list[UUID] = []
    for at, (guardian, hashed) in enumerate(
        zip(stated.registered.person.guardians, stated.guardian_hashes, strict=True)
    ):
        field = f"{stated.path}.guardians[{at}]"
        guardian_id = _registered_id(guardian.guardian_id, hashed, known)
        if guardian_id is None:
            raise messages.invalid(Violation(field, "监护人尚未登记，请先登记监护人"))
        if guardian_id == own_id:
            raise messages.invalid(Violation(field, "监护人不能是本人"))
        found.append(guardian_id)
    return found


def _registered_id(person_id: UUID, hashed: bytes | None, known: Known) -> UUID | None:
    """Who is named by a certificate or, without one, by id; None where nobody is registered."""
    if hashed is not None:
        return known.owner_of(hashed)
    return None if known.record_of(person_id) is None else person_id


def _check_home(stated: Stated, agency: Agency) -> None:
    """Somebody new is registered by the agency of the home region, if it is served."""
    if stated.home_region not in ("", agency.region):
        raise errors.AccessDenied
    if not agency.served:
        raise errors.RegionNotServed(region=agency.region)


def _check_part(before: Registered, stated: Stated, agency: Agency) -> None:
    """The home region's agency states the record; another's has a part in it by insurance there,
    which it may state for the first time once nobody else has the person insured.
    """
    home = region_of(before.person.person_id)
    if agency.region != home:
        known = registration.has_part(agency.region, before.person)
        if not known and not registration.has_part(agency.region, stated.registered.person):
            raise errors.AccessDenied
        if not _same_person(before.identity, stated.registered.identity):
            by_id = stated.person_id is not None
            raise errors.AccessDenied if by_id and not known else errors.PersonNotMatched
        if not known:
            _check_free(before.person, agency)
    if stated.home_region not in ("", home):
        raise errors.HomeRegionFixed


def _check_free(person: Person, agency: Agency) -> None:
    if person.died_on is not None:
        raise errors.PersonDeceased
    if registration.is_insured_elsewhere(agency.region, person, agency.today):
        raise errors.InsuredElsewhere


def _new(stated: Stated, person: Person, agency: str) -> Registered:
    return replace(stated.registered, person=replace(person, person_id=new_id(agency)))


def _restated(before: Registered, stated: Stated, person: Person, agency: str) -> Registered:
    person = replace(person, person_id=before.person.person_id)
    person = registration.with_years_paid_here(before.person, person)
    if agency == region_of(before.person.person_id):
        identity = replace(stated.registered.identity, phone=before.identity.phone)
        return replace(before, person=person, identity=identity)
    after = registration.restated(before.person, person, agency)
    return replace(before, person=registration.ordered(after))


def _same_person(one: Identity, other: Identity) -> bool:
    certificates = {
        (identity.certificate_type, identity.certificate_number.upper())
        for identity in (one, other)
    }
    return len(certificates) == 1 and same_name(one.name, other.name)


def _check_owners(after: Registered, hashes: Sequence[bytes], known: Known) -> None:
    """Nobody else has the certificate or the card."""
    for hashed, refusal in zip(hashes, (errors.CertificateInUse, errors.CardInUse), strict=False):
        if known.owner_of(hashed) not in (None, after.person.person_id):
            raise refusal
