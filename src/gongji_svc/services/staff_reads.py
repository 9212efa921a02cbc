"""What staff and platforms read: each call leaves a record in the audit trail.

Rule: the record comes before the answer: where it can't be kept, nothing is shown. It says who
read, from where, what the request named, and the ids of the people whose data the answer showed;
it holds no value. A citizen reads what is their own and a till what it is asked to pay: neither is
recorded, and no more is what every citizen may read.
"""

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gongji.v1 import access_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.access import grants_of
from gongji_svc.services.audit import Audited, Doer
from gongji_svc.services.contract import Method
from gongji_svc.services.office import Office
from gongji_svc.storage import audit_writes
from gongji_svc.storage.ids import parse_id

_THEMSELVES = ("person_id", "donor_id", "beneficiary_id")
_BEHIND = {
    "account_id": audit_writes.owners,
    "binding_id": audit_writes.bound,
    "document_id": audit_writes.proven,
}
_NAMED = frozenset((*_THEMSELVES, *_BEHIND))

RECORDED = frozenset(Role) - {Role.CITIZEN, Role.POS}
"""Roles of whom the trail tells what they look at, and what they are refused."""

Ids = Mapping[str, list[UUID]]


def record(
    office: Office, caller: Caller, method: Method, request: Message, answer: Message | None
) -> None:
    """Keep that the caller was shown `answer` (None: a stream, of what the request names)."""
    if not _recorded(caller, method):
        return
    ids: defaultdict[str, list[UUID]] = defaultdict(list)
    for message in (request, answer):
        if message is not None:
            _gather(message, ids)
    with office.database.transaction() as tx:
        people = [one for name in _THEMSELVES for one in ids[name]]
        for name, behind in _BEHIND.items():
            people.extend(behind(tx, ids[name]))
        shown = list(dict.fromkeys(map(str, people)))
        kind, named = _subject(caller, method, request)
        if kind == "certificate":  # of whoever was found by it, and is told first
            kind, named = "person", shown[0]
        audited = Audited(kind, named, caller.subject, {}, {}, people=shown)
        at = audit_writes.clock(tx) + office.clock_offset
        audit_writes.add(tx, audited.row(doer(caller, method), at))


def _recorded(caller: Caller, method: Method) -> bool:
    if caller.role not in RECORDED:
        return False
    to_all = (access_pb2.ROLE_CITIZEN, access_pb2.SUBJECT_ANY)
    return all((grant.role, grant.subject) != to_all for grant in method.access.grants)


def doer(caller: Caller, method: Method) -> Doer:
    """Who calls, and what."""
    action = method.path.removeprefix("/")
    return Doer(caller.role.value, caller.subject, caller.actor, caller.origin, action)


def _subject(caller: Caller, method: Method, request: Message) -> tuple[str, str]:
    """Kind and id of what the request names; else the region that it looks through."""
    for grant in grants_of(caller, method):
        value = getattr(request, grant.field) if grant.field else None
        if isinstance(value, Message) and request.HasField(grant.field):
            return grant.field, ""
        if isinstance(value, str) and value:
            return kind_named(grant.field), value
    return "region", caller.subject


def kind_named(field: str) -> str:
    """The kind of thing that a field of the contract names by its id."""
    return "person" if field in _THEMSELVES else field.removesuffix("_id")


def _gather(message: Message, ids: Ids) -> None:
    """All ids of people, and of what has people behind it, anywhere in a message."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                _gather(inner, ids)
        elif field.name in _NAMED and (found := parse_id(value)) is not None:
            ids[field.name].append(found)
