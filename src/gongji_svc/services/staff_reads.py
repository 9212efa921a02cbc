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
        audit_writes.add(tx, audited.row(_doer(caller, method), at))


def _recorded(caller: Caller, method: Method) -> bool:
    if caller.role in (Role.CITIZEN, Role.POS):
        return False
    to_all = (access_pb2.ROLE_CITIZEN, access_pb2.SUBJECT_ANY)
    return all((grant.role, grant.subject) != to_all for grant in method.access.grants)


def _doer(caller: Caller, method: Method) -> Doer:
    action = method.path.removeprefix("/")
    return Doer(caller.role.value, caller.subject, caller.actor, caller.origin, action)


def _subject(caller: Caller, method: Method, request: Message) -> tuple[str, str]:
    """Kind and id of what the request names; else the region that it looks through."""
    for grant in grants_of(caller, method):
        value = getattr(request, grant.field) if grant.field else None
        if isinstance(value, Message) and request.HasField(grant.field):
            return grant.field, ""
        if isinstance(value, str) and value:
            person = grant.field in _THEMSELVES
            return "person" if person else grant.field.removesuffix("_id"), value
    return "region", caller.subject


def _gather(message: Message, ids: Ids) -> None:
    """All ids of people, and of what has people behind it, anywhere in a message."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                _gather(inner, ids)
        elif field.name in _NAMED and (found := parse_id(value)) is not None:
            ids[field.name].append(found)
