"""Whose bindings are to be looked at, and when: the rows that workers share out among themselves.

Rule: a row is locked by the one who acts on it, and what another holds is passed over, so any
number take rows at once and each is taken once. A row goes in the transaction that acted on it:
who dies in the middle leaves it to the next. A statement that locks names one region.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy
from sqlalchemy import and_, delete, insert, or_, select, tuple_

from gongji_svc.domain.binding import LIVING
from gongji_svc.storage import tables
from gongji_svc.storage.state import key_of
from gongji_svc.storage.statements import Row

_CHECKS = tables.binding_checks.c
_BINDINGS = tables.bindings.c
_INDEX = tables.donor_bindings.c


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows that this transaction holds: of some people of one region, all that are free."""

    region: str
    ids: Sequence[UUID]
    people: frozenset[UUID]


def due_regions(tx: sqlalchemy.Connection, today: date, limit: int) -> Sequence[str]:
    """The regions of the first `limit` rows that are due, the longest due first; without a lock."""
    query = select(_CHECKS.region).where(_CHECKS.due_on <= today).order_by(_CHECKS.due_on)
    return list(dict.fromkeys(tx.scalars(query.limit(limit))))


def take_due(tx: sqlalchemy.Connection, region: str, today: date, limit: int) -> Taken:
    """Lock at most `limit` due rows of a region, then all other rows of the same people."""
    in_region = _CHECKS.region == region
    due = select(_CHECKS.person_id).where(in_region, _CHECKS.due_on <= today)
    first = due.order_by(_CHECKS.due_on).limit(limit).with_for_update(skip_locked=True)
    people = frozenset(tx.scalars(first))
    theirs = select(_CHECKS.id).where(in_region, _CHECKS.person_id.in_(people))
    ids = tx.scalars(theirs.with_for_update(skip_locked=True)).all() if people else ()
    return Taken(region, ids, people)


def living_bindings(tx: sqlalchemy.Connection, taken: Taken) -> Mapping[UUID, Sequence[UUID]]:
    """The bindings that are not over, by the person who gives or takes; of whom has any."""
    giving = and_(_INDEX.region == taken.region, _INDEX.donor_id.in_(taken.people))
    given = [key_of(found) for found in tx.scalars(select(_INDEX.binding_id).where(giving))]
    taking = and_(_BINDINGS.region == taken.region, _BINDINGS.beneficiary_id.in_(taken.people))
    query = select(_BINDINGS.id, _BINDINGS.donor_id, _BINDINGS.beneficiary_id).where(
        or_(taking, tuple_(_BINDINGS.region, _BINDINGS.id).in_(given)),
        _BINDINGS.state.in_(sorted(LIVING)),
    )
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for binding_id, *both in tx.execute(query):
        for person_id in taken.people.intersection(both):
            found[person_id].append(binding_id)
    return found


def put_back(tx: sqlalchemy.Connection, taken: Taken, rows: Collection[Row]) -> None:
    """Remove the rows taken, and write those of the next looks."""
    gone = and_(_CHECKS.region == taken.region, _CHECKS.id.in_(taken.ids))
    tx.execute(delete(tables.binding_checks).where(gone))
    named = [dict(zip(_CHECKS.keys(), row, strict=True)) for row in rows]
    if named:
        tx.execute(insert(tables.binding_checks), named)
