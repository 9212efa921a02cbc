"""The audit trail: who changed what, when, from where, with the values before and after.

Rule: a record is a row of the same decision as the change, so neither is ever without the other.
It names ids and values of the contract's fields, nobody's name, number or telephone: that these
changed is told, not how. Reads are recorded by `staff_reads.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from gongji_svc.domain.access import Role
from gongji_svc.services.asked import Asked
from gongji_svc.storage import tables
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import TableRow

Facts = Mapping[str, Any]
"""What is audited of a thing: values that JSON can hold, by the contract's field names."""

_HIDDEN = '"***"'


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something; a worker of this program has no role, and its job as actor."""

    role: str
    subject: str
    actor: str
    origin: str
    action: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """A thing as it was (empty: it did not exist) and as it is; the values of `hidden` fields are
    not told. `people`: whose data was shown, of a thing that was only read.
    """

    kind: str
    id: object
    region: str
    before: Facts
    after: Facts
    reason: str = ""
    hidden: frozenset[str] = frozenset()
    people: Sequence[str] = ()

    def row(self, doer: Doer, at: datetime) -> TableRow:
        """The record, in the trail of `region`."""
        changes = list(self._changes())
        return tables.audit_records, (
            self.region,
            new_id(self.region),
            at,
            doer.role,
            doer.subject,
            doer.actor,
            doer.origin,
            doer.action,
            self.kind,
            str(self.id),
            changes,
            doer.request_id,
            self.reason,
            list(self.people),
        )

    def _changes(self) -> Iterator[dict[str, str]]:
        for name in dict.fromkeys((*self.before, *self.after)):
            old, new = _text(self.before.get(name)), _text(self.after.get(name))
            if old != new:
                if name in self.hidden:
                    old, new = old and _HIDDEN, new and _HIDDEN
                yield {"field": name, "before": old, "after": new}


def doer_of(asked: Asked, acting: Mapping[str, str]) -> Doer:
    """Who asks; `acting` is {role, subject, actor}, which tells a guardian from the ward.

    The trail is searched by actor: there, a citizen who acts for oneself is one too.
    """
    oneself = acting["subject"] if acting["role"] == Role.CITIZEN else ""
    return Doer(
        role=acting["role"],
        subject=acting["subject"],
        actor=acting["actor"] or oneself,
        origin=asked.caller.origin,
        action=asked.method.path.removeprefix("/"),
        request_id=asked.message.request_id,
    )


def facts_of(message: Message) -> Facts:
    """What is audited of a thing of which all is."""
    return MessageToDict(message, preserving_proto_field_name=True)


def worker(job: str) -> Doer:
    """A worker of this program."""
    return Doer(role="", subject="", actor=job, origin="", action=job)


def _text(value: Any) -> str:
    """JSON text; empty where there is nothing."""
    return "" if value in (None, [], {}, "") else json.dumps(value, ensure_ascii=False)
