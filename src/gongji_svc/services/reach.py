"""Whom a caller may act for, as far as only stored data can tell.

Rule: a citizen acts for oneself and for wards; staff for the people whose home is their region or
who are insured there. Who is out of reach is answered as who does not exist.
"""

from datetime import date
from uuid import UUID

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import AccessDenied
from gongji_svc.domain.person import Person
from gongji_svc.storage.ids import parse_id, region_of


def person_named(text: str) -> UUID | None:
    """The person in a field that may be empty; AccessDenied for an id that nobody can have."""
    if not text:
        return None
    person_id = parse_id(text)
    if person_id is None:
        raise AccessDenied
    return person_id


def reaches(caller: Caller, person: Person, today: date) -> bool:
    """Whether the caller may act for this person today."""
    if caller.role is Role.CITIZEN:
        return caller.subject == str(person.person_id) or guards(caller, person, today)
    home = region_of(person.person_id)
    return caller.subject in {home, *(one.region for one in person.enrolments)}


def guards(caller: Caller, person: Person, today: date) -> bool:
    """Whether the caller is a guardian who may act for this person today."""
    if caller.role is not Role.CITIZEN:
        return False
    guardian_id = parse_id(caller.subject)
    return guardian_id is not None and person.has_guardian(guardian_id, today)


def acting_for(caller: Caller, person: Person, today: date) -> dict[str, str]:
    """Who acts for a person, as it is kept: {role, subject, actor}; a guardian is the actor."""
    if guards(caller, person, today):
        return {
            "role": caller.role.value,
            "subject": str(person.person_id),
            "actor": caller.subject,
        }
    return acting_as(caller)


def acting_as(caller: Caller) -> dict[str, str]:
    """The caller as it is kept: {role, subject, actor}."""
    return {"role": caller.role.value, "subject": caller.subject, "actor": caller.actor}


def caller_region(caller: Caller) -> str:
    """Where the caller's own requests are kept: a citizen's home region, a clerk's region."""
    if caller.role is not Role.CITIZEN:
        return caller.subject
    person_id = person_named(caller.subject)
    if person_id is None:
        raise AccessDenied
    return region_of(person_id)


def request_owner(caller: Caller) -> str:
    """Whose the caller's request ids are: where several roles of a region may make the same call,
    none of them is told another's answer.
    """
    shared = caller.role in (Role.COUNTER, Role.REVIEWER, Role.PLATFORM)
    return f"{caller.role.value}:{caller.subject}" if shared else caller.subject
