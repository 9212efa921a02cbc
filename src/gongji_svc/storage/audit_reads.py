"""The audit trail for those who read it: a page, newest first.

Rule: a page is in the order (recorded_at, id), falling. New records stand before the first page, so
nothing enters a list behind what was already read of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select, tuple_

from gongji_svc.storage import tables
from gongji_svc.storage.tables.columns import NONE

_RECORDS = tables.audit_records.c
_NEWEST_FIRST = (_RECORDS.recorded_at.desc(), _RECORDS.id.desc())

Place = tuple[datetime, UUID]
"""Where a record stands in the trail: (recorded_at, id)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records of a region are listed; what is None or empty is any. A person is also the
    subject of a read that showed their data.
    """

    region: str
    role: str = ""
    actor: str = ""
    action: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    from_time: datetime | None = None
    to_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of `audit_records`, by name."""

    region: str
    id: UUID
    recorded_at: datetime
    role: str
    subject: str
    actor: str
    origin: str
    action: str
    subject_kind: str
    subject_id: str
    changes: list[dict[str, Any]]
    request_id: str
    reason: str
    people: list[str]


def list_records(
    tx: sqlalchemy.Connection, choice: Choice, before: Place | None, limit: int
) -> Sequence[AuditRow]:
    """At most `limit` of the chosen records, those recorded before `before`."""
    query = select(*_RECORDS).where(*_conditions(choice)).order_by(*_NEWEST_FIRST).limit(limit)
    if before is not None:
        query = query.where(tuple_(_RECORDS.recorded_at, _RECORDS.id) < tuple_(*before))
    return [AuditRow(*row) for row in tx.execute(query)]


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield _RECORDS.region == choice.region
    for name in ("role", "actor", "action", "subject_kind"):
        wanted = getattr(choice, name)
        if wanted:
            yield _RECORDS[name] == wanted
    if choice.subject_id:
        read_of = _RECORDS.people.contains([choice.subject_id]) & (_RECORDS.people != NONE)
        yield (_RECORDS.subject_id == choice.subject_id) | read_of
    if choice.from_time is not None:
        yield _RECORDS.recorded_at >= choice.from_time
    if choice.to_time is not None:
        yield _RECORDS.recorded_at < choice.to_time
