"""People as the rules see them, from the rows that a batch gathered, and the rows they are kept in.

Rule: what identifies someone is opened here for one decision and sealed here for keeping; the seal
is bound to the person and the field.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.person import (
    Enrolment,
    Period,
    Person,
    PremiumYear,
    PremiumYearKind,
    ReferralFiling,
)
from gongji_svc.domain.terms import Insurance, InsuredStatus, PersonType
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.sealing import Sealer, place
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies a person, in clear; never kept so."""

    certificate_type: str
    certificate_number: str
    name: str
    card_no: str | None = None
    phone: str | None = None

    def hashes(self, sealer: Sealer) -> tuple[bytes, ...]:
        """Under what the person is found: the certificate, and the card if there is one."""
        found = [sealer.index(self.certificate_type, self.certificate_number)]
        if self.card_no:
            found.append(sealer.index(CARD, self.card_no))
        return tuple(found)


CARD = "SOCIAL_CARD"
"""The kind under which card numbers are indexed; certificates use their type."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A row of `persons`, by name."""

    region: str
    id: UUID
    key_id: int
    name: bytes
    certificate_type: str
    certificate_number: bytes
    card_no: bytes | None
    phone: bytes | None
    birth_date: date
    died_on: date | None
    guardians: list[dict[str, Any]]
    premium_years: list[dict[str, Any]]
    identities: list[str]
    chronic_diseases: list[str]
    referral_filings: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime

    def opened(self, sealer: Sealer) -> Identity:
        """The identity in clear."""
        return Identity(
            self.certificate_type,
            _open(sealer, self, "certificate_number", self.certificate_number) or "",
            _open(sealer, self, "name", self.name) or "",
            _open(sealer, self, "card_no", self.card_no),
            _open(sealer, self, "phone", self.phone),
        )

    def with_premium_years(self, years: Iterable[PremiumYear], now: datetime) -> Row:
        """The row with other years paid for."""
        kept = [_premium_year_json(year) for year in years]
        changed = replace(self, premium_years=kept, updated_at=now)
        return tuple(getattr(changed, name) for name in self.__slots__)


def person(state: State, sealer: Sealer, person_id: UUID) -> Person | None:
    """The gathered person as the rules see one, None when there is none."""
    row = state.persons.get(person_id)
    if row is None:
        return None
    kept = PersonRow(*row)
    return person_from(kept, list(state.enrolments[person_id].values()), sealer)


def person_from(kept: PersonRow, enrolments: list[Row], sealer: Sealer) -> Person:
    """A person from the rows of `persons` and `enrolments`."""
    return Person(
        person_id=kept.id,
        name=_open(sealer, kept, "name", kept.name) or "",
        birth_date=kept.birth_date,
        died_on=kept.died_on,
        enrolments=tuple(_enrolment(row) for row in enrolments),
        premium_years=tuple(_premium_year(year) for year in kept.premium_years),
        identities=frozenset(kept.identities),
        chronic_diseases=frozenset(kept.chronic_diseases),
        referral_filings=tuple(_referral_filing(filing) for filing in kept.referral_filings),
        guardians=tuple(_guardian(one) for one in kept.guardians),
    )


@dataclass(frozen=True, slots=True)
class Registered:
    """A person to be kept: the identity, and what the rules see."""

    person: Person
    identity: Identity
    created_at: datetime | None = field(default=None)

    def rows(self, sealer: Sealer, now: datetime) -> tuple[Row, list[Row]]:
        """The row of `persons` and the rows of `enrolments`."""
        home = region_of(self.person.person_id)
        enrolments = [_enrolment_row(home, self.person, one) for one in self.person.enrolments]
        return self._row(home, sealer, now), enrolments

    def _row(self, home: str, sealer: Sealer, now: datetime) -> Row:
        person, identity = self.person, self.identity
        seal = _Sealing(sealer, person.person_id)
        return (
            home,
            person.person_id,
            sealer.key_id,
            seal("name", identity.name),
            identity.certificate_type,
            seal("certificate_number", identity.certificate_number),
            seal("card_no", identity.card_no) if identity.card_no else None,
            seal("phone", identity.phone) if identity.phone else None,
            person.birth_date,
            person.died_on,
            [_guardian_json(one) for one in person.guardians],
            [_premium_year_json(year) for year in person.premium_years],
            sorted(person.identities),
            sorted(person.chronic_diseases),
            [_referral_filing_json(filing) for filing in person.referral_filings],
            self.created_at or now,
            now,
        )


def registered_from(kept: PersonRow, enrolments: list[Row], sealer: Sealer) -> Registered:
    """A person with the identity, from the rows of `persons` and `enrolments`."""
    return Registered(person_from(kept, enrolments, sealer), kept.opened(sealer), kept.created_at)


def enrolments_gone(before: Registered | None, after: Registered) -> list[Row]:
    """The primary keys of enrolments that the record no longer has."""
    if before is None:
        return []
    kept = {(one.insurance, one.region) for one in after.person.enrolments}
    person_id = after.person.person_id
    return [
        (region_of(person_id), person_id, one.insurance.value, one.region)
        for one in before.person.enrolments
        if (one.insurance, one.region) not in kept
    ]


@dataclass(frozen=True, slots=True)
class _Sealing:
    sealer: Sealer
    person_id: UUID

    def __call__(self, name: str, value: str) -> bytes:
        return self.sealer.seal(value, place(self.person_id, name))


def _open(sealer: Sealer, kept: PersonRow, name: str, sealed: bytes | None) -> str | None:
    return None if sealed is None else sealer.open(sealed, kept.key_id, place(kept.id, name))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _enrolment(row: Row) -> Enrolment:
    _, _, insurance, insured_region, person_type, periods, arrears_paid_on = row
    return Enrolment(
        Insurance(insurance),
        insured_region,
        PersonType(person_type),
        tuple(
            Period(
                date.fromisoformat(period["from"]),
                _day(period.get("to")),
                InsuredStatus(period["status"]),
                period.get("as_individual", False),
            )
            for period in periods
        ),
        arrears_paid_on,
    )


def _enrolment_row(home: str, person: Person, enrolment: Enrolment) -> Row:
    return (
        home,
        person.person_id,
        enrolment.insurance.value,
        enrolment.region,
        enrolment.person_type.value,
        [_period_json(period) for period in enrolment.periods],
        enrolment.arrears_paid_on,
    )


def _period_json(period: Period) -> dict[str, Any]:
    kept: dict[str, Any] = {"from": period.from_.isoformat(), "status": period.status.value}
    if period.to is not None:
        kept["to"] = period.to.isoformat()
    if period.as_individual:
        kept["as_individual"] = True
    return kept


def _premium_year(kept: dict[str, Any]) -> PremiumYear:
    payment_id = kept.get("payment_id")
    return PremiumYear(
        kept["year"],
        date.fromisoformat(kept["paid_on"]),
        PremiumYearKind(kept["kind"]),
        _day(kept.get("benefit_from")),
        None if payment_id is None else UUID(payment_id),
    )


def _premium_year_json(year: PremiumYear) -> dict[str, Any]:
    kept = {"year": year.year, "paid_on": year.paid_on.isoformat(), "kind": year.kind.value}
    if year.benefit_from is not None:
        kept["benefit_from"] = year.benefit_from.isoformat()
    return kept if year.payment_id is None else {**kept, "payment_id": str(year.payment_id)}


def _referral_filing(kept: dict[str, Any]) -> ReferralFiling:
    return ReferralFiling(kept["region"], date.fromisoformat(kept["from"]), _day(kept.get("to")))


def _referral_filing_json(filing: ReferralFiling) -> dict[str, Any]:
    kept = {"region": filing.region, "from": filing.from_.isoformat()}
    return kept if filing.to is None else {**kept, "to": filing.to.isoformat()}


def _guardian(kept: dict[str, Any]) -> Guardian:
    return Guardian(
        UUID(kept["person_id"]),
        GuardianKind(kept["kind"]),
        _day(kept.get("from")),
        _day(kept.get("to")),
    )


def _guardian_json(guardian: Guardian) -> dict[str, str]:
    kept = {"person_id": str(guardian.guardian_id), "kind": guardian.kind.value}
    days = (("from", guardian.from_), ("to", guardian.to))
    return kept | {name: day.isoformat() for name, day in days if day is not None}
