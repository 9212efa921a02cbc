"""Bindings for those who look: one, or a page of a list, with their documents.

Rule: a list is in the order of application, (created_at, id). Both people of a binding are locked
when it is made and the clock is read after, so nothing enters a person's list before what was
already read of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, select, tuple_

from gongji_svc.domain.binding import BindingState
from gongji_svc.storage import tables
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.documents import DocumentRow
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import key_of

_BINDINGS = tables.bindings.c
_IN_ORDER = (_BINDINGS.created_at, _BINDINGS.id)

Place = tuple[datetime, UUID]
"""Where a binding stands in a list: (created_at, id)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which bindings are listed; what is absent is any. One of the three must be given."""

    donor_id: UUID | None = None
    beneficiary_id: UUID | None = None
    donor_region: str | None = None
    states: frozenset[BindingState] = frozenset()


def read_binding(tx: sqlalchemy.Connection, binding_id: UUID) -> Kept | None:
    """The binding with this id."""
    query = select(*_BINDINGS).where(
        _BINDINGS.region == region_of(binding_id), _BINDINGS.id == binding_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else kept_from(tuple(row))


def list_bindings(
    tx: sqlalchemy.Connection, choice: Choice, after: Place | None, limit: int
) -> Sequence[Kept]:
    """At most `limit` of the chosen bindings, those behind `after`."""
    query = select(*_BINDINGS).where(*_conditions(tx, choice)).order_by(*_IN_ORDER).limit(limit)
    if after is not None:
        query = query.where(tuple_(*_IN_ORDER) > tuple_(*after))
    return [kept_from(tuple(row)) for row in tx.execute(query)]


def read_documents(
    tx: sqlalchemy.Connection, bindings: Iterable[Kept]
) -> dict[UUID, Sequence[DocumentRow]]:
    """The documents of bindings, by binding, in the order they were named."""
    named = {kept.binding.binding_id: kept.document_ids for kept in bindings}
    keys = [key_of(document_id) for ids in named.values() for document_id in ids]
    documents = tables.documents.c
    query = select(*documents).where(tuple_(documents.region, documents.id).in_(keys))
    found = {row.id: DocumentRow(*row) for row in tx.execute(query)} if keys else {}
    return {
        binding_id: [found[document_id] for document_id in ids if document_id in found]
        for binding_id, ids in named.items()
    }


def _conditions(tx: sqlalchemy.Connection, choice: Choice) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if choice.beneficiary_id is not None:
        conditions.append(_BINDINGS.region == region_of(choice.beneficiary_id))
        conditions.append(_BINDINGS.beneficiary_id == choice.beneficiary_id)
    if choice.donor_id is not None:
        given = [key_of(binding_id) for binding_id in _given_by(tx, choice.donor_id)]
        conditions.append(tuple_(_BINDINGS.region, _BINDINGS.id).in_(given))
    if choice.donor_region is not None:
        conditions.append(_BINDINGS.donor_region == choice.donor_region)
    if choice.states:
        conditions.append(_BINDINGS.state.in_(sorted(choice.states)))
    return conditions


def _given_by(tx: sqlalchemy.Connection, donor_id: UUID) -> Sequence[UUID]:
    index = tables.donor_bindings.c
    query = select(index.binding_id).where(
        index.region == region_of(donor_id), index.donor_id == donor_id
    )
    return tx.scalars(query).all()
