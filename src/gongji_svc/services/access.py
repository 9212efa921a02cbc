"""Who may call what: the access option of the contract, applied to one request.

Rule: denied unless a grant of the caller's role fits. What only stored data can decide (the region
of a platform's institution, a ward's guardian, an object's owner) is left to the service, which
asks it under the same lock as everything else; nobody learns from a refusal whether something
exists.
"""

from collections.abc import Iterator

from google.protobuf.message import Message

from gongji.v1 import access_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import AccessDenied
from gongji_svc.services.contract import Method

_ROLES = {role: access_pb2.Role.Value(f"ROLE_{role.name}") for role in Role}
_DECIDED_LATER = {
    (Role.PLATFORM, access_pb2.SUBJECT_INSTITUTION),
    (Role.CITIZEN, access_pb2.SUBJECT_PERSON),
    (Role.COUNTER, access_pb2.SUBJECT_PERSON),
    (Role.REVIEWER, access_pb2.SUBJECT_PERSON),
    (Role.AGENCY, access_pb2.SUBJECT_PERSON),
    (Role.TAX, access_pb2.SUBJECT_PERSON),
}


def check_role(caller: Caller, method: Method) -> None:
    """AccessDenied unless the contract lets the caller's role call the method at all."""
    if not any(grants_of(caller, method)):
        raise AccessDenied


def check_subject(caller: Caller, method: Method, request: Message) -> None:
    """AccessDenied unless a grant of the caller's role fits the request, as far as it tells."""
    if not any(_fits(grant, caller, request) for grant in grants_of(caller, method)):
        raise AccessDenied


def grants_of(caller: Caller, method: Method) -> Iterator[access_pb2.Grant]:
    """What the contract grants to the caller's role."""
    role = _ROLES[caller.role]
    return (grant for grant in method.access.grants if grant.role == role)


def _fits(grant: access_pb2.Grant, caller: Caller, request: Message) -> bool:
    if grant.subject == access_pb2.SUBJECT_ANY:
        return True
    named = _values(request, grant.field)
    if grant.subject == access_pb2.SUBJECT_OBJECT:
        return bool(named)
    if not named:  # a till may leave its own institution unsaid
        return caller.role is Role.POS and grant.subject == access_pb2.SUBJECT_INSTITUTION
    return named == {caller.subject} or (caller.role, grant.subject) in _DECIDED_LATER


def _values(request: Message, path: str) -> set[str]:
    """What a field says, by its path; each element's, where the path runs through a list."""
    found: list[object] = [request]
    for name in path.split("."):
        found = [inner for outer in found for inner in _items(getattr(outer, name))]
    return {str(value) for value in found} - {""}


def _items(value: object) -> list[object]:
    if isinstance(value, str | int | Message):
        return [value]
    return list(value)  # type: ignore[call-overload, no-any-return]  # a repeated field
